//! The rules compiled: what the proxy, the resolver and the packet filter each need to know of the allowlist.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use serde::Serialize;
use sha2::{Digest, Sha256};

use super::cidr::{Cidr, merged};
use super::entry::{Entry, SSH_PORT};
use super::name::NamePattern;
use super::private::is_private;
use super::sources::{Origin, Rule};
use super::system::System;

/// Ports of an entry that names none.
const WEB_PORTS: [u16; 2] = [443, 80];
/// The bit that tells the mark of a rule from the marks of the machinery.
pub(crate) const MARK_BIT: u32 = 0x8000_0000;

/// A name and port that the proxy lets pass.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct WebKey {
    /// Which names.
    pub(crate) pattern: NamePattern,
    /// On which port.
    pub(crate) port: u16,
}

impl WebKey {
    /// The proxy's name for it, also what its log calls the rule: `*` is no character of a server's name.
    pub(crate) fn server(&self) -> String {
        match &self.pattern {
            NamePattern::Exact(name) => format!("{name}:{}", self.port),
            NamePattern::Below(name) => format!("_.{name}:{}", self.port),
        }
    }
}

/// What is opened by address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Direct {
    /// The entry, as logs show it.
    pub(crate) text: String,
    /// The connection mark: the same for the same entry, always.
    pub(crate) mark: u32,
    /// Ports.
    pub(crate) ports: Vec<u16>,
    /// Which addresses.
    pub(crate) to: To,
}

/// The addresses of a [`Direct`] rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum To {
    /// A range.
    Range(Cidr),
    /// Whatever the resolver gives for a name, and what the hosts file says.
    Name {
        /// The name.
        name: String,
        /// Addresses from the hosts file.
        fixed: Vec<IpAddr>,
    },
}

/// The compiled allowlist.
#[derive(Debug, Default)]
pub(crate) struct Policy {
    /// What the proxy lets pass.
    pub(crate) web: BTreeSet<WebKey>,
    /// What is opened by address.
    pub(crate) direct: Vec<Direct>,
    /// The names that the resolver forwards.
    pub(crate) names: BTreeSet<NamePattern>,
    /// Names whose answers may be private addresses.
    pub(crate) rebind: BTreeSet<String>,
    /// The private ranges that some entry opens.
    pub(crate) private: Vec<Cidr>,
    /// Addresses of allowed names from the hosts file.
    pub(crate) fixed: BTreeSet<IpAddr>,
    /// Each rule with its origin, for logs and questions.
    pub(crate) listed: Vec<Listed>,
    /// What the person should know.
    pub(crate) warnings: Vec<String>,
}

/// A rule as `rules.json` has it: logs name servers and marks, and this says which line that was.
#[derive(Debug, Serialize)]
pub(crate) struct Listed {
    /// The entry.
    pub(crate) entry: String,
    /// Where it stands.
    #[serde(flatten)]
    pub(crate) origin: Origin,
    /// What the proxy's log calls it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) servers: Vec<String>,
}

impl Policy {
    /// Compiles `rules` for a container that is `system`.
    pub(crate) fn new(rules: &[Rule], system: &System) -> Self {
        let mut policy = Self::default();
        for rule in rules {
            let servers = policy.add(&rule.entry, system);
            policy.listed.push(Listed {
                entry: rule.entry.to_string(),
                origin: rule.origin.clone(),
                servers,
            });
        }
        policy.private = merged(std::mem::take(&mut policy.private));
        policy.warn_of_private(rules, system);
        policy
    }

    /// Ports beside 80 and 443 whose connections go to the proxy.
    pub(crate) fn named_ports(&self) -> BTreeSet<u16> {
        self.web.iter().map(|key| key.port).filter(|port| !WEB_PORTS.contains(port)).collect()
    }

    /// The marks of all connections by address that are allowed, with their entries.
    pub(crate) fn marks(&self) -> BTreeMap<u32, &str> {
        self.direct.iter().map(|direct| (direct.mark, direct.text.as_str())).collect()
    }

    fn add(&mut self, entry: &Entry, system: &System) -> Vec<String> {
        match entry {
            Entry::Net { cidr, port } => {
                let ports = port.map_or(WEB_PORTS.to_vec(), |port| vec![port]);
                self.add_direct(entry, ports, To::Range(*cidr));
                Vec::new()
            }
            Entry::Name { pattern, port, private } => {
                self.names.insert(pattern.clone());
                self.private.extend(private);
                if !private.is_empty() {
                    self.rebind.insert(pattern.base().to_owned());
                }
                let fixed = fixed(pattern, system);
                match (pattern, port) {
                    (NamePattern::Exact(name), Some(SSH_PORT)) => {
                        self.add_direct(entry, vec![SSH_PORT], To::Name { name: name.clone(), fixed });
                        Vec::new()
                    }
                    _ => {
                        self.fixed.extend(fixed);
                        self.add_web(pattern, *port)
                    }
                }
            }
        }
    }

