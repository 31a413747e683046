//! The manifest: which files a release consists of, and the digest that names it. Pure: it knows no disk.
//!
//! Written as JSON, sorted by path. The release is the SHA-256 over one line per file,
//! `path NUL sha256 NUL size NUL mode-in-octal LF`, so the name of a release proves its whole content.

use std::collections::BTreeSet;

use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The only version of the manifest that this program knows.
pub(crate) const VERSION: u32 = 1;
/// The path of this program.
pub(crate) const WORKFLOW: &str = "/usr/local/bin/workflow";
/// The path of the program that is PID 1 of the sandbox.
pub(crate) const ENTRYPOINT: &str = "/opt/entrypoint.sh";
/// The path of the script that applies the network policy.
pub(crate) const FIREWALL: &str = "/opt/init-firewall.sh";
/// The folder of our data files.
pub(crate) const DATA: &str = "/etc/ao-sandbox/";
/// What a file is called while it is written beside its place: `.NAME.ao-sandbox-new`.
pub(crate) const TEMPORARY: &str = ".ao-sandbox-new";

/// All files of one release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Manifest {
    /// Always [`VERSION`].
    pub(crate) version: u32,
    /// The digest over all files, in lower-case hex.
    pub(crate) release: String,
    /// The files, sorted by path.
    pub(crate) files: Vec<Entry>,
}

/// One file of a release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Entry {
    /// Where it lands, absolute.
    pub(crate) path: String,
    /// Digest of its content, in lower-case hex.
    pub(crate) sha256: String,
    /// Its length in bytes.
    pub(crate) size: u64,
    /// Its permission bits: 0755 or 0644.
    pub(crate) mode: u32,
}

impl Manifest {
    /// Reads and checks a manifest; whatever is wrong with it is an error that names the file concerned.
    pub(crate) fn parse(json: &[u8]) -> Result<Self> {
        #[derive(Deserialize)]
        struct Versioned {
            version: u32,
        }
        let versioned: Versioned = serde_json::from_slice(json).context("the manifest is not valid JSON")?;
        ensure!(versioned.version == VERSION, "version {} of the manifest is not known", versioned.version);
        let manifest: Self = serde_json::from_slice(json).context("the manifest is not valid")?;
        manifest.check()?;
        Ok(manifest)
    }

    /// The canonical text: pretty JSON.
    pub(crate) fn text(&self) -> Result<Vec<u8>> {
        Ok(serde_json::to_vec_pretty(self)?)
    }

    /// The entry of `path`.
    pub(crate) fn entry(&self, path: &str) -> Option<&Entry> {
        self.files.iter().find(|entry| entry.path == path)
    }

    fn check(&self) -> Result<()> {
        for entry in &self.files {
            entry.check().with_context(|| format!("the manifest's entry `{}` is refused", entry.path))?;
        }
        for pair in self.files.windows(2) {
            ensure!(pair[0].path < pair[1].path, "the manifest is not sorted at `{}`", pair[1].path);
        }
        for path in [WORKFLOW, ENTRYPOINT, FIREWALL] {
            ensure!(self.entry(path).is_some(), "the manifest lacks `{path}`");
        }
        self.check_nesting()?;
        let real = digest(&self.files);
        ensure!(
            real == self.release,
            "the manifest names release `{}`, its files make `{real}`",
            self.release
        );
        Ok(())
    }

    fn check_nesting(&self) -> Result<()> {
        let paths: BTreeSet<&str> = self.files.iter().map(|entry| entry.path.as_str()).collect();
        for path in &paths {
            let mut parents = path.match_indices('/').map(|(end, _)| &path[..end]);
            if let Some(parent) = parents.find(|parent| paths.contains(parent)) {
                bail!("the manifest has `{parent}` both as a file and as a folder");
            }
        }
        Ok(())
    }
}

impl Entry {
    fn check(&self) -> Result<()> {
        check_path(&self.path)?;
        ensure!(is_digest(&self.sha256), "`{}` is not a SHA-256 digest", self.sha256);
        ensure!(matches!(self.mode, 0o755 | 0o644), "mode {:o} is neither 755 nor 644", self.mode);
        Ok(())
    }
}

/// The digest that names a release of `files`.
pub(crate) fn digest(files: &[Entry]) -> String {
    let mut hasher = Sha256::new();
    for Entry { path, sha256, size, mode } in files {
        hasher.update(format!("{path}\0{sha256}\0{size}\0{mode:o}\n"));
    }
    format!("{:x}", hasher.finalize())
}

