//! The configuration: layers read in order, the later wins, and each value remembers where it came from.
//!
//! 1. the defaults in [`keys`]
//! 2. `[workspace.metadata.ao-sandbox]` of this repository's `Cargo.toml`
//! 3. `ao-sandbox.toml` in the workspace (see [`trust`]: it may narrow, and widens only after a yes)
//! 4. `AO_SANDBOX_*`
//! 5. flags

pub(crate) mod keys;
pub(crate) mod trust;
mod validate;

use std::collections::BTreeMap;
use std::fs;

use anyhow::Context as _;
use camino::Utf8Path;
use toml::{Table, Value};

use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::workspace::Workspace;
use keys::{Form, KEYS, Key, Settings};

/// The name of a workspace's own file.
pub(crate) const WORKSPACE_FILE: &str = "ao-sandbox.toml";

/// Variables that begin like a key's but are none: of `xtask` itself and of the inside of a sandbox.
const OTHER_VARIABLES: [&str; 14] = [
    "STATE_DIR",
    "ENGINE",
    "TRUST",
    "UID",
    "GID",
    "WORKSPACE",
    "ALLOW_FILE",
    "WRITE_ACL",
    "PORTS",
    "EXEC",
    "E2E",
    "NAME",
    "VOLUME_PREFIX",
    "ASSETS",
];

/// The merged layers.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    values: BTreeMap<&'static str, (Value, Vec<String>)>,
}

impl Config {
    /// The configuration for a workspace, or for none (image commands).
    pub(crate) fn load(
        cx: &Context,
        workspace: Option<&Workspace>,
        flags: Table,
    ) -> anyhow::Result<Settings> {
        Config::layers(cx, workspace, flags)?.settings()
    }

    /// The same, with the origin of each value.
    pub(crate) fn layers(cx: &Context, workspace: Option<&Workspace>, flags: Table) -> anyhow::Result<Self> {
        let mut config = Config::defaults();
        let manifest = cx.root.join("Cargo.toml");
        config.add(repository_table(&manifest)?, "Cargo.toml")?;
        if let Some(workspace) = workspace
            && let Some(table) = trust::workspace_table(cx, workspace, &config)?
        {
            config.add(table, WORKSPACE_FILE)?;
        }
        config.add_variables(std::env::vars())?;
        config.add(flags, "flag")?;
        Ok(config)
    }

    fn defaults() -> Self {
        let value = |key: &Key| {
            let table: Table = toml::from_str(&format!("v = {}", key.default)).unwrap_or_default();
            (key.name, (table.get("v").cloned().unwrap_or(Value::Boolean(false)), vec!["default".to_owned()]))
        };
        Config { values: KEYS.iter().map(value).collect() }
    }

    fn add(&mut self, table: Table, origin: &str) -> anyhow::Result<()> {
        for (name, value) in table {
            let key = known(&name, origin)?;
            self.set(key, checked(key, value, origin)?, origin);
        }
        Ok(())
    }

    fn add_variables(&mut self, variables: impl Iterator<Item = (String, String)>) -> anyhow::Result<()> {
        for (variable, text) in variables {
            let Some(rest) = variable.strip_prefix("AO_SANDBOX_") else { continue };
            if OTHER_VARIABLES.contains(&rest) {
                continue;
            }
            let key = known(&rest.to_ascii_lowercase().replace('_', "-"), &variable)?;
            self.set(key, parsed(key, &text, &variable)?, &variable);
        }
        Ok(())
    }

    fn set(&mut self, key: &'static Key, value: Value, origin: &str) {
        let slot = self.values.entry(key.name).or_insert_with(|| (value.clone(), vec![]));
        match (key.form, &mut slot.0, value) {
            (Form::List, Value::Array(old), Value::Array(new)) => {
                old.extend(new);
                slot.1.push(origin.to_owned());
            }
            (Form::Map, Value::Table(old), Value::Table(new)) => {
                old.extend(new);
                slot.1.push(origin.to_owned());
            }
            (_, old, new) => {
                *old = new;
                slot.1 = vec![origin.to_owned()];
            }
        }
    }

    /// Each key with its value as TOML and where it came from.
    pub(crate) fn rows(&self) -> Vec<(&'static Key, &Value, String)> {
        let row = |key: &'static Key| {
            let (value, origins) = self.values.get(key.name)?;
            let changed = origins.len() > 1;
            let shown = origins.iter().filter(|origin| !changed || *origin != "default");
            Some((key, value, shown.cloned().collect::<Vec<_>>().join(", ")))
        };
        KEYS.iter().filter_map(row).collect()
    }

    fn value(&self, name: &str) -> Option<&Value> {
        self.values.get(name).map(|(value, _)| value)
    }

    pub(crate) fn settings(&self) -> anyhow::Result<Settings> {
        let table: Table =
            self.values.iter().map(|(name, (value, _))| ((*name).to_owned(), value.clone())).collect();
        let settings: Settings =
            Value::Table(table).try_into().map_err(|error| usage(format!("the configuration: {error}")))?;
        validate::validate(&settings)?;
        Ok(settings)
    }
}

fn usage(message: String) -> anyhow::Error {
    Failure::new(Exit::Usage, message).into()
}

fn known(name: &str, origin: &str) -> anyhow::Result<&'static Key> {
    keys::find(name)
        .ok_or_else(|| usage(format!("unknown key `{name}` ({origin}); the keys are {}", keys::names())))
}

