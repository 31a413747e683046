//! The proxy's configuration and maps: fills `templates/haproxy.cfg`. Knows HAProxy's syntax and nothing of files.

use std::path::Path;

use anyhow::Result;

use super::name::NamePattern;
use super::policy::{Policy, WebKey};
use super::slots::Slot;
use super::template::fill;

const TEMPLATE: &str = include_str!("templates/haproxy.cfg");

/// One JSON object for each connection or refusal. What comes from outside goes through `json`; no query is logged.
const LOG_TCP: &str = r#"{"time":%Ts.%ms,"from":"web","rule":"%[var(txn.rule),json(utf8s)]","why":"%[var(txn.why),json(utf8s)]","host":"%[var(txn.host),json(utf8s)]","address":"%[dst]","port":%[dst_port],"end":"%ts"}"#;
const LOG_HTTP: &str = r#"{"time":%Ts.%ms,"from":"web","rule":"%[var(txn.rule),json(utf8s)]","why":"%[var(txn.why),json(utf8s)]","host":"%[var(txn.host),json(utf8s)]","address":"%[dst]","port":%[dst_port],"method":"%[var(txn.method),json(utf8s)]","path":"%[var(txn.path),json(utf8s)]","status":%ST,"end":"%ts"}"#;

/// The guard against names that a map or a log could misread, then the two maps.
const LOOKUP_TCP: &str = r"    tcp-request content set-var(txn.why) str(bad-name) unless { var(txn.host) -m reg '^[a-z0-9]([a-z0-9._-]*[a-z0-9])?$' }
    tcp-request content reject unless { var(txn.host) -m reg '^[a-z0-9]([a-z0-9._-]*[a-z0-9])?$' }
    tcp-request content set-var-fmt(txn.key) %[var(txn.host)]:%[dst_port]
    tcp-request content set-var(txn.rule) var(txn.key),map_str(exact.map)
    tcp-request content set-var(txn.rule) var(txn.key),map_end(suffix.map) unless { var(txn.rule) -m found }
    tcp-request content set-var(txn.why) str(name) unless { var(txn.rule) -m found }
    tcp-request content reject unless { var(txn.rule) -m found }";

/// A backend of the proxy. Each rule has a server of its own in it, so that one rule's connections can be cut alone.
pub(crate) const BACKENDS: [Backend; 2] = [Backend::Tls, Backend::Http];

/// See [`BACKENDS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Backend {
    /// Passed on byte by byte.
    Tls,
    /// Request by request.
    Http,
}

impl Backend {
    /// Its name in the configuration.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Tls => "tls",
            Self::Http => "http",
        }
    }

    /// Whether connections to that port can end up in it.
    pub(crate) fn serves(self, port: u16) -> bool {
        match self {
            Self::Tls => port != 80,
            Self::Http => port != 443,
        }
    }
}

/// The part that stays the same whatever the allowlist says; `dir` is the folder of the daemon.
///
/// # Errors
/// When template and code disagree.
pub(crate) fn configuration(slot: Slot, dir: &Path) -> Result<String> {
    let ports = slot.ports();
    fill(
        TEMPLATE,
        &[
            ("dir", dir.display().to_string()),
            ("port_tls", ports.tls.to_string()),
            ("port_any", ports.any.to_string()),
            ("port_http", ports.http.to_string()),
            ("port_refuse", ports.refuse.to_string()),
            ("log_tcp", LOG_TCP.to_owned()),
            ("log_http", LOG_HTTP.to_owned()),
            ("lookup_tcp", LOOKUP_TCP.to_owned()),
        ],
    )
}

/// The servers of a backend, by name; an address of 0.0.0.0 means the one that the client chose, of either family.
pub(crate) fn servers(policy: &Policy, backend: Backend) -> Vec<String> {
    policy.web.iter().filter(|key| backend.serves(key.port)).map(WebKey::server).collect()
}

/// The backends with their servers, for a proxy that starts.
pub(crate) fn backends(policy: &Policy) -> String {
    let mut text = String::new();
    for backend in BACKENDS {
        let name = backend.name();
        text.push_str(&format!("backend {name}\n    mode {}\n", if name == "tls" { "tcp" } else { "http" }));
        if backend == Backend::Http {
            // A connection was opened to an address that this client chose, for a name it may use: nobody else's.
            text.push_str("    http-reuse never\n");
        }
        text.push_str("    use-server %[var(txn.rule)] if TRUE\n");
        for server in servers(policy, backend) {
            text.push_str(&format!("    server {server} 0.0.0.0 weight 0\n"));
        }
    }
    text
}

/// The map of exact names: `name:port` and the server.
pub(crate) fn exact_map(policy: &Policy) -> Vec<(String, String)> {
    let exact = policy.web.iter().filter(|key| matches!(key.pattern, NamePattern::Exact(_)));
    exact.map(|key| (key.server(), key.server())).collect()
}

/// The map of wildcards: the end that a name must have, the longest first, since the first that fits decides.
pub(crate) fn suffix_map(policy: &Policy) -> Vec<(String, String)> {
    let below = policy.web.iter().filter(|key| matches!(key.pattern, NamePattern::Below(_)));
    let mut map: Vec<(String, String)> =
        below.map(|key| (format!(".{}:{}", key.pattern.base(), key.port), key.server())).collect();
    map.sort_by(|(one, _), (other, _)| other.len().cmp(&one.len()).then(one.cmp(other)));
    map
}

#[cfg(test)]
mod tests {
    use super::super::policy::tests::{rules, system};
    use super::*;

    fn policy() -> Policy {
        Policy::new(&rules(&["a.example", "*.b.example", "*.long.b.example:8443", "c.example:22"]), &system())
    }

    #[test]
    fn the_configuration_does_not_depend_on_the_allowlist_and_its_paths_on_the_slot_alone() {
        let a = configuration(Slot::A, Path::new("/x/haproxy-a")).unwrap();
        assert!(
            a.contains("stats socket /x/haproxy-a/admin.sock")
                && a.contains("bind unix@/x/haproxy-a/http.sock")
        );
        assert!(a.contains("bind 127.0.0.1:61443\n"));
    }

    #[test]
    fn an_exact_name_is_in_one_map_and_a_wildcard_in_the_other_longest_first() {
        let exact: Vec<String> = exact_map(&policy()).into_iter().map(|(key, _)| key).collect();
        assert_eq!(exact, ["a.example:80", "a.example:443"]);
        let suffix = suffix_map(&policy());
        assert_eq!(suffix[0], (".long.b.example:8443".to_owned(), "_.long.b.example:8443".to_owned()));
        assert_eq!(suffix.len(), 3);
    }

    #[test]
    fn each_rule_is_a_server_where_its_port_can_lead() {
        assert_eq!(
            servers(&policy(), Backend::Tls),
            ["a.example:443", "_.b.example:443", "_.long.b.example:8443"]
        );
        assert_eq!(
            servers(&policy(), Backend::Http),
            ["a.example:80", "_.b.example:80", "_.long.b.example:8443"]
        );
        assert!(backends(&policy()).contains("    server _.long.b.example:8443 0.0.0.0 weight 0\n"));
    }
}