/// Whether `text` is a SHA-256 digest in lower-case hex, as releases and files have.
pub(crate) fn is_digest(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Refuses a path that is not normalised or not one of the places that belong to us.
pub(crate) fn check_path(path: &str) -> Result<()> {
    ensure!(!path.chars().any(char::is_control), "the path has a control character");
    let Some(relative) = path.strip_prefix('/') else { bail!("the path is not absolute") };
    for name in relative.split('/') {
        ensure!(!matches!(name, "" | "." | ".."), "the path is not normalised");
        ensure!(name.len() < 200, "a name in the path is too long");
        ensure!(!name.ends_with(TEMPORARY), "the path has a name that is reserved for unfinished files");
    }
    let in_opt = path.strip_prefix("/opt/").is_some_and(|name| !name.contains('/'));
    let ours = path == WORKFLOW || in_opt || path.starts_with(DATA);
    ensure!(ours, "the path is outside `{WORKFLOW}`, `/opt/*` and `{DATA}**`");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(path: &str) -> Entry {
        Entry { path: path.to_owned(), sha256: "ab".repeat(32), size: 3, mode: 0o644 }
    }

    fn manifest(extra: &[&str]) -> Manifest {
        let paths = [WORKFLOW, ENTRYPOINT, FIREWALL];
        let mut files: Vec<Entry> = paths.iter().chain(extra).map(|path| entry(path)).collect();
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Manifest { version: 1, release: digest(&files), files }
    }

    fn refusal(change: impl FnOnce(&mut Manifest)) -> String {
        let mut changed = manifest(&["/etc/ao-sandbox/allowlist"]);
        change(&mut changed);
        format!("{:#}", Manifest::parse(&changed.text().unwrap()).unwrap_err())
    }

    #[test]
    fn paths_that_are_not_ours_are_refused() {
        let bad = [
            "opt/x",
            "/etc/passwd",
            "/opt",
            "/opt/",
            "/opt/a/b",
            "/opt/../etc/passwd",
            "/opt/./x",
            "/opt//x",
            "/etc/ao-sandbox",
            "/etc/ao-sandbox/",
            "/etc/ao-sandbox/../shadow",
            "/usr/local/bin/other",
            "/usr/local/bin/workflow/x",
            "/opt/a\nb",
            "/opt/a\0b",
            "",
            "/",
            "/etc/ao-sandboxes/x",
            "/opt/.entrypoint.sh.ao-sandbox-new",
            "/root/.ssh/authorized_keys",
        ];
        for path in bad {
            assert!(check_path(path).is_err(), "{path:?} was accepted");
        }
        for path in [WORKFLOW, ENTRYPOINT, "/etc/ao-sandbox/a/b/c", "/opt/...", "/opt/.x"] {
            check_path(path).unwrap();
        }
    }

    #[test]
    fn a_changed_manifest_does_not_fit_its_release() {
        assert!(refusal(|m| m.files[0].size += 1).contains("its files make"));
        assert!(refusal(|m| m.release = "0".repeat(64)).contains("its files make"));
    }

    #[test]
    fn modes_digests_and_order_are_checked() {
        assert!(refusal(|m| m.files[0].mode = 0o4755).contains("mode 4755 is neither"));
        assert!(refusal(|m| m.files[0].sha256 = "AB".repeat(32)).contains("is not a SHA-256 digest"));
        assert!(refusal(|m| m.files.swap(0, 1)).contains("not sorted"));
        assert!(refusal(|m| m.files.push(m.files[3].clone())).contains("not sorted"));
        assert!(refusal(|m| m.files.clear()).contains("lacks `/usr/local/bin/workflow`"));
        assert!(refusal(|m| m.files.push(entry("/etc/shadow"))).contains("`/etc/shadow` is refused"));
    }

    #[test]
    fn a_file_below_a_file_is_refused() {
        let nested = manifest(&["/etc/ao-sandbox/a", "/etc/ao-sandbox/a-b", "/etc/ao-sandbox/a/b"]);
        let error = Manifest::parse(&nested.text().unwrap()).unwrap_err();
        assert!(error.to_string().contains("`/etc/ao-sandbox/a` both as a file and as a folder"), "{error}");
    }

    #[test]
    fn another_version_and_unknown_fields_are_refused() {
        assert!(refusal(|m| m.version = 2).contains("version 2 of the manifest is not known"));
        let with_more = br#"{"version":1,"release":"","files":[],"more":1}"#;
        assert!(format!("{:#}", Manifest::parse(with_more).unwrap_err()).contains("unknown field `more`"));
        assert!(Manifest::parse(b"{").is_err());
    }

    #[test]
    fn a_manifest_survives_its_text() {
        let before = manifest(&["/etc/ao-sandbox/allowlist"]);
        assert_eq!(Manifest::parse(&before.text().unwrap()).unwrap(), before);
    }

    #[test]
    fn the_digest_is_the_one_of_the_contract() {
        // Computed apart from this program, with Python's `hashlib`.
        let expected = "a5fdfd3de1afa7072336fca931b0e2e5140a6c3d6034e4698e7ce67478f2c13c";
        assert_eq!(digest(&[entry("/opt/x")]), expected);
    }
}
