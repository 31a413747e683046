//! Addresses that are never reached because a name happens to point at them: private, local, reserved.

use std::net::IpAddr;

use super::cidr::Cidr;

/// IPv4 ranges of the special-purpose registry that lead to the host, to neighbours or nowhere, the metadata address
/// among them. 198.18.0.0/15 is not here: tunnels of laptops use it as the address of every public name.
const RANGES4: [&str; 12] = [
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.168.0.0/16",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/3",
];

/// The same for IPv6, with the ways to write a private IPv4 address in it (NAT64, 6to4).
const RANGES6: [&str; 13] = [
    "::/127",
    "64:ff9b::7f00:0/104",
    "64:ff9b::a00:0/104",
    "64:ff9b::a9fe:0/112",
    "64:ff9b::ac10:0/108",
    "64:ff9b::c0a8:0/112",
    "64:ff9b:1::/48",
    "2001:db8::/32",
    "2002::/16",
    "fc00::/7",
    "fe80::/10",
    "fec0::/10",
    "ff00::/8",
];

/// The ranges, of both families.
pub(crate) fn ranges() -> Vec<Cidr> {
    RANGES4.into_iter().chain(RANGES6).filter_map(|text| Cidr::parse(text).ok()).collect()
}

/// Whether the address lies in one of them.
pub(crate) fn is_private(address: IpAddr) -> bool {
    ranges().iter().any(|range| range.contains(Cidr::single(address)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_range_is_well_formed() {
        assert_eq!(ranges().len(), RANGES4.len() + RANGES6.len());
    }

    #[test]
    fn the_host_neighbours_and_metadata_are_private_and_the_internet_is_not() {
        for text in [
            "172.17.0.1",
            "169.254.169.254",
            "100.64.0.1",
            "255.255.255.255",
            "::1",
            "fd00::1",
            "fe80::1",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b::7f00:1",
        ] {
            assert!(is_private(text.parse().unwrap()), "{text}");
        }
        for text in ["1.1.1.1", "172.32.0.1", "223.255.255.255", "2606:4700::1111", "64:ff9b::101:101"] {
            assert!(!is_private(text.parse().unwrap()), "{text}");
        }
    }
}
