//! Slots: each daemon can run twice side by side, as `a` and `b`, so that a new configuration is tried by a running daemon
//! while the old one still serves; the packet rules then point at the new one.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Slot {
    /// The first, also that of a fresh start.
    #[default]
    A,
    /// The second.
    B,
}

/// Where the daemons of a slot listen. Above the range from which the kernel takes ports for connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ports {
    /// The resolver.
    pub(crate) dns: u16,
    /// The proxy for port 80.
    pub(crate) http: u16,
    /// The proxy for port 443.
    pub(crate) tls: u16,
    /// The proxy for other ports.
    pub(crate) any: u16,
    /// The proxy's refusal for port 80.
    pub(crate) refuse: u16,
}

impl Slot {
    /// The other one.
    pub(crate) fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }

    /// Its ports.
    pub(crate) fn ports(self) -> Ports {
        match self {
            Self::A => Ports { dns: 61053, http: 61080, tls: 61443, any: 61444, refuse: 61403 },
            Self::B => Ports { dns: 61153, http: 61180, tls: 61543, any: 61544, refuse: 61503 },
        }
    }

    /// The service of a daemon in this slot, such as `dnsmasq-a`.
    pub(crate) fn service(self, daemon: &str) -> String {
        let letter = match self {
            Self::A => 'a',
            Self::B => 'b',
        };
        format!("{daemon}-{letter}")
    }
}

/// Every port that serves a redirect.
pub(crate) fn listeners() -> BTreeSet<u16> {
    let all = [Slot::A.ports(), Slot::B.ports()];
    all.iter().flat_map(|ports| [ports.dns, ports.http, ports.tls, ports.any, ports.refuse]).collect()
}

/// What a rendered folder says of itself (`state.json`), for the one that is rendered after it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct State {
    /// The resolver's slot.
    pub(crate) dns: Slot,
    /// The proxy's slot.
    pub(crate) web: Slot,
    /// The marks of rules by address, with their entries.
    pub(crate) direct: BTreeMap<u32, String>,
    /// The nft sets that belong to single rules.
    pub(crate) sets: BTreeSet<String>,
}

impl State {
    /// Reads that of a rendered folder.
    ///
    /// # Errors
    /// When there is none, or it was written by another version.
    pub(crate) fn read(folder: &Path) -> Result<Self> {
        let path = folder.join("state.json");
        let text =
            fs::read_to_string(&path).with_context(|| format!("failed to read `{}`", path.display()))?;
        serde_json::from_str(&text).with_context(|| format!("failed to read `{}` as JSON", path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_port_serves_two_things_nor_lies_where_the_kernel_takes_its_own() {
        assert_eq!(listeners().len(), 10);
        assert!(listeners().iter().all(|port| *port > 60999));
    }
}
