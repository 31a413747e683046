//! The packet rules: fills `templates/ruleset.nft`. Knows nft's syntax and nothing of files.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::net::IpAddr;

use anyhow::Result;

use super::cidr::{Cidr, merged};
use super::policy::{Direct, Policy, To};
use super::private;
use super::slots::{State, listeners};
use super::system::{EMBEDDED, System};
use super::template::fill;

const TEMPLATE: &str = include_str!("templates/ruleset.nft");
/// Marks of connections that belong to no single rule.
const MARK_PROXY: u32 = 1;
const MARK_DNS: u32 = 2;
const MARK_PUBLISHED: u32 = 3;
/// What nft allows for the prefix of a log line is 127 characters.
const LABEL_MAX: usize = 110;
/// The sets of addresses given for allowed names, one for each generation.
const WEB: [&str; 2] = ["web_a", "web_b"];

/// The names of the sets of a rule for SSH, in the order of [`WEB`].
pub(crate) fn ssh_sets(direct: &Direct) -> [String; 2] {
    ["a", "b"].map(|end| format!("ssh_{:08x}_{end}", direct.mark))
}

/// The sets that belong to single rules.
pub(crate) fn own_sets(policy: &Policy) -> BTreeSet<String> {
    let named = policy.direct.iter().filter(|direct| matches!(direct.to, To::Name { .. }));
    named.flat_map(ssh_sets).collect()
}

/// The ruleset, to be loaded by one `nft -f`; `before` is the state of the rules in the kernel.
///
/// # Errors
/// When template and code disagree.
pub(crate) fn ruleset(policy: &Policy, system: &System, state: &State, before: &State) -> Result<String> {
    let (dns, web) = (state.dns.ports(), state.web.ports());
    // Added first, so that it can be deleted whether it is there or not: this ruleset may be loaded again to go back to it.
    let stale = before.sets.difference(&state.sets);
    let stale = stale.map(|set| {
        format!("{}\ndelete set inet ao_sandbox {set}", empty_set("add set inet ao_sandbox", set))
    });
    let live = [MARK_PROXY, MARK_DNS].into_iter().chain(policy.marks().into_keys());
    let proxied = std::iter::once(443).chain(policy.named_ports());
    fill(
        TEMPLATE,
        &[
            ("stale_sets", lines(stale)),
            ("sets", sets(state)),
            ("uid_haproxy", system.haproxy.to_string()),
            ("uid_dnsmasq", system.dnsmasq.to_string()),
            ("proxied_ports", list(proxied)),
            ("listeners", list(listeners())),
            ("direct", direct(policy, system)),
            ("known_address", known(policy, "", "accept")),
            ("embedded_nat", embedded(system, "accept")),
            ("port_dns", dns.dns.to_string()),
            ("known_http", known(policy, "tcp dport 80 ", &format!("redirect to :{}", web.http))),
            ("port_refuse", web.refuse.to_string()),
            ("port_tls", web.tls.to_string()),
            ("named_nat", named_nat(policy, web.any)),
            ("live", list(live.map(|mark| format!("{mark:#010x}")))),
            ("mark_published", MARK_PUBLISHED.to_string()),
            ("upstream", upstream(system)),
            ("private_guard", private_guard(policy, system, "")),
            ("proxy_out", proxy_out(policy)),
            ("published", published(system)),
        ],
    )
}

/// Empties one generation of every set: `a` or `b`.
pub(crate) fn rotation(state: &State, generation: char) -> String {
    let own = state.sets.iter().map(String::as_str);
    let all = WEB.into_iter().chain(own).filter(|set| set.ends_with(generation));
    lines(all.map(|set| format!("flush set inet ao_sandbox {set}")))
}

fn sets(state: &State) -> String {
    let all = WEB.into_iter().chain(state.sets.iter().map(String::as_str));
    lines(all.map(|set| empty_set("    set", set)))
}

fn empty_set(command: &str, set: &str) -> String {
    format!("{command} {set} {{ type ipv4_addr; size 65535; flags dynamic; }}")
}

/// One rule for each way an address can be known.
fn known(policy: &Policy, condition: &str, verdict: &str) -> String {
    let sets = WEB.map(|set| format!("        {condition}ip daddr @{set} {verdict}"));
    lines(sets.into_iter().chain(fixed(&policy.fixed, condition, verdict)))
}

/// As [`known`], and an address in use is put into the other generation too, so that it stays known.
fn proxy_out(policy: &Policy) -> String {
    let accept = format!("ct mark set {MARK_PROXY} accept");
    lines(refreshed(WEB, "", &accept).into_iter().chain(fixed(&policy.fixed, "", &accept)))
}

fn refreshed(sets: [&str; 2], condition: &str, verdict: &str) -> [String; 2] {
    let [a, b] = sets;
    [(a, b), (b, a)]
        .map(|(from, to)| format!("        {condition}ip daddr @{from} add @{to} {{ ip daddr }} {verdict}"))
}

/// Addresses from the hosts file. Names lead to IPv4 alone, as in the sets.
fn fixed<'a>(
    addresses: impl IntoIterator<Item = &'a IpAddr>,
    condition: &str,
    verdict: &str,
) -> Option<String> {
    let all: Vec<&IpAddr> = addresses.into_iter().filter(|address| address.is_ipv4()).collect();
    (!all.is_empty()).then(|| format!("        {condition}ip daddr {{ {} }} {verdict}", list(all)))
}

