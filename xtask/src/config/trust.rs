//! A workspace's own `ao-sandbox.toml`: an agent can write it, so it may narrow what the sandbox may do, and widens only after
//! a yes on the host. The yes is for the file as it stood: one changed byte asks again.

use std::fs;
use std::io::Read as _;

use anyhow::Context as _;
use camino::Utf8PathBuf;
use toml::{Table, Value};

use super::{Config, WORKSPACE_FILE, parse_table};
use crate::context::Context;
use crate::digest::sha256;
use crate::failure::{Exit, Failure};
use crate::sizes::{bytes, cpus};
use crate::workspace::Workspace;

/// Bytes of the largest file that is read.
const LARGEST: u64 = 1 << 20;

/// The workspace's table, where there is a file and where it may take effect.
pub(super) fn workspace_table(
    cx: &Context,
    workspace: &Workspace,
    below: &Config,
) -> anyhow::Result<Option<Table>> {
    let Some(own) = OwnFile::read(workspace)? else { return Ok(None) };
    // A misspelt key or a value of the wrong form is a mistake, and not something to say yes to.
    Config::defaults().add(own.table.clone(), WORKSPACE_FILE)?;
    let (path, widening) = (&own.path, widening(&own.table, below));
    if widening.is_empty() || cx.state.load(&workspace.path).trusted.as_ref() == Some(&own.digest) {
        return Ok(Some(own.table));
    }
    let list = widening.join("\n  ");
    let question = format!(
        "`{path}` asks for more than the sandbox has:\n  {list}\nAn agent can write that file. Grant it?"
    );
    if cx.ui.can_ask() && cx.ui.confirm(&question)? {
        own.trust(cx, workspace)?;
        return Ok(Some(own.table));
    }
    Err(Failure::new(Exit::Usage, format!("`{path}` asks for more than the sandbox has:\n  {list}"))
        .hint(format!("read it, then grant it with `cargo xtask config --trust {}`", workspace.path))
        .into())
}

/// A workspace's own file, read once: what was shown, what was agreed to and what takes effect are the same bytes.
pub(crate) struct OwnFile {
    path: Utf8PathBuf,
    table: Table,
    digest: String,
}

impl OwnFile {
    /// The file, where there is one. A link could lead anywhere, so it is no such file.
    pub(crate) fn read(workspace: &Workspace) -> anyhow::Result<Option<Self>> {
        let path = workspace.path.join(WORKSPACE_FILE);
        if !path.is_file() || path.is_symlink() {
            return Ok(None);
        }
        let mut text = String::new();
        let file = fs::File::open(&path).with_context(|| format!("failed to read `{path}`"))?;
        file.take(LARGEST).read_to_string(&mut text).with_context(|| format!("failed to read `{path}`"))?;
        Ok(Some(OwnFile { table: parse_table(&path, &text)?, digest: sha256(&text), path }))
    }

    /// What it sets, as lines for the person who is to agree.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.table.iter().map(|(name, value)| format!("{name} = {value}")).collect()
    }

    /// Remembers the person's yes to these bytes.
    pub(crate) fn trust(&self, cx: &Context, workspace: &Workspace) -> anyhow::Result<()> {
        cx.state.update(&workspace.path, |known| known.trusted = Some(self.digest.clone()))
    }
}

/// The lines that would widen what the sandbox may do. Lower limits narrow, and so does guarding git.
fn widening(table: &Table, below: &Config) -> Vec<String> {
    let narrows = |name: &str, value: &Value| {
        let old = below.value(name);
        match (name, value) {
            ("memory", Value::String(new)) => smaller(bytes(new), text(old).and_then(bytes)),
            ("cpus", Value::String(new)) => smaller(cpus(new), text(old).and_then(cpus)),
            ("pids", Value::Integer(new)) => {
                old.and_then(Value::as_integer).is_some_and(|old| *new <= old && *new > 0)
            }
            ("protect-git", Value::Boolean(on)) => *on,
            _ => false,
        }
    };
    let lines = table.iter().filter(|(name, value)| !narrows(name, value));
    lines.map(|(name, value)| format!("{name} = {value}")).collect()
}

fn text(value: Option<&Value>) -> Option<&str> {
    value.and_then(Value::as_str)
}

fn smaller<T: PartialOrd>(new: Option<T>, old: Option<T>) -> bool {
    matches!((new, old), (Some(new), Some(old)) if new <= old)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<String> {
        let mut below = Config::defaults();
        below.add(toml::from_str("memory = '4g'\ncpus = '2'").unwrap(), "Cargo.toml").unwrap();
        widening(&toml::from_str(text).unwrap(), &below)
    }

    #[test]
    fn lower_limits_narrow_and_need_no_yes() {
        assert!(lines("memory = '2g'\ncpus = '1'\npids = 100\nprotect-git = true").is_empty());
    }

    #[test]
    fn everything_else_needs_a_yes() {
        for text in [
            "memory = '8g'",
            "memory = 'auto'",
            "cpus = '4'",
            "pids = 99999",
            "protect-git = false",
            "allow = ['x.example']",
            "mounts = ['/']",
            "env = { BASH_ENV = 'x' }",
            "image = 'evil'",
            "network = 'host'",
            "ports = ['1']",
        ] {
            assert_eq!(lines(text).len(), 1, "{text}");
        }
    }
}
