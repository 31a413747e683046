//! `workflow release`: installs what was pushed into the sandbox, undoes it, and says what is installed.
//! The protocol is told in `install.rs` and `journal.rs`.

pub(crate) mod answer;
mod build_id;
mod check;
mod fault;
pub(crate) mod files;
mod firewall;
mod install;
mod journal;
mod manifest;
mod plan;
mod recover;
mod report;
mod store;
#[cfg(test)]
mod tests;
mod verify;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use clap::{Args, Subcommand};

use self::answer::Status;
use self::install::Source;
use self::store::Store;
use crate::render;

/// The exit code of an install that was tried and rolled back.
const ROLLED_BACK: u8 = 5;

/// How long an install waits for others.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// For another install to end.
    lock: Duration,
    /// For the firewall script.
    firewall: Duration,
    /// For the installed binary to say which build it is.
    build: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        let [lock, firewall, build] = [30, 20, 10].map(Duration::from_secs);
        Self { lock, firewall, build }
    }
}

/// What can be done with releases.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Install a release that was pushed; exit code 5 when it was rolled back
    Install(Install),
    /// Say which release is installed
    Status(StatusFlags),
    /// Return to the release before
    Rollback(Common),
    /// Undo or finish what a killed install left
    Recover(Common),
}

#[derive(Args)]
pub(crate) struct Common {
    /// The folder that stands for the root of the sandbox
    #[arg(long, value_name = "DIR", default_value = "/")]
    root: PathBuf,
    /// Answer with one line of JSON
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub(crate) struct Install {
    /// The release: the digest of its manifest
    release: String,
    /// The release that is believed to be installed; explains a mismatch
    #[arg(long, value_name = "RELEASE")]
    base: Option<String>,
    #[command(flatten)]
    common: Common,
}

#[derive(Args)]
pub(crate) struct StatusFlags {
    /// Read every file and compare it with the manifest
    #[arg(long)]
    verify: bool,
    #[command(flatten)]
    common: Common,
}

impl Command {
    /// Does what was asked.
    pub(crate) fn run(self) -> Result<ExitCode> {
        match self {
            Self::Install(flags) => flags.run(),
            Self::Status(flags) => flags.run(),
            Self::Rollback(common) => common.install(&Source::Previous),
            Self::Recover(common) => common.recover(),
        }
    }
}

impl Install {
    fn run(self) -> Result<ExitCode> {
        self.common.install(&Source::Pushed { release: &self.release, base: self.base.as_deref() })
    }
}

impl StatusFlags {
    fn run(self) -> Result<ExitCode> {
        let installed = verify::status(&Store::open(&self.common.root)?, self.verify)?;
        if self.common.json {
            render::json(&installed)?
        } else {
            render::line(&report::installed(&installed))
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl Common {
    fn install(self, source: &Source<'_>) -> Result<ExitCode> {
        let store = Store::open(&self.root)?;
        let (answer, error) = install::install(&store, source, &Limits::default());
        if self.json {
            render::json(&answer)?
        } else {
            render::line(&report::answer(&answer))
        }
        if let Some(error) = error.filter(|_| !self.json) {
            render::error(&error);
        }
        Ok(match answer.status {
            Status::Installed | Status::Unchanged => ExitCode::SUCCESS,
            Status::RolledBack => ExitCode::from(ROLLED_BACK),
            Status::Refused | Status::BaseMismatch => ExitCode::FAILURE,
        })
    }

    fn recover(self) -> Result<ExitCode> {
        let store = Store::open(&self.root)?;
        let limits = Limits::default();
        let _lock = store.lock(limits.lock)?;
        let recovered = recover::recover(&store, &limits)?;
        if self.json {
            render::json(&recovered)?;
        } else if let Some(text) = report::recovered(&recovered) {
            render::note(&text);
        }
        Ok(ExitCode::SUCCESS)
    }
}
