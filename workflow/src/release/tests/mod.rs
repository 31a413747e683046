//! A world for the tests: a folder that stands for a sandbox, with scripts in place of the programs.

mod behaviour;
mod kills;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;

use super::Limits;
use super::answer::{Answer, Status};
use super::files;
use super::install::{Source, install};
use super::manifest::{Entry, Manifest, digest};
use super::store::Store;
use super::verify::status;

/// Says which build it is, as the real program does.
const WORKFLOW: &str = r#"#!/bin/sh
set -- $(sha256sum "$0")
echo "{\"version\":\"0\",\"commit\":null,\"dirty\":false,\"target\":\"t\",\"profile\":\"p\",\"build\":\"$1\"}"
"#;
/// Stands for the firewall: the rules in force are a copy of the allowlist, which `--if-changed` finds to be so already.
const FIREWALL: &str = r#"#!/bin/sh
[ "$1" = --if-changed ] || cp "$AO_SANDBOX_ROOT/etc/ao-sandbox/allowlist" "$AO_SANDBOX_ROOT/rules"
"#;

type Tree = BTreeMap<PathBuf, (u32, Vec<u8>)>;

thread_local! {
    /// Of the thread, since a static is never dropped, and its folder would stay.
    static TEMPLATE: World = {
        let world = World::new();
        world.install(&release("older", &[("/etc/ao-sandbox/older", "x")], FIREWALL));
        world.install(&old());
        world
    };
}

struct World {
    dir: TempDir,
    store: Store,
    limits: Limits,
}

impl World {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        for folder in ["run/ao-sandbox", "opt", "usr/local/bin", "etc/ao-sandbox"] {
            fs::create_dir_all(dir.path().join(folder)).unwrap();
        }
        fs::write(dir.path().join("run/ao-sandbox/ready"), "").unwrap();
        let store = Store::open(dir.path()).unwrap();
        let second = Duration::from_secs(1);
        Self { dir, store, limits: Limits { lock: second, firewall: second, build: second } }
    }

    /// A world with the old release installed, and the release before it kept; a copy, since the tests that
    /// kill need some thousand of them.
    fn with_old() -> Self {
        TEMPLATE.with(|template| {
            let world = Self::new();
            copy(template.dir.path(), world.dir.path());
            world
        })
    }

    fn push(&self, release: &Pushed) -> String {
        let folder = self.store.state("incoming").join(&release.manifest.release);
        files::create_folders(&folder).unwrap();
        fs::write(folder.join("manifest.json"), release.manifest.text().unwrap()).unwrap();
        for (path, content) in &release.contents {
            let file = Store::within(&folder, path);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, content).unwrap();
        }
        release.manifest.release.clone()
    }

    fn install_pushed(&self, release: &str) -> Answer {
        install(&self.store, &Source::Pushed { release, base: None }, &self.limits).0
    }

    fn install(&self, release: &Pushed) {
        let answer = self.install_pushed(&self.push(release));
        assert_eq!(answer.status, Status::Installed, "{answer:?}");
    }

    fn roll_back(&self) -> Answer {
        install(&self.store, &Source::Previous, &self.limits).0
    }

    /// All that a reader can see.
    fn tree(&self) -> Tree {
        let mut tree = Tree::new();
        for folder in ["opt", "usr", "etc"] {
            add(&mut tree, self.dir.path(), &self.dir.path().join(folder));
        }
        tree
    }

    fn state_names(&self) -> Vec<String> {
        let names = fs::read_dir(self.store.state("")).unwrap().flatten();
        let mut names: Vec<_> = names.map(|entry| entry.file_name().into_string().unwrap()).collect();
        // What was not claimed yet may be a push under way: it stays until it is old.
        names.retain(|name| name != "incoming");
        names.sort();
        names
    }

    fn assert_whole(&self) -> String {
        let status = status(&self.store, true).unwrap();
        assert_eq!((status.ok, status.interrupted), (Some(true), false), "{status:?}");
        let rules = fs::read_to_string(self.dir.path().join("rules")).unwrap();
        let allowlist = fs::read_to_string(self.dir.path().join("etc/ao-sandbox/allowlist")).unwrap();
        assert_eq!(rules, allowlist, "the rules in force are those of the other release");
        status.release.unwrap()
    }
}

fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap().flatten() {
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            fs::create_dir_all(&target).unwrap();
            fs::set_permissions(&target, entry.metadata().unwrap().permissions()).unwrap();
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), &target).unwrap();
        }
    }
}

fn add(tree: &mut Tree, root: &Path, path: &Path) {
    let meta = path.symlink_metadata().unwrap();
    let content = if meta.is_dir() { Vec::new() } else { fs::read(path).unwrap() };
    tree.insert(path.strip_prefix(root).unwrap().to_owned(), (meta.mode(), content));
    if meta.is_dir() {
        fs::read_dir(path).unwrap().for_each(|entry| add(tree, root, &entry.unwrap().path()));
    }
}

struct Pushed {
    manifest: Manifest,
    contents: BTreeMap<String, String>,
}

fn release(tag: &str, more: &[(&str, &str)], firewall: &str) -> Pushed {
    let mut contents: BTreeMap<String, String> = BTreeMap::new();
    contents.insert("/usr/local/bin/workflow".into(), format!("{WORKFLOW}# {tag}\n"));
    contents.insert("/opt/entrypoint.sh".into(), format!("#!/bin/sh\n# {tag}\n"));
    contents.insert("/opt/init-firewall.sh".into(), firewall.into());
    contents.insert("/etc/ao-sandbox/allowlist".into(), tag.into());
    contents.extend(more.iter().map(|(path, content)| ((*path).to_owned(), (*content).to_owned())));
    let entries = contents.iter().map(|(path, content)| entry(path, content));
    let files: Vec<Entry> = entries.collect();
    Pushed { manifest: Manifest { version: 1, release: digest(&files), files }, contents }
}

fn entry(path: &str, content: &str) -> Entry {
    use sha2::{Digest, Sha256};
    let mode = if content.starts_with("#!") { 0o755 } else { 0o644 };
    let sha256 = format!("{:x}", Sha256::digest(content));
    Entry { path: path.to_owned(), sha256, size: content.len() as u64, mode }
}

fn old() -> Pushed {
    release("old", &[("/etc/ao-sandbox/gone/deep/data", "gone"), ("/etc/ao-sandbox/same", "same")], FIREWALL)
}

fn new() -> Pushed {
    release(
        "new",
        &[("/etc/ao-sandbox/fresh/deep/data", "fresh"), ("/etc/ao-sandbox/same", "same")],
        FIREWALL,
    )
}
