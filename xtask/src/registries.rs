//! What the presets `@npm`, `@pip` and `@cargo` stand for on this machine: the hosts that its own clients are configured to use,
//! so that a company mirror needs no second edit and no registry's host is ever written by hand. (`@apt` is asked inside the
//! sandbox, whose `apt` has sources of its own.)
//!
//! Asking npm and pip takes half a second, so the answer is kept until the configuration of one of them changes.

use std::collections::BTreeMap;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, ToSocketAddrs as _};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::context::{Context, home};
use crate::digest::sha256_of;
use crate::run::{Cmd, on_path};

/// Variables that change what a client answers.
const VARIABLES: [&str; 6] =
    ["npm_config_registry", "NPM_CONFIG_REGISTRY", "PIP_INDEX_URL", "PIP_CONFIG_FILE", "CARGO_HOME", "PATH"];
/// Files below the home folder, and elsewhere, that do.
const FILES: [&str; 8] = [
    "~/.npmrc",
    "/etc/npmrc",
    "/usr/etc/npmrc",
    "~/.config/pip/pip.conf",
    "~/.pip/pip.conf",
    "/etc/pip.conf",
    "~/.cargo/config.toml",
    "~/.cargo/config",
];
/// A client that takes longer has no answer.
const LIMIT: Duration = Duration::from_secs(10);
/// Prints the index that pip uses and, for its built-in one, where the files are. Nothing of this is public API, so a failure means
/// "unknown".
const ASK_PIP: &str = "
import subprocess, sys
url = subprocess.run([sys.executable, '-m', 'pip', 'config', 'get', 'global.index-url'], capture_output=True, text=True).stdout.strip()
if url:
    print(url)
else:
    from pip._internal.models.index import PyPI
    print(PyPI.url)
    print('https://' + PyPI.file_storage_domain)
";

type Hosts = BTreeMap<String, Vec<String>>;

#[derive(Serialize, Deserialize)]
struct Kept {
    key: String,
    hosts: Hosts,
}

/// The content of `/etc/ao-sandbox/registries.json`.
pub(crate) fn staged(cx: &Context) -> anyhow::Result<Vec<u8>> {
    Ok(serde_json::to_vec_pretty(&hosts(cx))?)
}

fn hosts(cx: &Context) -> Hosts {
    let file = cx.state.dir().join("registries.json");
    let key = key();
    let kept: Option<Kept> = fs::read(&file).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
    if let Some(kept) = kept.filter(|kept| kept.key == key) {
        return kept.hosts;
    }
    let hosts = ask();
    // Where it cannot be kept, the clients are asked again the next time.
    if let Err(error) = crate::state::write_json(&file, &Kept { key, hosts: hosts.clone() }) {
        cx.ui.detail(format!("{error:#}"));
    }
    hosts
}

fn ask() -> Hosts {
    let all = [("npm", npm()), ("pip", pip()), ("cargo", cargo())];
    let known = all.into_iter().filter(|(_, urls)| !urls.is_empty());
    known.map(|(client, urls)| (client.to_owned(), entries(&urls))).collect()
}

fn npm() -> Vec<String> {
    if !on_path("npm") {
        return vec![];
    }
    lines(Cmd::new("npm").args(["config", "get", "registry"]).limit(LIMIT))
}

fn pip() -> Vec<String> {
    if !on_path("python3") {
        return vec![];
    }
    lines(Cmd::new("python3").args(["-c", ASK_PIP]).limit(LIMIT))
}

/// The registries that cargo has talked to: the name of each index folder, and where that index says the packages are.
fn cargo() -> Vec<String> {
    let Some(cargo_home) = cargo_home() else { return vec![] };
    let Ok(indexes) = fs::read_dir(cargo_home.join("registry/index")) else { return vec![] };
    let mut urls = vec![];
    for index in indexes.filter_map(Result::ok) {
        let name = index.file_name().to_string_lossy().into_owned();
        urls.extend(name.rsplit_once('-').map(|(host, _)| format!("https://{host}")));
        let config = fs::read(index.path().join("config.json")).unwrap_or_default();
        let config: serde_json::Value = serde_json::from_slice(&config).unwrap_or_default();
        urls.extend(config["dl"].as_str().map(str::to_owned));
    }
    urls
}

