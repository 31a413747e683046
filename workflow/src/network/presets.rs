//! Presets: named groups of entries. Those of vendors are data of ours; those of registries are what the clients of this
//! machine are configured to use, so no registry's host is written down anywhere.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::str::FromStr;

use anyhow::{Context, Error, Result, bail};

use super::apt;
use super::entry::{Entry, Line};
use super::paths::Paths;

/// A preset's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Preset {
    /// Claude Code.
    Claude,
    /// Codex.
    Codex,
    /// GitHub, as little of it as git and gh need.
    Github,
    /// The npm client's registries.
    Npm,
    /// pip's package indexes.
    Pip,
    /// Cargo's registries.
    Cargo,
    /// The sources of apt.
    Apt,
}

const ALL: [Preset; 7] =
    [Preset::Claude, Preset::Codex, Preset::Github, Preset::Npm, Preset::Pip, Preset::Cargo, Preset::Apt];

/// What the host staged, and what the image's own clients said when it was built.
const STAGED: &str = "/etc/ao-sandbox/registries.json";
const IMAGE: &str = "/usr/share/ao-sandbox/registries.json";

/// What a preset stands for; a preset that nobody could resolve is worth a warning, not a refusal.
#[derive(Debug, Default)]
pub(crate) struct Resolved {
    /// Its entries.
    pub(crate) entries: Vec<Entry>,
    /// What the person should know.
    pub(crate) warnings: Vec<String>,
}

impl Preset {
    /// The name without `@`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Claude => "claude",
            Self::Codex => "codex",
            Self::Github => "github",
            Self::Npm => "npm",
            Self::Pip => "pip",
            Self::Cargo => "cargo",
            Self::Apt => "apt",
        }
    }

    /// Its entries, from the data below `paths`.
    ///
    /// # Errors
    /// When a data file is there and cannot be read as one.
    pub(crate) fn resolve(self, paths: &Paths) -> Result<Resolved> {
        let mut entries = match self {
            Self::Claude | Self::Codex | Self::Github => self.vendor(paths)?,
            Self::Npm | Self::Pip | Self::Cargo | Self::Apt => self.registries(paths)?,
        };
        if self == Self::Apt {
            let mut own = apt::entries(&paths.at("/etc/apt"));
            own.iter_mut().try_for_each(|entry| at_known_mirrors(entry, paths))?;
            entries.extend(own);
        }
        let warnings = if entries.is_empty() { vec![self.nothing()] } else { Vec::new() };
        Ok(Resolved { entries, warnings })
    }

    fn nothing(self) -> String {
        format!("`{self}` stands for nothing here: no client of this machine told a registry")
    }

    fn vendor(self, paths: &Paths) -> Result<Vec<Entry>> {
        let path = paths.at("/etc/ao-sandbox/presets");
        let text =
            fs::read_to_string(&path).with_context(|| format!("failed to read `{}`", paths.shown(&path)))?;
        let mut entries = Vec::new();
        for (index, line) in text.lines().enumerate() {
            let place = || format!("{}:{}", paths.shown(&path), index + 1);
            let Some((name, rest)) = line.trim().split_once(char::is_whitespace) else { continue };
            if name.starts_with('#') || name.parse::<Self>().with_context(place)? != self {
                continue;
            }
            entries.push(one_entry(rest).with_context(place)?);
        }
        Ok(entries)
    }

    fn registries(self, paths: &Paths) -> Result<Vec<Entry>> {
        if let Some(texts) = read_registries(&paths.at(STAGED))?.remove(self.name()) {
            return self.read_all(&texts, STAGED);
        }
        let texts = read_registries(&paths.at(IMAGE))?.remove(self.name()).unwrap_or_default();
        let mut entries = self.read_all(&texts, IMAGE)?;
        entries.iter_mut().try_for_each(|entry| at_known_mirrors(entry, paths))?;
        Ok(entries)
    }

    fn read_all(self, texts: &[String], path: &str) -> Result<Vec<Entry>> {
        let read = |text: &String| one_entry(text).with_context(|| format!("{path}: `{}`", self.name()));
        texts.iter().map(read).collect()
    }
}

/// What the image or the container names itself may lie at the private addresses at which the host saw its registries:
/// behind a company's mirror or proxy that is one and the same.
fn at_known_mirrors(entry: &mut Entry, paths: &Paths) -> Result<()> {
    for text in read_registries(&paths.at(STAGED))?.values().flatten() {
        entry.add_private(one_entry(text)?.take_private());
    }
    Ok(())
}