/// The value as the key's form wants it.
fn checked(key: &Key, value: Value, origin: &str) -> anyhow::Result<Value> {
    let fits = match (key.form, &value) {
        (Form::Text, Value::String(_))
        | (Form::Number, Value::Integer(_))
        | (Form::Flag, Value::Boolean(_)) => true,
        (Form::List | Form::Choice, Value::Array(items)) => items.iter().all(Value::is_str),
        (Form::Map, Value::Table(entries)) => entries.values().all(Value::is_str),
        _ => false,
    };
    let wanted = match key.form {
        Form::Text => "a text",
        Form::Number => "a number",
        Form::Flag => "true or false",
        Form::List | Form::Choice => "a list of texts",
        Form::Map => "a table of texts",
    };
    if fits {
        Ok(value)
    } else {
        Err(usage(format!("`{}` ({origin}) wants {wanted}, not `{value}`", key.name)))
    }
}

/// The value of a variable: lists are separated by commas or line ends, tables are lists of `NAME=VALUE`.
fn parsed(key: &Key, text: &str, origin: &str) -> anyhow::Result<Value> {
    let items = || text.split([',', '\n']).map(str::trim).filter(|item| !item.is_empty());
    Ok(match key.form {
        Form::Text => Value::String(text.to_owned()),
        Form::Number => Value::Integer(
            text.parse().map_err(|_| usage(format!("`{origin}` wants a number, not `{text}`")))?,
        ),
        Form::Flag => match text {
            "1" | "true" | "yes" => Value::Boolean(true),
            "0" | "false" | "no" => Value::Boolean(false),
            _ => return Err(usage(format!("`{origin}` wants true or false, not `{text}`"))),
        },
        Form::List | Form::Choice => {
            Value::Array(items().map(|item| Value::String(item.to_owned())).collect())
        }
        Form::Map => {
            let pairs = items().map(|item| {
                item.split_once('=')
                    .map(|(name, value)| (name.to_owned(), Value::String(value.to_owned())))
                    .ok_or_else(|| usage(format!("`{origin}` wants `NAME=VALUE`, not `{item}`")))
            });
            Value::Table(pairs.collect::<anyhow::Result<_>>()?)
        }
    })
}

/// `[workspace.metadata.ao-sandbox]`, read without cargo: a `cargo metadata` would cost 17 ms at each command.
fn repository_table(manifest: &Utf8Path) -> anyhow::Result<Table> {
    let mut table = read_table(manifest)?;
    for name in ["workspace", "metadata", "ao-sandbox"] {
        match table.remove(name) {
            Some(Value::Table(inner)) => table = inner,
            _ => return Ok(Table::new()),
        }
    }
    Ok(table)
}

/// A TOML file; a mistake is shown with file and line.
fn read_table(path: &Utf8Path) -> anyhow::Result<Table> {
    let text = fs::read_to_string(path).with_context(|| format!("failed to read `{path}`"))?;
    parse_table(path, &text)
}

/// The TOML text of a file; a mistake is shown with file and line.
fn parse_table(path: &Utf8Path, text: &str) -> anyhow::Result<Table> {
    toml::from_str(text).map_err(|error| {
        let line = error.span().map_or(1, |span| text[..span.start.min(text.len())].lines().count().max(1));
        usage(format!("`{path}`:{line}: {}", error.message()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(text: &str) -> Table {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn an_unknown_key_is_refused_and_the_valid_ones_are_named() {
        let error = Config::defaults().add(table("memroy = '1g'"), "Cargo.toml").unwrap_err().to_string();
        assert!(error.contains("`memroy` (Cargo.toml)") && error.contains("`memory`"), "{error}");
        let variables = [("AO_SANDBOX_MEMROY".to_owned(), "1g".to_owned())];
        assert!(Config::defaults().add_variables(variables.into_iter()).is_err());
    }

    #[test]
    fn a_value_of_the_wrong_form_is_refused() {
        for bad in
            ["memory = 4", "allow = 'x.example'", "pids = '5'", "env = { A = 1 }", "protect-git = 'no'"]
        {
            assert!(Config::defaults().add(table(bad), "Cargo.toml").is_err(), "{bad}");
        }
    }

    #[test]
    fn later_layers_win_lists_add_up_and_origins_are_kept() {
        let mut config = Config::defaults();
        config.add(table("memory = '1g'\nallow = ['a.example']"), "Cargo.toml").unwrap();
        let variables = [
            ("AO_SANDBOX_ALLOW".to_owned(), "b.example, c.example".to_owned()),
            ("AO_SANDBOX_PROTECT_GIT".to_owned(), "0".to_owned()),
            ("AO_SANDBOX_STATE_DIR".to_owned(), "/s".to_owned()),
        ];
        config.add_variables(variables.into_iter()).unwrap();
        config.add(table("memory = '2g'"), "flag").unwrap();
        let settings = config.settings().unwrap();
        assert_eq!(settings.memory, "2g");
        assert_eq!(settings.allow, ["a.example", "b.example", "c.example"]);
        assert!(!settings.protect_git);
        let (_, _, origin) = config.rows().into_iter().find(|(key, ..)| key.name == "allow").unwrap();
        assert_eq!(origin, "Cargo.toml, AO_SANDBOX_ALLOW");
    }

    #[test]
    fn settings_that_make_no_sense_are_refused() {
        for bad in ["agents = ['clod']", "profile = 'debug'", "env = { 'A B' = '' }", "dns = ['localhost']"] {
            let mut config = Config::defaults();
            config.add(table(bad), "Cargo.toml").unwrap();
            assert!(config.settings().is_err(), "{bad}");
        }
    }
}