fn direct(policy: &Policy, system: &System) -> String {
    let ranges = policy.direct.iter().filter(|direct| matches!(direct.to, To::Range(_)));
    let names: Vec<&Direct> =
        policy.direct.iter().filter(|direct| matches!(direct.to, To::Name { .. })).collect();
    let mut text = lines(ranges.map(direct_rule));
    if !names.is_empty() {
        // A range says its addresses itself; a name may point anywhere, so private ones are refused first.
        text.push_str(&private_guard(policy, system, "tcp dport 22 "));
    }
    text + &lines(names.into_iter().map(direct_rule))
}

fn direct_rule(direct: &Direct) -> String {
    let label: String = direct.text.chars().take(LABEL_MAX).collect();
    let log = format!(
        "limit rate 20/second burst 50 packets log prefix \"allowed {label}\" group 1 queue-threshold 1"
    );
    let accept = format!("ct mark set {:#010x}", direct.mark);
    let ports = format!("tcp dport {{ {} }} ", list(&direct.ports));
    let mut rules = Vec::new();
    match &direct.to {
        To::Range(cidr) => {
            let ip = if cidr.is_ipv4() { "ip daddr" } else { "ip6 daddr" };
            rules.push(format!("        {ip} {cidr} {ports}{accept}"));
        }
        To::Name { fixed, .. } => {
            let [a, b] = ssh_sets(direct);
            rules.extend(refreshed([&a, &b], &ports, &accept));
            rules.extend(self::fixed(fixed, &ports, &accept));
        }
    }
    rules.push(format!("        ct mark {:#010x} {log}", direct.mark));
    rules.push(format!("        ct mark {:#010x} accept", direct.mark));
    lines(rules)
}

/// Private addresses are refused but for the ranges that entries open.
fn private_guard(policy: &Policy, system: &System, condition: &str) -> String {
    let gateways = system.gateways.iter().map(|address| Cidr::single(*address));
    let closed = split(merged(private::ranges().into_iter().chain(gateways)));
    let open: Vec<(&str, String)> = split(policy.private.iter().copied()).collect();
    lines(closed.map(|(ip, all)| {
        let except = open.iter().find(|(family, _)| *family == ip);
        let except = except.map(|(_, open)| format!("{ip} != {{ {open} }} ")).unwrap_or_default();
        format!("        {condition}{ip} {{ {all} }} {except}goto refuse")
    }))
}

fn named_nat(policy: &Policy, port: u16) -> String {
    let ports = policy.named_ports();
    if ports.is_empty() {
        return String::new();
    }
    format!("        tcp dport {{ {} }} redirect to :{port}", list(ports))
}

/// Only our resolver asks upstream, and Docker's on its behalf.
fn upstream(system: &System) -> String {
    let servers = system.resolvers.iter().filter(|address| **address != EMBEDDED);
    let own = split(servers.map(|address| Cidr::single(*address))).map(|(ip, all)| {
        let uid = system.dnsmasq;
        format!("        meta skuid {uid} meta l4proto {{ tcp, udp }} th dport 53 {ip} {{ {all} }} ct mark set {MARK_DNS} accept")
    });
    lines(own) + &embedded(system, &format!("ct mark set {MARK_DNS} accept"))
}

fn embedded(system: &System, verdict: &str) -> String {
    if !system.embedded() {
        return String::new();
    }
    let question = "meta skuid 0 meta l4proto { tcp, udp } th dport 53";
    if system.external.is_empty() {
        return format!(
            "        {question} ip daddr != 127.0.0.0/8 {verdict}\n        {question} ip6 daddr != ::1 {verdict}\n"
        );
    }
    let servers = split(system.external.iter().map(|address| Cidr::single(*address)));
    lines(servers.map(|(ip, all)| format!("        {question} {ip} {{ {all} }} {verdict}")))
}

fn published(system: &System) -> String {
    let one = |(protocol, port): &(&str, u16)| {
        format!("        ct state new {protocol} dport {port} ct mark set {MARK_PUBLISHED} accept")
    };
    lines(system.published.iter().map(one))
}

/// The two families apart, each with its selector and as the inside of an nft set; a family without ranges is absent.
fn split(ranges: impl IntoIterator<Item = Cidr>) -> impl Iterator<Item = (&'static str, String)> {
    let (v4, v6): (Vec<Cidr>, Vec<Cidr>) = merged(ranges).into_iter().partition(|cidr| cidr.is_ipv4());
    let both = [("ip daddr", v4), ("ip6 daddr", v6)];
    both.into_iter().filter(|(_, all)| !all.is_empty()).map(|(ip, all)| (ip, list(all)))
}

fn list(items: impl IntoIterator<Item = impl Display>) -> String {
    items.into_iter().map(|item| item.to_string()).collect::<Vec<_>>().join(", ")
}

fn lines(items: impl IntoIterator<Item = String>) -> String {
    items.into_iter().map(|line| line + "\n").collect()
}

#[cfg(test)]
#[path = "nft_tests.rs"]
mod tests;
