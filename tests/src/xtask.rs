//! The real `xtask`, with state, home and configuration of its own.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::process::{Finished, command, run};

/// The root of this repository.
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a package has a parent").to_owned()
}

/// The `xtask` to test: the one that started us, else the one that cargo builds now.
pub fn xtask() -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT
        .get_or_init(|| match std::env::var_os("AO_SANDBOX_E2E") {
            Some(path) => path.into(),
            None => {
                let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
                run(command(cargo)
                    .args(["build", "--quiet", "--package", "xtask"])
                    .current_dir(repository()))
                .ok();
                repository().join("target/debug/xtask")
            }
        })
        .clone()
}

/// The `workflow` for this machine's sandboxes, built once.
pub fn workflow() -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT
        .get_or_init(|| {
            let built = run(command(xtask()).args(["build", "--quiet"]).current_dir(repository())).ok();
            built.stdout.trim().into()
        })
        .clone()
}

/// A person's surroundings: a temporary home and state, and a folder to stand in.
pub struct Person {
    pub folder: tempfile::TempDir,
    /// The assets of this person, which a test may change where they are a copy.
    pub assets: PathBuf,
    env: Vec<(String, String)>,
}

impl Person {
    /// With this repository's own assets.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        Person { folder, assets: repository().join("sandbox-assets"), env: vec![] }
    }

    /// With a copy of the assets that may be changed.
    pub fn with_own_assets() -> Self {
        let mut person = Person::new();
        run(command("cp").arg("-a").arg(&person.assets).arg(person.folder.path())).ok();
        person.assets = person.folder.path().join("sandbox-assets");
        let assets = person.assets.to_str().expect("UTF-8").to_owned();
        person.set("AO_SANDBOX_ASSETS", assets);
        person
    }

    /// Asking this machine's package clients takes a second; a test that is not about their answer does without.
    #[must_use]
    pub fn without_registries(self) -> Self {
        std::fs::write(self.assets.join("rootfs/etc/ao-sandbox/registries.json"), "{}").expect("a file");
        self
    }

    /// A variable for every command of this person.
    pub fn set(&mut self, name: &str, value: impl Into<String>) {
        self.env.retain(|(known, _)| known != name);
        self.env.push((name.to_owned(), value.into()));
    }

    /// Makes a workspace of this name, with a git repository in it.
    pub fn workspace(&self, name: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::create_dir_all(&path).expect("a workspace");
        run(command("git").args(["init", "--quiet"]).current_dir(&path)).ok();
        path.canonicalize().expect("a canonical path")
    }

    /// `cargo xtask …`, not yet started, standing in a folder.
    pub fn command(&self, folder: &Path, args: &[&str]) -> Command {
        let mut command = command(xtask());
        command.args(args).current_dir(folder);
        command.env("AO_SANDBOX_STATE_DIR", self.folder.path().join("state"));
        command.env_remove("AO_SANDBOX_E2E").env_remove("DOCKER_HOST");
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        command
    }

    /// `cargo xtask …`, run to its end.
    #[track_caller]
    pub fn xtask(&self, folder: &Path, args: &[&str]) -> Finished {
        run(&mut self.command(folder, args))
    }
}

impl Default for Person {
    fn default() -> Self {
        Person::new()
    }
}
