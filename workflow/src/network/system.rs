//! What the container itself says: users, resolvers, hosts file, routes, addresses. Read, never changed.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use anyhow::{Context, Result, ensure};

use super::paths::Paths;

/// Docker's resolver of a user-defined network. It forwards from inside this network namespace, as uid 0.
pub(crate) const EMBEDDED: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 11);
/// Exists in the machine's own network namespace only, so in a container it means `--network host`.
const HOST_NETWORK: &str = "/proc/sys/net/core/netdev_budget";

/// What the rules depend on beside the allowlist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct System {
    /// Whom the proxy runs as.
    pub(crate) haproxy: u32,
    /// Whom the resolver runs as.
    pub(crate) dnsmasq: u32,
    /// Where names are asked for; from `resolv.conf`.
    pub(crate) resolvers: Vec<IpAddr>,
    /// Where Docker's resolver forwards to, where it says so.
    pub(crate) external: Vec<IpAddr>,
    /// Names with fixed addresses; the C library never asks the resolver for them.
    pub(crate) hosts: Vec<(IpAddr, String)>,
    /// Routers, which are the host.
    pub(crate) gateways: Vec<IpAddr>,
    /// Whether IPv6 leads anywhere.
    pub(crate) ipv6: bool,
    /// Whether `::1` is there to be listened on.
    pub(crate) ipv6_loopback: bool,
    /// Published ports: protocol and number inside the container.
    pub(crate) published: Vec<(&'static str, u16)>,
}

impl System {
    /// Reads the container below `paths`; `ports` are the published ones (`8080 5353/udp`).
    ///
    /// # Errors
    /// When a user of ours is missing, a port cannot be read, or the network is the host's own.
    pub(crate) fn read(paths: &Paths, ports: &str) -> Result<Self> {
        ensure!(
            !paths.at(HOST_NETWORK).exists(),
            "this is the host's own network (`--network host`); its packet rules are not ours to change"
        );
        let text = |path: &str| fs::read_to_string(paths.at(path)).unwrap_or_default();
        let passwd = text("/etc/passwd");
        let resolv = text("/etc/resolv.conf");
        let addresses = text("/proc/net/if_inet6");
        let mut gateways = gateways4(&text("/proc/net/route"));
        gateways.extend(gateways6(&text("/proc/net/ipv6_route")));
        Ok(Self {
            haproxy: uid(&passwd, "haproxy")?,
            dnsmasq: uid(&passwd, "dnsmasq")?,
            resolvers: resolvers(&resolv),
            external: external(&resolv),
            hosts: hosts(&text("/etc/hosts")),
            gateways,
            ipv6: has_address(&addresses, |scope, device| scope == "00" && device != "lo"),
            ipv6_loopback: has_address(&addresses, |scope, _| scope == "10"),
            published: published(ports)?,
        })
    }

    /// Whether names are asked for at Docker's own resolver.
    pub(crate) fn embedded(&self) -> bool {
        self.resolvers.contains(&IpAddr::V4(EMBEDDED))
    }
}

fn uid(passwd: &str, user: &str) -> Result<u32> {
    let mut fields = passwd.lines().map(|line| line.split(':'));
    let uid = fields.find_map(|mut line| (line.next() == Some(user)).then(|| line.nth(1))).flatten();
    let uid =
        uid.and_then(|text| text.parse().ok()).with_context(|| format!("no user `{user}` in this image"))?;
    ensure!(uid != 0, "user `{user}` is root, so its packets cannot be told from others");
    Ok(uid)
}

fn resolvers(resolv_conf: &str) -> Vec<IpAddr> {
    let lines = resolv_conf.lines().filter_map(|line| line.trim().strip_prefix("nameserver"));
    lines.filter_map(|value| value.split_whitespace().next()?.parse().ok()).collect()
}

/// Newer engines write them down: `# ExtServers: [192.0.2.53 host(192.0.2.54)]`, where `host(...)` is asked from outside.
fn external(resolv_conf: &str) -> Vec<IpAddr> {
    let line = resolv_conf.lines().find_map(|line| line.trim().strip_prefix("# ExtServers:"));
    let words = line.unwrap_or_default().trim().trim_matches(['[', ']']).split_whitespace();
    words.filter_map(|word| word.parse().ok()).collect()
}

fn hosts(text: &str) -> Vec<(IpAddr, String)> {
    let mut found = Vec::new();
    for line in text.lines() {
        let mut words = line.split('#').next().unwrap_or_default().split_whitespace();
        let Some(address) = words.next().and_then(|word| word.parse::<IpAddr>().ok()) else { continue };
        found.extend(words.map(|name| (address, name.to_ascii_lowercase())));
    }
    found
}