    fn add_web(&mut self, pattern: &NamePattern, port: Option<u16>) -> Vec<String> {
        let ports = port.map_or(WEB_PORTS.to_vec(), |port| vec![port]);
        let keys = ports.into_iter().map(|port| WebKey { pattern: pattern.clone(), port });
        let names = keys.clone().map(|key| key.server()).collect();
        self.web.extend(keys);
        names
    }

    fn add_direct(&mut self, entry: &Entry, ports: Vec<u16>, to: To) {
        let text = entry.to_string().split(' ').next().unwrap_or_default().to_owned();
        self.direct.push(Direct { mark: mark(&text), text, ports, to });
    }

    /// A name of the hosts file at a private address stays closed unless its entry opens it: say how.
    fn warn_of_private(&mut self, rules: &[Rule], system: &System) {
        for (address, name) in &system.hosts {
            let one = Cidr::single(*address);
            let closed = (is_private(*address) || system.gateways.contains(address))
                && !self.private.iter().any(|open| open.contains(one));
            for rule in rules.iter().filter(|_| closed) {
                let Entry::Name { pattern, .. } = &rule.entry else { continue };
                if pattern.covers(name) {
                    let Origin { file, line, .. } = &rule.origin;
                    self.warnings.push(format!(
                        "{file}:{line}: `{name}` is at {address}, a private address; `private={one}` would open it"
                    ));
                }
            }
        }
    }
}

fn fixed(pattern: &NamePattern, system: &System) -> Vec<IpAddr> {
    let covered = system.hosts.iter().filter(|(_, name)| pattern.covers(name));
    covered.map(|(address, _)| *address).filter(|address| !address.is_loopback()).collect()
}

/// 31 bits of the entry's digest, so that a rule keeps its mark over every change of the others.
fn mark(text: &str) -> u32 {
    let digest = Sha256::digest(text.as_bytes());
    u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]]) | MARK_BIT
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A container with nothing special about it.
    pub(crate) fn system() -> System {
        System {
            haproxy: 101,
            dnsmasq: 999,
            resolvers: vec!["192.0.2.53".parse().unwrap()],
            external: vec![],
            hosts: vec![],
            gateways: vec!["172.17.0.1".parse().unwrap()],
            ipv6: false,
            ipv6_loopback: true,
            published: vec![],
        }
    }

    /// The rules of some lines.
    pub(crate) fn rules(lines: &[&str]) -> Vec<Rule> {
        let origin = |line| Origin { file: "f".to_owned(), line, preset: None };
        let read = |text: &str| match text.parse().unwrap() {
            super::super::entry::Line::Entry(entry) => entry,
            other => panic!("{other}"),
        };
        lines.iter().enumerate().map(|(i, text)| Rule { entry: read(text), origin: origin(i + 1) }).collect()
    }

    #[test]
    fn a_name_of_the_hosts_file_at_a_private_address_is_told() {
        let mut system = system();
        system.hosts = vec![("172.17.0.1".parse().unwrap(), "host.docker.internal".to_owned())];
        let policy = Policy::new(&rules(&["host.docker.internal:8080"]), &system);
        assert!(
            policy.warnings[0].contains("`private=172.17.0.1/32` would open it"),
            "{:?}",
            policy.warnings
        );
        let policy = Policy::new(&rules(&["host.docker.internal:8080 private=172.17.0.0/16"]), &system);
        assert!(policy.warnings.is_empty());
        assert_eq!(policy.fixed.len(), 1);
    }

    #[test]
    fn an_entry_without_a_port_is_two_keys_and_ssh_is_none() {
        let policy =
            Policy::new(&rules(&["a.example", "*.b.example:8443", "c.example:22", "10.0.0.0/8"]), &system());
        let servers: Vec<String> = policy.web.iter().map(WebKey::server).collect();
        assert_eq!(servers, ["a.example:80", "a.example:443", "_.b.example:8443"]);
        assert_eq!(policy.named_ports().into_iter().collect::<Vec<_>>(), [8443]);
        assert_eq!(policy.direct.len(), 2);
        assert_eq!(policy.names.len(), 3);
        assert_eq!(policy.listed[0].servers, ["a.example:443", "a.example:80"]);
    }

    #[test]
    fn a_mark_depends_on_its_entry_alone() {
        let one = Policy::new(&rules(&["c.example:22"]), &system());
        let two = Policy::new(&rules(&["10.0.0.0/8", "c.example:22 private=10.0.0.0/8"]), &system());
        assert_eq!(one.direct[0].mark, two.direct[1].mark);
        assert!(one.direct[0].mark & MARK_BIT != 0);
    }
}
