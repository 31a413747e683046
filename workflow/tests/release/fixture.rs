//! A folder that stands for a sandbox, releases to push into it, and the real program.
#![expect(clippy::disallowed_methods, reason = "the tests start the program under test")]

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

pub(crate) const WORKFLOW: &str = "/usr/local/bin/workflow";
pub(crate) const ALLOWLIST: &str = "/etc/ao-sandbox/allowlist";
pub(crate) const FIREWALL: &str = "/opt/init-firewall.sh";
pub(crate) const ENTRYPOINT: &str = "/opt/entrypoint.sh";

/// Everything a reader sees: type and mode, owner, content.
pub(crate) type Tree = BTreeMap<PathBuf, (u32, u32, Vec<u8>)>;

/// A release: what each file holds, and the manifest as it is pushed.
pub(crate) struct Release {
    pub(crate) contents: BTreeMap<String, Vec<u8>>,
    pub(crate) manifest: Value,
}

impl Release {
    /// Four files; `tag` tells two releases apart. The binary is the real one with the tag at its end.
    pub(crate) fn new(tag: &str) -> Self {
        let mut binary = fs::read(env!("CARGO_BIN_EXE_workflow")).unwrap();
        binary.extend(tag.as_bytes());
        let mut contents = BTreeMap::new();
        contents.insert(WORKFLOW.to_owned(), binary);
        contents.insert(ENTRYPOINT.to_owned(), format!("#!/bin/sh\n# {tag}\n").into_bytes());
        contents.insert(FIREWALL.to_owned(), format!("#!/bin/sh\n: {tag}\n").into_bytes());
        contents.insert(ALLOWLIST.to_owned(), tag.as_bytes().to_vec());
        Self::of(contents)
    }

    /// A release of just these files.
    pub(crate) fn of(contents: BTreeMap<String, Vec<u8>>) -> Self {
        let files: Vec<Value> = contents.iter().map(|(path, content)| entry(path, content)).collect();
        let mut release = Self { contents, manifest: json!({ "version": 1, "release": "", "files": files }) };
        release.seal();
        release
    }

    /// The same with one more or another file.
    pub(crate) fn with(mut self, path: &str, content: &[u8]) -> Self {
        self.contents.insert(path.to_owned(), content.to_vec());
        Self::of(self.contents)
    }

    /// Names the release after its entries, whatever they say.
    pub(crate) fn seal(&mut self) {
        let mut text = String::new();
        for file in self.manifest["files"].as_array().unwrap() {
            let (path, sha256) = (file["path"].as_str().unwrap(), file["sha256"].as_str().unwrap());
            let mode = file["mode"].as_u64().unwrap();
            text.push_str(&format!("{path}\0{sha256}\0{}\0{mode:o}\n", file["size"]));
        }
        self.manifest["release"] = json!(digest(text.as_bytes()));
    }

    /// Its name.
    pub(crate) fn name(&self) -> &str {
        self.manifest["release"].as_str().unwrap()
    }

    /// The manifest's entry of `path`.
    pub(crate) fn entry(&mut self, path: &str) -> &mut Value {
        let files = self.manifest["files"].as_array_mut().unwrap();
        files.iter_mut().find(|file| file["path"] == path).unwrap()
    }
}

fn entry(path: &str, content: &[u8]) -> Value {
    let runs = content.starts_with(b"#!") || content.starts_with(b"\x7fELF");
    let mode = if runs { 0o755 } else { 0o644 };
    json!({ "path": path, "sha256": digest(content), "size": content.len(), "mode": mode })
}

fn digest(bytes: &[u8]) -> String {
    format!("{:x}", Sha256::digest(bytes))
}

/// The folder that stands for a sandbox.
pub(crate) struct Sandbox {
    dir: TempDir,
}

impl Sandbox {
    /// One with nothing installed.
    pub(crate) fn empty() -> Self {
        let dir = tempfile::tempdir().unwrap();
        for folder in ["opt", "usr/local/bin", "etc/ao-sandbox", "run/ao-sandbox"] {
            fs::create_dir_all(dir.path().join(folder)).unwrap();
        }
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        Self { dir }
    }

