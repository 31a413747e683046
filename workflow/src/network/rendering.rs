//! Renders the policy into a folder: the packet rules, both daemons' configurations, and what the next one needs to know.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

use super::policy::Policy;
use super::slots::{Slot, State};
use super::sources::Loaded;
use super::system::System;
use super::{Paths, dns, nft, proxy};

/// Everything that a folder holds, before it is written.
#[derive(Debug)]
pub(crate) struct Rendered {
    files: Vec<(&'static str, String)>,
    /// What the person should know.
    pub(crate) warnings: Vec<String>,
}

impl Rendered {
    /// Renders the allowlists below `paths`, as the successor of the policy in force.
    ///
    /// # Errors
    /// When an allowlist has a mistake, or the container is not one that we can guard.
    pub(crate) fn new(paths: &Paths, ports: &str) -> Result<Self> {
        let loaded = Loaded::read(paths)?;
        let system = System::read(paths, ports)?;
        let policy = Policy::new(&loaded.rules, &system);
        let current = paths.current();
        let before = State::read(&current).ok();

        let (dns_slot, dnsmasq) = in_slot(before.as_ref().map(|state| state.dns), |slot| {
            let text = dns::configuration(&policy, &system, slot, &paths.daemon(&slot.service("dnsmasq")))?;
            Ok((same_as(&current.join("dnsmasq.conf"), &text), text))
        })?;
        let (web_slot, haproxy) = in_slot(before.as_ref().map(|state| state.web), |slot| {
            let text = proxy::configuration(slot, &paths.daemon(&slot.service("haproxy")))?;
            Ok((same_as(&current.join("haproxy.cfg"), &text), text))
        })?;

        let direct = policy.marks().into_iter().map(|(mark, text)| (mark, text.to_owned())).collect();
        let state = State { dns: dns_slot, web: web_slot, direct, sets: nft::own_sets(&policy) };
        let ruleset = nft::ruleset(&policy, &system, &state, &before.unwrap_or_default())?;
        let files = vec![
            ("ruleset.nft", ruleset),
            ("rotate-a.nft", nft::rotation(&state, 'a')),
            ("rotate-b.nft", nft::rotation(&state, 'b')),
            ("dnsmasq.conf", dnsmasq),
            ("servers", dns::servers_file(&policy, &system)),
            ("haproxy.cfg", haproxy),
            ("servers.cfg", proxy::backends(&policy)),
            ("exact.map", map_text(&proxy::exact_map(&policy))),
            ("suffix.map", map_text(&proxy::suffix_map(&policy))),
            ("rules.json", serde_json::to_string_pretty(&policy.listed)? + "\n"),
            ("state.json", serde_json::to_string(&state)? + "\n"),
        ];
        Ok(Self { files, warnings: loaded.warnings.into_iter().chain(policy.warnings).collect() })
    }

    /// Writes the folder anew.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub(crate) fn write(&self, folder: &Path) -> Result<()> {
        if folder.exists() {
            fs::remove_dir_all(folder).with_context(|| format!("failed to empty `{}`", folder.display()))?;
        }
        fs::create_dir_all(folder).with_context(|| format!("failed to make `{}`", folder.display()))?;
        for (name, text) in &self.files {
            let path = folder.join(name);
            fs::write(&path, text).with_context(|| format!("failed to write `{}`", path.display()))?;
        }
        Ok(())
    }
}

/// Renders for the slot in use; where that would change the daemon's configuration, for the other one.
fn in_slot(used: Option<Slot>, render: impl Fn(Slot) -> Result<(bool, String)>) -> Result<(Slot, String)> {
    let slot = used.unwrap_or_default();
    let (same, text) = render(slot)?;
    if same || used.is_none() {
        return Ok((slot, text));
    }
    Ok((slot.other(), render(slot.other())?.1))
}

fn same_as(path: &Path, text: &str) -> bool {
    fs::read_to_string(path).is_ok_and(|old| old == text)
}

fn map_text(map: &[(String, String)]) -> String {
    map.iter().map(|(key, server)| format!("{key} {server}\n")).collect()
}

/// Reads a map that was rendered.
///
/// # Errors
/// When it cannot be read.
pub(crate) fn read_map(path: &Path) -> Result<Vec<(String, String)>> {
    let text = fs::read_to_string(path).with_context(|| format!("failed to read `{}`", path.display()))?;
    let mut map = Vec::new();
    for line in text.lines() {
        let Some((key, server)) = line.split_once(' ') else { bail!("`{line}` is no line of a map") };
        map.push((key.to_owned(), server.to_owned()));
    }
    Ok(map)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn container(allowlist: &str) -> (tempfile::TempDir, Paths) {
        let dir = tempfile::tempdir().unwrap();
        let paths = Paths::new(dir.path());
        write(&paths, "/etc/passwd", "haproxy:x:101:102::/:/n\ndnsmasq:x:999:1::/:/n\n");
        write(&paths, "/etc/resolv.conf", "nameserver 192.0.2.53\n");
        write(&paths, "/etc/ao-sandbox/allowlist", allowlist);
        (dir, paths)
    }

    fn write(paths: &Paths, path: &str, text: &str) {
        let path = paths.at(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn render_into_force(paths: &Paths) -> State {
        Rendered::new(paths, "").unwrap().write(&paths.current()).unwrap();
        State::read(&paths.current()).unwrap()
    }

    #[test]
    fn a_bad_allowlist_writes_nothing() {
        let (_dir, paths) = container("a.example\nb example\n");
        let error = Rendered::new(&paths, "").unwrap_err().to_string();
        assert!(error.contains("\n/etc/ao-sandbox/allowlist:2: "), "{error}");
        assert!(!paths.current().exists());
    }

    #[test]
    fn the_resolver_changes_its_slot_for_what_it_reads_once_and_the_proxy_does_not() {
        let (_dir, paths) = container("a.example\n");
        let first = render_into_force(&paths);
        assert_eq!((first.dns, first.web), (Slot::A, Slot::A));
        assert_eq!(render_into_force(&paths), first);
        write(&paths, "/etc/ao-sandbox/allowlist", "a.example\nb.example\n");
        assert_eq!(render_into_force(&paths), first);
        write(&paths, "/etc/ao-sandbox/allowlist", "a.example\nb.example private=10.0.0.0/8\n");
        let second = render_into_force(&paths);
        assert_eq!((second.dns, second.web), (Slot::B, Slot::A));
    }

    #[test]
    fn a_map_reads_back_as_it_was_written() {
        let (_dir, paths) = container("*.a.example\nb.example:8443\n");
        render_into_force(&paths);
        let suffix = read_map(&paths.current().join("suffix.map")).unwrap();
        assert_eq!(suffix[0], (".a.example:443".to_owned(), "_.a.example:443".to_owned()));
        assert!(read_map(&paths.at("/none")).is_err());
    }
}
