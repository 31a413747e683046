//! The ruleset as text. Whether nft takes it, and whether packets obey, is for the end-to-end tests.

use super::super::policy::tests::{rules, system};
use super::*;

fn state(policy: &Policy) -> State {
    State { sets: own_sets(policy), ..State::default() }
}

fn rendered(lines: &[&str], system: &System) -> String {
    let policy = Policy::new(&rules(lines), system);
    ruleset(&policy, system, &state(&policy), &State::default()).unwrap()
}

fn chain<'a>(text: &'a str, name: &str) -> &'a str {
    let (_, rest) = text.split_once(&format!("chain {name} {{")).unwrap();
    rest.split_once("\n    }").unwrap().0
}

#[test]
fn every_base_chain_but_the_early_and_the_redirecting_one_drops_by_default() {
    let text = rendered(&[], &system());
    assert_eq!(text.matches("policy drop;").count(), 3);
    for name in ["output", "input", "forward"] {
        assert!(chain(&text, name).contains("policy drop;"), "{name}");
    }
    assert!(chain(&text, "early").trim_end().ends_with("goto refuse"));
    assert!(chain(&text, "output").trim_end().ends_with("goto refuse"));
    assert!(chain(&text, "proxy_out").trim_end().ends_with("goto refuse"));
}

#[test]
fn the_sets_of_a_rule_that_is_gone_are_deleted_after_the_rules_that_used_them() {
    let before = state(&Policy::new(&rules(&["c.example:22"]), &system()));
    let policy = Policy::new(&rules(&["d.example:22"]), &system());
    let text = ruleset(&policy, &system(), &state(&policy), &before).unwrap();
    assert_eq!(text.matches("delete set inet ao_sandbox ssh_").count(), 2);
    assert_eq!(text.matches("add set inet ao_sandbox ssh_").count(), 2);
    assert!(text.find("flush table").unwrap() < text.find("delete set").unwrap());
    assert!(!text.contains("flush set"), "what the resolver gave must survive");
}

#[test]
fn the_mark_of_a_rule_that_is_gone_is_not_live() {
    let text = rendered(&["10.0.0.0/8:5432"], &system());
    let mark = format!("{:#010x}", Policy::new(&rules(&["10.0.0.0/8:5432"]), &system()).direct[0].mark);
    assert!(chain(&text, "output").contains(&mark) && chain(&text, "input").contains(&mark));
    assert!(!rendered(&[], &system()).contains(&mark));
}

#[test]
fn a_private_range_opens_itself_alone_and_gateways_are_private() {
    let mut system = system();
    system.gateways = vec!["198.18.0.1".parse().unwrap()];
    let text = rendered(&["a.example private=10.1.0.0/16"], &system);
    let guard = chain(&text, "proxy_out");
    assert!(guard.contains("198.18.0.1/32"));
    assert!(guard.contains("ip daddr != { 10.1.0.0/16 } goto refuse"));
    assert!(guard.contains("fc00::/7") && !guard.contains("ip6 daddr != {"));
}

#[test]
fn root_may_ask_upstream_only_where_dockers_resolver_is_in_use() {
    assert!(!rendered(&[], &system()).contains("skuid 0 "));
    let mut system = system();
    system.resolvers = vec![EMBEDDED.into()];
    assert_eq!(rendered(&[], &system).matches("skuid 0 ").count(), 4);
    system.external = vec!["192.0.2.54".parse().unwrap()];
    let text = rendered(&[], &system);
    assert_eq!(text.matches("skuid 0 ").count(), 2);
    assert!(text.contains("{ 192.0.2.54/32 }"));
}

#[test]
fn names_with_fixed_addresses_and_published_ports_have_their_rules() {
    let mut system = system();
    system.hosts = vec![("192.0.2.9".parse().unwrap(), "host.example".to_owned())];
    system.published = vec![("tcp", 8080), ("udp", 5353)];
    let text = rendered(&["host.example:9000 private=192.0.2.9", "host.example:22"], &system);
    for name in ["known_address", "proxy_out", "direct", "redirect_out"] {
        assert!(chain(&text, name).contains("{ 192.0.2.9 }"), "{name}");
    }
    assert!(chain(&text, "early").contains("tcp dport { 443, 9000 }"));
    assert!(chain(&text, "redirect_out").contains("tcp dport { 9000 } redirect to :61444"));
    assert!(chain(&text, "input").contains("udp dport 5353"));
}

#[test]
fn a_rotation_empties_one_generation_of_every_set() {
    let policy = Policy::new(&rules(&["c.example:22"]), &system());
    let text = rotation(&state(&policy), 'a');
    assert_eq!(text.lines().count(), 2);
    assert!(text.lines().all(|line| line.ends_with('a')));
}