fn cargo_home() -> Option<std::path::PathBuf> {
    let set = std::env::var_os("CARGO_HOME").map(std::path::PathBuf::from);
    set.or_else(|| home().map(|home| home.join(".cargo").into_std_path_buf()))
}

fn lines(cmd: Cmd) -> Vec<String> {
    let text = cmd.stdout().unwrap_or_default();
    text.lines().map(str::trim).filter(|line| line.contains("://")).map(str::to_owned).collect()
}

/// URLs as allowlist entries, each once; a port that is not the scheme's own is kept, and so is a private address.
fn entries(urls: &[String]) -> Vec<String> {
    let mut all: Vec<String> =
        urls.iter().filter_map(|url| host_of(url)).map(|host| with_private_address(&host)).collect();
    all.sort();
    all.dedup();
    all
}

/// `host` or `host:port` of a URL, without user and password.
fn host_of(url: &str) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?.rsplit('@').next()?.to_ascii_lowercase();
    let (host, port) = authority.split_once(':').unwrap_or((&authority, ""));
    let usual = port.is_empty()
        || (scheme.ends_with("https") && port == "443")
        || (scheme.ends_with("http") && port == "80");
    let named = host.contains('.') && host.parse::<IpAddr>().is_err();
    named.then(|| if usual { host.to_owned() } else { format!("{host}:{port}") })
}

/// A mirror in the company's own network has a private address, which the firewall refuses unless the entry says so.
fn with_private_address(entry: &str) -> String {
    let host = entry.split(':').next().unwrap_or(entry);
    let found = (host, 443).to_socket_addrs().ok();
    let private = found.into_iter().flatten().find_map(|address| match address.ip() {
        IpAddr::V4(ip) if is_refused(ip) => Some(format!("{ip}/32")),
        _ => None,
    });
    private.map_or_else(|| entry.to_owned(), |cidr| format!("{entry} private={cidr}"))
}

/// Addresses that the firewall's resolver takes for rebinding: private, carrier-grade and test ranges.
fn is_refused(ip: Ipv4Addr) -> bool {
    let [a, b, ..] = ip.octets();
    let shared = a == 100 && (64..128).contains(&b);
    let benchmark = a == 198 && (b == 18 || b == 19);
    ip.is_private() || ip.is_documentation() || ip.is_link_local() || shared || benchmark
}

fn key() -> String {
    let variables = VARIABLES.map(|name| std::env::var(name).unwrap_or_default().into_bytes());
    let files = FILES.map(|path| {
        let path =
            path.strip_prefix("~/").zip(home()).map_or_else(|| path.into(), |(rest, home)| home.join(rest));
        fs::read(path).unwrap_or_default()
    });
    let indexes = cargo().join("\n").into_bytes();
    let parts: Vec<&[u8]> =
        variables.iter().chain(&files).map(Vec::as_slice).chain([indexes.as_slice()]).collect();
    sha256_of(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_become_entries_without_secrets() {
        assert_eq!(
            host_of("https://user:secret@Mirror.corp.example/npm/").as_deref(),
            Some("mirror.corp.example")
        );
        assert_eq!(host_of("sparse+https://index.example/").as_deref(), Some("index.example"));
        assert_eq!(host_of("http://mirror.example:8081/x").as_deref(), Some("mirror.example:8081"));
        for none in ["mirror.example", "https://127.0.0.1/", "file:///srv", "https://localhost:4873/"] {
            assert_eq!(host_of(none), None, "{none}");
        }
    }
}
