//! Address ranges in CIDR notation, for IPv4 and IPv6.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use anyhow::{Context, Result, ensure};

/// An address range; its address has no bits set below the prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Cidr {
    address: IpAddr,
    prefix: u8,
}

impl Cidr {
    /// Reads `address/prefix`, or a bare address as a range of one.
    ///
    /// # Errors
    /// With the reason, when it is no range, covers everything or has bits set below its prefix.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let (address, prefix) = text.split_once('/').map_or((text, None), |(a, p)| (a, Some(p)));
        let address: IpAddr =
            address.parse().ok().with_context(|| format!("`{address}` is not an address"))?;
        let bits = width(address);
        let prefix = match prefix {
            None => bits,
            Some(text) => read_prefix(text, bits)?,
        };
        ensure!(prefix > 0, "`{text}` would allow every address");
        if let IpAddr::V6(v6) = address {
            ensure!(
                v6.to_ipv4_mapped().is_none(),
                "`{text}` is an IPv4 address in IPv6 form; write it as IPv4"
            );
        }
        let cidr = Self { address: masked(address, prefix), prefix };
        ensure!(cidr.address == address, "`{text}` has bits set below its prefix; write `{cidr}`");
        Ok(cidr)
    }

    /// The range of one address.
    pub(crate) fn single(address: IpAddr) -> Self {
        Self { address, prefix: width(address) }
    }

    /// Whether the family is IPv4.
    pub(crate) fn is_ipv4(self) -> bool {
        self.address.is_ipv4()
    }

    /// Whether it covers that range.
    pub(crate) fn contains(self, other: Self) -> bool {
        self.is_ipv4() == other.is_ipv4()
            && self.prefix <= other.prefix
            && masked(other.address, self.prefix) == self.address
    }

    /// Whether the two have an address in common.
    pub(crate) fn overlaps(self, other: Self) -> bool {
        self.contains(other) || other.contains(self)
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

/// Sorted, and without ranges that another one covers: nft refuses overlapping intervals in one set.
pub(crate) fn merged(ranges: impl IntoIterator<Item = Cidr>) -> Vec<Cidr> {
    let mut all: Vec<Cidr> = ranges.into_iter().collect();
    all.sort_by_key(|cidr| (cidr.prefix, *cidr));
    let mut kept: Vec<Cidr> = Vec::new();
    for cidr in all {
        if !kept.iter().any(|wider| wider.contains(cidr)) {
            kept.push(cidr);
        }
    }
    kept.sort();
    kept
}

fn width(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

fn read_prefix(text: &str, bits: u8) -> Result<u8> {
    let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let prefix = text.parse().ok().filter(|prefix| plain && *prefix <= bits);
    prefix.with_context(|| format!("`/{text}` is not a prefix of 1 to {bits} bits"))
}

fn masked(address: IpAddr, prefix: u8) -> IpAddr {
    match address {
        IpAddr::V4(v4) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0);
            Ipv4Addr::from(u32::from(v4) & mask).into()
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0);
            Ipv6Addr::from(u128::from(v6) & mask).into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cidr(text: &str) -> Cidr {
        Cidr::parse(text).unwrap()
    }

    #[test]
    fn each_mistake_has_its_reason() {
        for (text, part) in [
            ("0.0.0.0/0", "every address"),
            ("::/0", "every address"),
            ("10.0.0.1/8", "write `10.0.0.0/8`"),
            ("10.0.0.0/33", "1 to 32"),
            ("10.0.0.0/+8", "1 to 32"),
            ("10.0.0.0/", "1 to 32"),
            ("fd00::/129", "1 to 128"),
            ("10.0.0/8", "not an address"),
            ("::ffff:10.0.0.1", "write it as IPv4"),
        ] {
            let reason = Cidr::parse(text).unwrap_err().to_string();
            assert!(reason.contains(part), "{text}: {reason}");
        }
    }

    #[test]
    fn a_range_contains_its_parts_and_no_other_family() {
        assert!(cidr("10.0.0.0/8").contains(cidr("10.1.2.3")));
        assert!(!cidr("10.0.0.0/9").contains(cidr("10.128.0.0/9")));
        assert!(!cidr("fd00::/8").contains(cidr("10.0.0.0/8")));
        assert!(cidr("10.1.0.0/16").overlaps(cidr("10.0.0.0/8")));
        assert_eq!(cidr("fd00::1").to_string(), "fd00::1/128");
    }

    #[test]
    fn merging_leaves_only_the_widest() {
        let kept = merged(["10.1.0.0/16", "10.0.0.0/8", "fd00::/8", "10.0.0.0/8"].map(cidr));
        assert_eq!(kept, ["10.0.0.0/8", "fd00::/8"].map(cidr));
    }
}
