//! Where rules come from: the allowlist files, with presets expanded. Each rule remembers its file and line.

use std::collections::HashMap;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use serde::Serialize;

use super::entry::{Entry, Line};
use super::paths::Paths;
use super::presets::Preset;

/// More is a mistake, or an attempt to exhaust us.
const FILE_MAX: usize = 1 << 20;
const RULES_MAX: usize = 10_000;

/// Where a rule stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Origin {
    /// The allowlist, as the container sees it.
    pub(crate) file: String,
    /// The line, from 1.
    pub(crate) line: usize,
    /// The preset that the line names, where it names one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) preset: Option<String>,
}

/// An entry and where it comes from.
#[derive(Debug, Clone)]
pub(crate) struct Rule {
    /// What may be reached.
    pub(crate) entry: Entry,
    /// Who says so first.
    pub(crate) origin: Origin,
}

/// What the allowlists say.
#[derive(Debug, Default)]
pub(crate) struct Loaded {
    /// The rules, each target once.
    pub(crate) rules: Vec<Rule>,
    /// What the person should know; nothing here makes the policy wrong.
    pub(crate) warnings: Vec<String>,
    /// Where the rule of a target is; the keys have no private ranges.
    known: HashMap<Entry, usize>,
}

impl Loaded {
    /// Reads the two allowlists of the container; the second may be absent.
    ///
    /// # Errors
    /// With one line `file:line: reason` for each mistake in them.
    pub(crate) fn read(paths: &Paths) -> Result<Self> {
        let [own, extra] = paths.allowlists();
        let mut files = vec![own];
        files.extend(Some(extra).filter(|path| path.exists()));
        Self::read_files(paths, &files)
    }

    /// Reads these files.
    ///
    /// # Errors
    /// As [`Loaded::read`].
    pub(crate) fn read_files(paths: &Paths, files: &[impl AsRef<Path>]) -> Result<Self> {
        let mut loaded = Self::default();
        let mut mistakes = Vec::new();
        for file in files {
            loaded.add_file(paths, file.as_ref(), &mut mistakes)?;
        }
        ensure!(
            loaded.rules.len() <= RULES_MAX,
            "{} rules; at most {RULES_MAX} are read",
            loaded.rules.len()
        );
        if !mistakes.is_empty() {
            bail!("mistakes in the allowlist:\n{}", mistakes.join("\n"));
        }
        Ok(loaded)
    }

    fn add_file(&mut self, paths: &Paths, file: &Path, mistakes: &mut Vec<String>) -> Result<()> {
        let shown = paths.shown(file);
        let bytes = match fs::read(file) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => bail!("no allowlist at `{shown}`"),
            Err(error) => return Err(error).with_context(|| format!("failed to read `{shown}`")),
        };
        ensure!(bytes.len() <= FILE_MAX, "{shown}: {} bytes; at most {FILE_MAX} are read", bytes.len());
        for (index, text) in bytes.split(|byte| *byte == b'\n').enumerate() {
            let origin = Origin { file: shown.clone(), line: index + 1, preset: None };
            if let Err(reason) = self.add_line(paths, text, origin) {
                mistakes.push(format!("{shown}:{}: {reason:#}", index + 1));
            }
        }
        Ok(())
    }

    fn add_line(&mut self, paths: &Paths, text: &[u8], origin: Origin) -> Result<()> {
        let text = str::from_utf8(text).context("the line is not UTF-8")?;
        match text.parse()? {
            Line::Blank => {}
            Line::Entry(entry) => self.add(entry, origin),
            Line::Preset(preset) => self.add_preset(paths, preset, &origin)?,
        }
        Ok(())
    }

    fn add_preset(&mut self, paths: &Paths, preset: Preset, origin: &Origin) -> Result<()> {
        let resolved = preset.resolve(paths)?;
        for warning in resolved.warnings {
            self.warnings.push(format!("{}:{}: {warning}", origin.file, origin.line));
        }
        for entry in resolved.entries {
            self.add(entry, Origin { preset: Some(preset.to_string()), ..origin.clone() });
        }
        Ok(())
    }

    /// The first to name a target owns the rule; private ranges of the others are added to it.
    fn add(&mut self, mut entry: Entry, origin: Origin) {
        let ranges = entry.take_private();
        let index = *self.known.entry(entry.clone()).or_insert(self.rules.len());
        if index == self.rules.len() {
            self.rules.push(Rule { entry, origin });
        }
        self.rules[index].entry.add_private(ranges);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(files: &[(&str, &[u8])]) -> Result<Loaded> {
        let dir = tempfile::tempdir().unwrap();
        let paths = Paths::new(dir.path());
        for (path, bytes) in files {
            let path = paths.at(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
        Loaded::read(&paths)
    }

    #[test]
    fn every_mistake_is_told_with_file_line_and_reason() {
        let error = load(&[
            ("/etc/ao-sandbox/allowlist", b"good.example\n*\n\nUPPER.example # x\n"),
            ("/var/lib/ao-sandbox/allowlist", b"# fine\n\xff\xfe\n@nope\n"),
        ])
        .unwrap_err();
        let lines: Vec<String> = error.to_string().lines().skip(1).map(str::to_owned).collect();
        for (line, start) in lines.iter().zip([
            "/etc/ao-sandbox/allowlist:2: `*` alone",
            "/etc/ao-sandbox/allowlist:4: `UPPER.example` has upper case",
            "/var/lib/ao-sandbox/allowlist:2: the line is not UTF-8",
            "/var/lib/ao-sandbox/allowlist:3: no preset `@nope`",
        ]) {
            assert!(line.starts_with(start), "{line}");
        }
        assert_eq!(lines.len(), 4);
    }

    #[test]
    fn a_missing_allowlist_of_the_release_is_an_error_and_an_endless_one_too() {
        assert!(load(&[]).unwrap_err().to_string().contains("no allowlist at `/etc/ao-sandbox/allowlist`"));
        let long = vec![b'\n'; FILE_MAX + 1];
        assert!(load(&[("/etc/ao-sandbox/allowlist", &long)]).is_err());
    }

    #[test]
    fn a_target_is_one_rule_however_often_it_is_named() {
        let loaded = load(&[
            (
                "/etc/ao-sandbox/allowlist",
                b"a.example\na.example\na.example:8443\n@npm\n10.0.0.0/8\n10.0.0.0/8",
            ),
            ("/var/lib/ao-sandbox/allowlist", b"a.example private=10.0.0.0/8\n"),
            ("/etc/ao-sandbox/registries.json", br#"{"npm":["a.example private=10.1.0.0/16","b.example"]}"#),
        ])
        .unwrap();
        let shown: Vec<String> =
            loaded.rules.iter().map(|rule| format!("{} {}", rule.entry, rule.origin.line)).collect();
        assert_eq!(
            shown,
            [
                "a.example private=10.0.0.0/8 private=10.1.0.0/16 1",
                "a.example:8443 3",
                "b.example 4",
                "10.0.0.0/8 5"
            ]
        );
        assert_eq!(loaded.rules[2].origin.preset.as_deref(), Some("@npm"));
    }
}
