//! What `release install`, `rollback`, `status` and `version` answer in JSON. `xtask` reads these shapes, so
//! they depend on nothing but serde, and a field is never renamed or dropped within one manifest version.

use serde::{Deserialize, Serialize};

use super::manifest::Entry;

/// How an install or a rollback ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Status {
    /// The release is installed.
    Installed,
    /// It was installed already, to the byte; nothing was touched.
    Unchanged,
    /// The install was tried and failed; the old files and rules are back.
    RolledBack,
    /// The install was not begun; nothing changed.
    Refused,
    /// Files that were not pushed are not on disk either; nothing changed. Push those of `missing`.
    BaseMismatch,
}

/// The answer of an install or a rollback.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Answer {
    /// How it ended.
    pub(crate) status: Status,
    /// The release that was asked for.
    pub(crate) release: String,
    /// The release that was installed when the command began.
    pub(crate) previous: Option<String>,
    /// Every file of the release, and those that went with the one before.
    pub(crate) files: Vec<FileResult>,
    /// The firewall's run, if there was one.
    pub(crate) firewall: Option<Firewall>,
    /// What the installed binary says of itself.
    pub(crate) build: Option<Build>,
    /// Whether `/opt/entrypoint.sh` changed, which takes effect at the next restart.
    pub(crate) entrypoint_changed: bool,
    /// With [`Status::BaseMismatch`]: all files a further push has to bring.
    pub(crate) missing: Vec<String>,
    /// Why it was refused or rolled back.
    pub(crate) error: Option<String>,
}

impl Answer {
    /// The answer of something that has not been begun.
    pub(crate) fn refused(release: &str) -> Self {
        Self {
            status: Status::Refused,
            release: release.to_owned(),
            previous: None,
            files: Vec::new(),
            firewall: None,
            build: None,
            entrypoint_changed: false,
            missing: Vec::new(),
            error: None,
        }
    }
}

/// What happened to one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FileResult {
    /// Its place.
    pub(crate) path: String,
    /// What was done.
    pub(crate) action: Action,
    /// Its length in bytes; of a removed file, the length it had.
    pub(crate) size: u64,
}

/// What an install did to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Action {
    /// Written anew.
    Pushed,
    /// Was there already with the right content, owner and mode.
    Unchanged,
    /// The new release does not have it.
    Removed,
}

/// A run of `/opt/init-firewall.sh`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Firewall {
    /// Whether it was started at all.
    pub(crate) ran: bool,
    /// Whether it ended well.
    pub(crate) ok: bool,
    /// How long it took.
    pub(crate) millis: u64,
    /// The end of its stderr; when it failed, after the reason.
    pub(crate) message: String,
}

/// `workflow version --json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Build {
    /// Version of the package.
    pub(crate) version: String,
    /// The commit it was built from, if the build said so.
    pub(crate) commit: Option<String>,
    /// Whether the tree had changes beside that commit.
    pub(crate) dirty: bool,
    /// The target triple.
    pub(crate) target: String,
    /// The cargo profile.
    pub(crate) profile: String,
    /// SHA-256 of the running file.
    pub(crate) build: String,
}

/// The answer of `release status`: the installed manifest and what is known of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Installed {
    /// Version of the manifest.
    pub(crate) version: u32,
    /// The installed release; none in a container that never had one.
    pub(crate) release: Option<String>,
    /// Its files.
    pub(crate) files: Vec<Entry>,
    /// With `--verify`: whether every file is on disk with that content, owner and mode.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ok: Option<bool>,
    /// With `--verify`: the paths that are not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) differing: Option<Vec<String>>,
    /// The release that `release rollback` returns to.
    pub(crate) previous: Option<String>,
    /// Whether an install was broken off and waits to be undone.
    pub(crate) interrupted: bool,
}
