//! Where things are: every file of the network policy, below a root that tests can move.

use std::path::{Path, PathBuf};

/// The container's root folder, or a stand-in for it.
#[derive(Debug, Clone)]
pub(crate) struct Paths {
    root: PathBuf,
}

impl Paths {
    /// Below `root`.
    pub(crate) fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// A path of the container, given as an absolute one.
    pub(crate) fn at(&self, absolute: &str) -> PathBuf {
        self.root.join(absolute.trim_start_matches('/'))
    }

    /// The allowlists, in order: what the release brings, then what this sandbox adds.
    pub(crate) fn allowlists(&self) -> [PathBuf; 2] {
        [self.at("/etc/ao-sandbox/allowlist"), self.at("/var/lib/ao-sandbox/allowlist")]
    }

    /// The policy in force: a link to the folder that was rendered last and passed its checks.
    pub(crate) fn current(&self) -> PathBuf {
        self.at("/run/ao-sandbox/network")
    }

    /// The folder that a daemon reads, such as `dnsmasq-a`.
    pub(crate) fn daemon(&self, name: &str) -> PathBuf {
        self.at("/run/ao-sandbox").join(name)
    }

    /// The folder in which s6 supervises a service.
    pub(crate) fn service(&self, name: &str) -> PathBuf {
        self.at("/run/service").join(name)
    }

    /// How a file is called in messages: as the container sees it.
    pub(crate) fn shown(&self, path: &Path) -> String {
        let inside = path.strip_prefix(&self.root).unwrap_or(path);
        format!("/{}", inside.display().to_string().trim_start_matches('/'))
    }
}