/// `Iface Destination Gateway ...` with addresses in hexadecimal, in the machine's byte order.
fn gateways4(route: &str) -> Vec<IpAddr> {
    let fields = route.lines().skip(1).filter_map(|line| line.split_whitespace().nth(2));
    let numbers = fields.filter_map(|field| u32::from_str_radix(field, 16).ok());
    let mut found: Vec<IpAddr> = numbers
        .filter(|number| *number != 0)
        .map(|number| Ipv4Addr::from(number.to_ne_bytes()).into())
        .collect();
    found.dedup();
    found
}

/// `destination length source length gateway ...`, each address as 32 hexadecimal digits.
fn gateways6(route: &str) -> Vec<IpAddr> {
    let fields = route.lines().filter_map(|line| line.split_whitespace().nth(4));
    let numbers = fields.filter_map(|field| u128::from_str_radix(field, 16).ok());
    let mut found: Vec<IpAddr> =
        numbers.filter(|number| *number != 0).map(|number| Ipv6Addr::from(number).into()).collect();
    found.dedup();
    found
}

/// `address index length scope flags device`; scope `00` is global, `10` the loopback.
fn has_address(if_inet6: &str, wanted: impl Fn(&str, &str) -> bool) -> bool {
    if_inet6.lines().any(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        words.len() == 6 && wanted(words[3], words[5])
    })
}

fn published(ports: &str) -> Result<Vec<(&'static str, u16)>> {
    let words = ports.split(|c: char| c == ',' || c.is_whitespace()).filter(|word| !word.is_empty());
    let read = |word: &str| {
        let (number, protocol) = word.split_once('/').unwrap_or((word, "tcp"));
        let protocol = ["tcp", "udp"].into_iter().find(|known| *known == protocol);
        let number = number.parse::<u16>().ok().filter(|number| *number > 0);
        protocol.zip(number).with_context(|| format!("`{word}` is not a published port (`8080`, `5353/udp`)"))
    };
    words.map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn container(files: &[(&str, &str)]) -> (tempfile::TempDir, Paths) {
        let dir = tempfile::tempdir().unwrap();
        let paths = Paths::new(dir.path());
        let passwd = ("/etc/passwd", "haproxy:x:101:102::/:/n\ndnsmasq:x:999:1::/:/n\n");
        for (path, text) in [passwd].iter().chain(files) {
            let path = paths.at(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        (dir, paths)
    }

    #[test]
    fn the_hosts_own_network_is_refused() {
        let (_dir, paths) = container(&[(HOST_NETWORK, "300\n")]);
        assert!(System::read(&paths, "").unwrap_err().to_string().contains("--network host"));
    }

    #[test]
    fn a_missing_user_root_as_a_user_and_a_bad_port_are_refused() {
        let (_dir, paths) = container(&[("/etc/passwd", "haproxy:x:101:102::/:/n\n")]);
        assert!(System::read(&paths, "").unwrap_err().to_string().contains("no user `dnsmasq`"));
        let (_dir, paths) = container(&[("/etc/passwd", "haproxy:x:0:0::/:/n\ndnsmasq:x:999:1::/:/n\n")]);
        assert!(System::read(&paths, "").unwrap_err().to_string().contains("is root"));
        let (_dir, paths) = container(&[]);
        for bad in ["0", "x", "80/sctp", "65536"] {
            assert!(System::read(&paths, bad).is_err(), "{bad}");
        }
        assert_eq!(System::read(&paths, "8080, 53/udp").unwrap().published, [("tcp", 8080), ("udp", 53)]);
    }

    #[test]
    fn the_kernels_tables_are_read() {
        let (_dir, paths) = container(&[
            (
                "/etc/resolv.conf",
                "search x\nnameserver 127.0.0.11\n# ExtServers: [192.0.2.53 host(192.0.2.54)]\n",
            ),
            ("/etc/hosts", "127.0.0.1 localhost\n192.0.2.9\tHost.Docker.Internal alias # x\nbad line\n"),
            (
                "/proc/net/route",
                "Iface\tDestination\tGateway\neth0\t00000000\t010011AC\t0003\neth0\t000011AC\t00000000\t0001\n",
            ),
            (
                "/proc/net/ipv6_route",
                "00000000000000000000000000000000 00 00000000000000000000000000000000 00 fd000000000000000000000000000001 \
                 00000400 00000001 00000000 00000003 eth0\n",
            ),
            (
                "/proc/net/if_inet6",
                "00000000000000000000000000000001 01 80 10 80       lo\n\
                 fd000000000000000000000000000002 05 40 00 80     eth0\n",
            ),
        ]);
        let system = System::read(&paths, "").unwrap();
        assert!(system.embedded() && system.ipv6 && system.ipv6_loopback);
        assert_eq!(system.external, [ip("192.0.2.53")]);
        assert_eq!(system.gateways, [ip("172.17.0.1"), ip("fd00::1")]);
        assert!(system.hosts.contains(&(ip("192.0.2.9"), "host.docker.internal".to_owned())));
        assert_eq!((system.haproxy, system.dnsmasq), (101, 999));
    }
}
