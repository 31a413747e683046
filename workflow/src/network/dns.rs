//! The resolver's configuration: fills `templates/dnsmasq.conf`. Knows dnsmasq's syntax and nothing of files.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::Path;

use anyhow::Result;
use sha2::{Digest, Sha256};

use super::name::NamePattern;
use super::nft::ssh_sets;
use super::policy::{Policy, To};
use super::slots::Slot;
use super::system::System;
use super::template::fill;

const TEMPLATE: &str = include_str!("templates/dnsmasq.conf");
/// Every answer goes into both generations: whatever is answered at all is an allowed name.
const WEB_SETS: &str = "4#inet#ao_sandbox#web_a,4#inet#ao_sandbox#web_b";

/// What the resolver in `slot` reads once; `dir` is its folder.
///
/// # Errors
/// When template and code disagree.
pub(crate) fn configuration(policy: &Policy, system: &System, slot: Slot, dir: &Path) -> Result<String> {
    let listen = if system.ipv6_loopback { "127.0.0.1,::1" } else { "127.0.0.1" };
    fill(
        TEMPLATE,
        &[
            ("port", slot.ports().dns.to_string()),
            ("listen", listen.to_owned()),
            ("rebind", policy.rebind.iter().map(|name| format!("rebind-domain-ok=/{name}/\n")).collect()),
            ("nftsets", nftsets(policy)),
            ("servers_file", dir.join("servers").display().to_string()),
        ],
    )
}

fn nftsets(policy: &Policy) -> String {
    let mut text = String::new();
    for direct in &policy.direct {
        if let To::Name { name, .. } = &direct.to {
            let own = ssh_sets(direct).map(|set| format!("4#inet#ao_sandbox#{set}"));
            text.push_str(&format!("nftset=/{name}/{},{WEB_SETS}\n", own.join(",")));
        }
    }
    text + &format!("nftset=/#/{WEB_SETS}\n")
}

/// The names, which a running resolver reads again. The last line tells by an answer that they are in force: the resolver says
/// of that name, and of no other below `policy.ao-sandbox.invalid`, that it does not exist.
pub(crate) fn servers_file(policy: &Policy, system: &System) -> String {
    let text = servers(&policy.names, &system.resolvers);
    let marker = marker(&text);
    format!("{text}server=/{marker}/\n")
}

/// The name that stands for exactly these names.
fn marker(servers: &str) -> String {
    let digest = Sha256::digest(servers.as_bytes());
    let hex: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    format!("{hex}.policy.ao-sandbox.invalid")
}

/// The marker of a names file that was rendered.
pub(crate) fn marker_of(servers_file: &str) -> Option<&str> {
    servers_file.lines().last()?.strip_prefix("server=/")?.strip_suffix('/')
}

/// An exact name is forwarded and what is below it answered as absent, unless a wildcard above it is allowed.
fn servers(names: &BTreeSet<NamePattern>, resolvers: &[IpAddr]) -> String {
    let mut text = String::new();
    for pattern in names {
        for resolver in resolvers {
            text.push_str(&format!("server=/{pattern}/{resolver}\n"));
        }
        if let NamePattern::Exact(name) = pattern
            && !below_is_open(name, names)
        {
            text.push_str(&format!("server=/*.{name}/\n"));
        }
    }
    text
}

/// Whether `*.name`, or a wildcard further up, is among the names.
fn below_is_open(name: &str, names: &BTreeSet<NamePattern>) -> bool {
    let mut above = Some(name);
    while let Some(base) = above {
        if names.contains(&NamePattern::Below(base.to_owned())) {
            return true;
        }
        above = base.split_once('.').map(|(_, rest)| rest);
    }
    false
}

#[cfg(test)]
mod tests {
    use super::super::policy::tests::{rules, system};
    use super::*;

    fn rendered(lines: &[&str]) -> String {
        let policy = Policy::new(&rules(lines), &system());
        let once = configuration(&policy, &system(), Slot::B, Path::new("/d")).unwrap();
        format!("{once}{}", servers_file(&policy, &system()))
    }

    #[test]
    fn each_set_of_names_has_a_marker_of_its_own() {
        let files = [&["a.example"][..], &["b.example"]]
            .map(|lines| servers_file(&Policy::new(&rules(lines), &system()), &system()));
        let markers = files.each_ref().map(|file| marker_of(file).unwrap());
        assert_ne!(markers[0], markers[1]);
        assert!(markers[0].ends_with(".policy.ao-sandbox.invalid"));
        assert_eq!(marker_of("server=/a.example/192.0.2.53\n"), None);
    }

    #[test]
    fn nothing_is_forwarded_that_no_entry_names() {
        let text = rendered(&[]);
        assert_eq!(text.matches("server=").count(), 1, "the marker alone");
        assert!(text.contains("no-resolv") && text.contains("stop-dns-rebind"));
        assert!(text.contains("port=61153\n") && text.contains("filter-AAAA\n"));
    }

    #[test]
    fn below_an_exact_name_nothing_is_asked_unless_a_wildcard_says_so() {
        let text = rendered(&["a.example.com", "b.other.net", "*.example.com"]);
        assert!(text.contains("server=/a.example.com/192.0.2.53\n"));
        assert!(text.contains("server=/*.example.com/192.0.2.53\n"));
        assert!(!text.contains("server=/*.a.example.com/\n"));
        assert!(text.contains("server=/*.b.other.net/\n"));
    }

    #[test]
    fn only_an_entry_with_private_lifts_the_guard_against_rebinding() {
        let text = rendered(&["a.example", "m.corp.example private=10.0.0.0/8", "g.example:22"]);
        assert_eq!(text.matches("rebind-domain-ok=").count(), 1);
        assert!(text.contains("rebind-domain-ok=/m.corp.example/"));
        assert!(text.contains("nftset=/g.example/4#inet#ao_sandbox#ssh_"));
    }
}