fn one_entry(text: &str) -> Result<Entry> {
    match text.parse()? {
        Line::Entry(entry) => Ok(entry),
        Line::Blank | Line::Preset(_) => bail!("`{text}` is not an entry"),
    }
}

fn read_registries(path: &Path) -> Result<BTreeMap<String, Vec<String>>> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(BTreeMap::new()),
        Err(error) => return Err(error).with_context(|| format!("failed to read `{}`", path.display())),
    };
    serde_json::from_str(&text).with_context(|| format!("failed to read `{}` as JSON", path.display()))
}

impl FromStr for Preset {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let name = text.strip_prefix('@').unwrap_or(text);
        let found = ALL.into_iter().find(|preset| preset.name() == name);
        let valid = || ALL.map(|preset| format!("`{preset}`")).join(", ");
        found.with_context(|| format!("no preset `@{}`; there are {}", name.escape_debug(), valid()))
    }
}

impl fmt::Display for Preset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "@{}", self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root(files: &[(&str, &str)]) -> (tempfile::TempDir, Paths) {
        let dir = tempfile::tempdir().unwrap();
        let paths = Paths::new(dir.path());
        for (path, text) in files {
            let path = paths.at(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        (dir, paths)
    }

    fn shown(resolved: &Resolved) -> Vec<String> {
        resolved.entries.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_registry_that_nobody_told_is_a_warning() {
        let (_dir, paths) = root(&[("/etc/ao-sandbox/registries.json", r#"{"npm":[]}"#)]);
        for preset in [Preset::Npm, Preset::Pip] {
            let resolved = preset.resolve(&paths).unwrap();
            assert!(resolved.entries.is_empty() && resolved.warnings[0].contains(preset.name()));
        }
    }

    #[test]
    fn broken_data_is_an_error_that_says_where() {
        let (_dir, paths) = root(&[
            ("/etc/ao-sandbox/registries.json", r#"{"npm":["UPPER.example"],"pip":["@npm"]}"#),
            ("/etc/ao-sandbox/presets", "@claude a.example\n@other b.example\n"),
        ]);
        let error = format!("{:#}", Preset::Npm.resolve(&paths).unwrap_err());
        assert!(error.contains("registries.json: `npm`") && error.contains("upper.example"), "{error}");
        assert!(Preset::Pip.resolve(&paths).is_err());
        let error = format!("{:#}", Preset::Claude.resolve(&paths).unwrap_err());
        assert!(error.contains("/etc/ao-sandbox/presets:2"), "{error}");
    }

    #[test]
    fn what_the_host_staged_wins_over_what_the_image_knows() {
        let (_dir, paths) = root(&[
            ("/etc/ao-sandbox/registries.json", r#"{"npm":["mirror.corp.example:8443 private=10.0.0.0/8"]}"#),
            ("/usr/share/ao-sandbox/registries.json", r#"{"npm":["a.example"],"pip":["b.example"]}"#),
        ]);
        let npm = Preset::Npm.resolve(&paths).unwrap();
        assert_eq!(shown(&npm), ["mirror.corp.example:8443 private=10.0.0.0/8"]);
        assert_eq!(shown(&Preset::Pip.resolve(&paths).unwrap()), ["b.example private=10.0.0.0/8"]);
    }

    #[test]
    fn apt_adds_the_sources_of_this_container() {
        let (_dir, paths) = root(&[
            ("/etc/ao-sandbox/registries.json", r#"{"apt":["one.example"]}"#),
            ("/etc/apt/sources.list", "deb http://two.example/debian trixie main\n"),
        ]);
        assert_eq!(shown(&Preset::Apt.resolve(&paths).unwrap()), ["one.example", "two.example"]);
    }

    #[test]
    fn a_vendor_is_read_from_the_data_file() {
        let (_dir, paths) =
            root(&[("/etc/ao-sandbox/presets", "# why\n\n@claude a.example # x\n@codex b.example\n")]);
        assert_eq!(shown(&Preset::Claude.resolve(&paths).unwrap()), ["a.example"]);
        assert!(!Preset::Github.resolve(&paths).unwrap().warnings.is_empty());
    }
}