    /// One with `release` installed.
    pub(crate) fn with(release: &Release) -> Self {
        let sandbox = Self::empty();
        sandbox.push(release);
        let answer = sandbox.install(release);
        assert_eq!(answer.json["status"], "installed", "{}", answer.json);
        sandbox
    }

    pub(crate) fn root(&self) -> &Path {
        self.dir.path()
    }

    /// Where `path` of the sandbox is.
    pub(crate) fn place(&self, path: &str) -> PathBuf {
        self.root().join(path.trim_start_matches('/'))
    }

    pub(crate) fn state(&self, name: &str) -> PathBuf {
        self.place("/var/lib/ao-sandbox").join(name)
    }

    /// Pushes the whole release.
    pub(crate) fn push(&self, release: &Release) {
        let paths: Vec<&str> = release.contents.keys().map(String::as_str).collect();
        self.push_only(release, &paths);
    }

    /// Pushes the manifest and these files.
    pub(crate) fn push_only(&self, release: &Release, paths: &[&str]) {
        let folder = self.incoming(release);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("manifest.json"), serde_json::to_vec_pretty(&release.manifest).unwrap())
            .unwrap();
        for path in paths {
            let file = folder.join("files").join(path.trim_start_matches('/'));
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, &release.contents[*path]).unwrap();
        }
    }

    pub(crate) fn incoming(&self, release: &Release) -> PathBuf {
        self.state("incoming").join(release.name())
    }

    /// `workflow release install`.
    pub(crate) fn install(&self, release: &Release) -> Answer {
        self.release(["install", release.name(), "--json"])
    }

    /// `workflow release` with these arguments on this folder.
    pub(crate) fn release<const N: usize>(&self, args: [&str; N]) -> Answer {
        Answer::of(self.command(args).output().unwrap())
    }

    /// The same, to be started by the test.
    pub(crate) fn command<const N: usize>(&self, args: [&str; N]) -> Command {
        let mut command = program(env!("CARGO_BIN_EXE_workflow"));
        command.arg("release").args(args).arg("--root").arg(self.root());
        command
    }

    /// The release that `status --verify` finds whole on disk.
    pub(crate) fn whole(&self) -> String {
        let status = self.release(["status", "--verify", "--json"]).json;
        assert_eq!((&status["ok"], &status["interrupted"]), (&json!(true), &json!(false)), "{status}");
        status["release"].as_str().unwrap().to_owned()
    }

    /// Everything a reader sees.
    pub(crate) fn tree(&self) -> Tree {
        let mut tree = Tree::new();
        ["opt", "usr", "etc"].iter().for_each(|folder| add(&mut tree, &self.root().join(folder)));
        tree
    }

    /// Nothing of an install is left beside the release, the one before, and the lock.
    pub(crate) fn assert_tidy(&self) {
        for name in ["journal.json", "previous-new", "work"] {
            assert!(!self.state(name).exists(), "`{name}` was left");
        }
        let unfinished =
            self.tree().into_keys().find(|path| path.to_string_lossy().contains("ao-sandbox-new"));
        assert_eq!(unfinished, None);
    }
}

fn add(tree: &mut Tree, path: &Path) {
    let meta = path.symlink_metadata().unwrap();
    let content = if meta.is_file() { fs::read(path).unwrap() } else { Vec::new() };
    tree.insert(path.to_owned(), (meta.mode(), meta.uid(), content));
    if meta.is_dir() {
        fs::read_dir(path).unwrap().for_each(|entry| add(tree, &entry.unwrap().path()));
    }
}

/// What the program said: exit code, both streams, and stdout as JSON where it is.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) code: Option<i32>,
    pub(crate) json: Value,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Answer {
    pub(crate) fn of(output: Output) -> Self {
        let stdout = String::from_utf8(output.stdout).unwrap();
        Self {
            code: output.status.code(),
            json: serde_json::from_str(&stdout).unwrap_or(Value::Null),
            stdout,
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    pub(crate) fn status(&self) -> &str {
        self.json["status"].as_str().unwrap_or_default()
    }

    pub(crate) fn error(&self) -> &str {
        self.json["error"].as_str().unwrap_or_default()
    }
}

/// A program of the test.
pub(crate) fn program(name: impl AsRef<OsStr>) -> Command {
    Command::new(name)
}
