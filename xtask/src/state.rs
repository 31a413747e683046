//! What the host remembers of each workspace: its name, its container, what was pushed there, what the person agreed to.
//!
//! One small JSON file per workspace under `$XDG_STATE_HOME/ao-sandbox/workspaces/`. Everything here may be deleted: the
//! labels of the containers are the truth, and what is remembered only saves calls (but a name given once is then
//! forgotten, and so is a yes to a workspace's own configuration).

use std::fs;

use anyhow::Context as _;
use camino::{Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Serialize};

use crate::context::home;
use crate::digest::sha256;
use crate::manifest::Manifest;

/// What is remembered of one workspace.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Remembered {
    /// The workspace's absolute path.
    pub(crate) workspace: String,
    /// The name of its sandbox, kept also after `sandbox-down`.
    pub(crate) name: Option<String>,
    /// The full id of its container, as last seen.
    pub(crate) container: Option<String>,
    /// The manifest that was last seen installed in that container.
    pub(crate) installed: Option<Manifest>,
    /// SHA-256 of the `ao-sandbox.toml` that the person said yes to.
    pub(crate) trusted: Option<String>,
}

/// The folder in which state is kept.
#[derive(Clone, Debug)]
pub(crate) struct State {
    dir: Utf8PathBuf,
}

impl State {
    /// `AO_SANDBOX_STATE_DIR`, else `XDG_STATE_HOME`, else `~/.local/state`, else `LOCALAPPDATA`.
    pub(crate) fn locate() -> anyhow::Result<Self> {
        let variable =
            |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty()).map(Utf8PathBuf::from);
        let dir = variable("AO_SANDBOX_STATE_DIR")
            .or_else(|| variable("XDG_STATE_HOME").map(|dir| dir.join("ao-sandbox")))
            .or_else(|| variable("LOCALAPPDATA").map(|dir| dir.join("ao-sandbox")))
            .or_else(|| home().map(|home| home.join(".local/state/ao-sandbox")))
            .context("no folder for state: neither AO_SANDBOX_STATE_DIR nor HOME is set")?;
        Ok(State { dir })
    }

    #[cfg(test)]
    pub(crate) fn at(dir: impl Into<Utf8PathBuf>) -> Self {
        State { dir: dir.into() }
    }

    pub(crate) fn dir(&self) -> &Utf8Path {
        &self.dir
    }

    /// What is remembered of a workspace; nothing known and a file that cannot be read are the same.
    pub(crate) fn load(&self, workspace: &Utf8Path) -> Remembered {
        let known = fs::read(self.file(workspace)).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
        known.unwrap_or_else(|| Remembered { workspace: workspace.to_string(), ..Remembered::default() })
    }

    /// Changes what is remembered of a workspace; written beside and renamed, so that a reader never sees half of it.
    pub(crate) fn update(
        &self,
        workspace: &Utf8Path,
        change: impl FnOnce(&mut Remembered),
    ) -> anyhow::Result<()> {
        let before = self.load(workspace);
        let mut after = before.clone();
        change(&mut after);
        if after == before && self.file(workspace).exists() {
            return Ok(());
        }
        write_json(&self.file(workspace), &after)
    }

    /// Everything that is remembered.
    pub(crate) fn all(&self) -> Vec<Remembered> {
        let Ok(entries) = fs::read_dir(self.dir.join("workspaces")) else { return vec![] };
        let files = entries.filter_map(Result::ok).map(|entry| entry.path());
        files.filter_map(|file| serde_json::from_slice(&fs::read(file).ok()?).ok()).collect()
    }

    /// Holds a lock of this name until the result is dropped; a second holder waits, and is told so through `waiting`.
    pub(crate) fn lock(&self, name: &str, waiting: impl FnOnce()) -> anyhow::Result<fs::File> {
        let folder = self.dir.join("locks");
        fs::create_dir_all(&folder).with_context(|| format!("failed to create `{folder}`"))?;
        let path = folder.join(name);
        let file = fs::File::create(&path).with_context(|| format!("failed to open `{path}`"))?;
        if file.try_lock().is_err() {
            waiting();
            file.lock().with_context(|| format!("failed to lock `{path}`"))?;
        }
        Ok(file)
    }

    /// A lock on one kind of work on one workspace.
    pub(crate) fn lock_workspace(
        &self,
        work: &str,
        workspace: &Utf8Path,
        waiting: impl FnOnce(),
    ) -> anyhow::Result<fs::File> {
        self.lock(&format!("{work}-{}", key(workspace)), waiting)
    }

    fn file(&self, workspace: &Utf8Path) -> Utf8PathBuf {
        self.dir.join("workspaces").join(format!("{}.json", key(workspace)))
    }
}

/// A workspace in the name of a file.
fn key(workspace: &Utf8Path) -> String {
    sha256(workspace.as_str())[..16].to_owned()
}

/// Writes a JSON file beside its place and renames it.
pub(crate) fn write_json(path: &Utf8Path, value: &impl Serialize) -> anyhow::Result<()> {
    let folder = path.parent().context("a file has a folder")?;
    fs::create_dir_all(folder).with_context(|| format!("failed to create `{folder}`"))?;
    let mut file =
        tempfile::NamedTempFile::new_in(folder).with_context(|| format!("failed to write in `{folder}`"))?;
    serde_json::to_writer_pretty(&mut file, value)?;
    file.persist(path).with_context(|| format!("failed to write `{path}`"))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_back_and_rubbish_is_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let state = State::at(Utf8Path::from_path(dir.path()).unwrap());
        let workspace = Utf8Path::new("/w/приложение");
        assert_eq!(state.load(workspace).name, None);
        state.update(workspace, |known| known.name = Some("ao-sandbox-app".into())).unwrap();
        assert_eq!(state.load(workspace).name.as_deref(), Some("ao-sandbox-app"));
        assert_eq!(state.all().len(), 1);
        fs::write(state.file(workspace), "{").unwrap();
        assert_eq!(state.load(workspace).name, None);
    }
}
