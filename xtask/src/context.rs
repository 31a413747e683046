//! What every story is handed: where the repository is, where state is kept, how to talk, and the engine.

use std::sync::OnceLock;

use anyhow::Context as _;
use camino::{Utf8Path, Utf8PathBuf};

use crate::docker::Docker;
use crate::render::Ui;
use crate::state::State;

/// The surroundings of one run of `xtask`, read once at its start.
#[derive(Debug)]
pub(crate) struct Context {
    /// The root of this repository.
    pub(crate) root: Utf8PathBuf,
    /// The folder the person stands in.
    pub(crate) cwd: Utf8PathBuf,
    pub(crate) ui: Ui,
    pub(crate) state: State,
    docker: OnceLock<Docker>,
}

impl Context {
    pub(crate) fn new(ui: Ui) -> anyhow::Result<Self> {
        let cwd = std::env::current_dir().context("failed to read the current folder")?;
        let cwd = Utf8PathBuf::try_from(cwd).context("the current folder's path is not UTF-8")?;
        Ok(Context { root: root(), cwd, ui, state: State::locate()?, docker: OnceLock::new() })
    }

    /// The engine's command line, with the socket it is to use; looked for at the first call.
    pub(crate) fn docker(&self) -> &Docker {
        self.docker.get_or_init(|| Docker::locate(self.ui))
    }

    /// The folder of the assets; `AO_SANDBOX_ASSETS` names another one, to try a change beside the checkout.
    pub(crate) fn assets(&self) -> Utf8PathBuf {
        let other = std::env::var("AO_SANDBOX_ASSETS").ok().filter(|path| !path.is_empty());
        other.map_or_else(|| self.root.join("sandbox-assets"), |path| self.cwd.join(path))
    }
}

/// The repository that this `xtask` belongs to: the parent of its own package. Cargo says where that is at run time, which
/// stays right when the checkout has been moved since the build.
fn root() -> Utf8PathBuf {
    let package =
        std::env::var("CARGO_MANIFEST_DIR").unwrap_or_else(|_| env!("CARGO_MANIFEST_DIR").to_owned());
    Utf8Path::new(&package).parent().map_or_else(|| Utf8PathBuf::from("."), Utf8Path::to_owned)
}

/// The person's home folder, where there is one.
pub(crate) fn home() -> Option<Utf8PathBuf> {
    let home = std::env::home_dir()?;
    Utf8PathBuf::try_from(home).ok().filter(|home| !home.as_str().is_empty())
}
