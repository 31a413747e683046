//! One line of an allowlist: a name, an address range or a preset. Typed here and nowhere else.

use std::fmt;
use std::str::FromStr;

use anyhow::{Context, Error, Result, bail, ensure};

use super::cidr::Cidr;
use super::name::NamePattern;
use super::presets::Preset;

/// Longer lines are mistakes: a name has at most 253 characters.
const LINE_MAX: usize = 1024;
/// The resolver's own port; whoever could name it could carry data past it.
const DNS_PORT: u16 = 53;
/// The one port that is opened by address: SSH has no name that the proxy could read.
pub(crate) const SSH_PORT: u16 = 22;

/// What a line of an allowlist says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Line {
    /// Nothing, or a comment.
    Blank,
    /// A named group of entries.
    Preset(Preset),
    /// A name or an address range.
    Entry(Entry),
}

/// What may be reached. Without a port: 80 and 443.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Entry {
    /// By name; `private` lists the private ranges in which its addresses may lie.
    Name {
        /// Which names.
        pattern: NamePattern,
        /// The only port, where one is given.
        port: Option<u16>,
        /// Private ranges that its addresses may come from.
        private: Vec<Cidr>,
    },
    /// By address, without any look at names.
    Net {
        /// Which addresses.
        cidr: Cidr,
        /// The only port, where one is given.
        port: Option<u16>,
    },
}

impl FromStr for Line {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        ensure!(text.len() <= LINE_MAX, "a line of {} characters; at most {LINE_MAX} are read", text.len());
        let mut words = text.split_whitespace().take_while(|word| !word.starts_with('#'));
        let Some(first) = words.next() else { return Ok(Self::Blank) };
        if let Some(name) = first.strip_prefix('@') {
            ensure!(words.next().is_none(), "a preset stands alone on its line");
            return Ok(Self::Preset(name.parse()?));
        }
        Ok(Self::Entry(Entry::from_words(first, words)?))
    }
}

impl Entry {
    fn from_words<'a>(target: &str, options: impl Iterator<Item = &'a str>) -> Result<Self> {
        let mut entry = target.parse::<Self>()?;
        for option in options {
            let Some(range) = option.strip_prefix("private=") else {
                bail!("`{option}` is not an option; only `private=CIDR` is, one entry to a line");
            };
            let cidr = read_private(range)?;
            match &mut entry {
                Self::Name { private, .. } if !private.contains(&cidr) => private.push(cidr),
                Self::Name { .. } => {}
                Self::Net { .. } => bail!("`private=` belongs to a name; a range says its addresses itself"),
            }
        }
        Ok(entry)
    }
}

impl Entry {
    /// Takes the private ranges out of it, so that what is left is its target alone.
    pub(crate) fn take_private(&mut self) -> Vec<Cidr> {
        match self {
            Self::Name { private, .. } => std::mem::take(private),
            Self::Net { .. } => Vec::new(),
        }
    }

    /// Adds private ranges, each once; a range of addresses has none.
    pub(crate) fn add_private(&mut self, ranges: Vec<Cidr>) {
        if let Self::Name { private, .. } = self {
            private.extend(ranges);
            private.sort();
            private.dedup();
        }
    }
}

impl FromStr for Entry {
    type Err = Error;

    /// Reads the first word of an entry: `host`, `*.host`, a range, each with an optional `:port`.
    fn from_str(text: &str) -> Result<Self> {
        if let Some(rest) = text.strip_prefix('[') {
            let (range, tail) = rest.split_once(']').context("`[` without `]`")?;
            let port =
                if tail.is_empty() { None } else { Some(read_port(tail.strip_prefix(':').unwrap_or(tail))?) };
            return Ok(Self::Net { cidr: Cidr::parse(range)?, port });
        }
        if text.matches(':').count() > 1 && !text.contains("://") {
            return Ok(Self::Net { cidr: Cidr::parse(text)?, port: None });
        }
        let (head, port) = match text.rsplit_once(':') {
            Some((head, port)) if !text.contains("://") => (head, Some(read_port(port)?)),
            _ => (text, None),
        };
        if is_range(head) {
            return Ok(Self::Net { cidr: Cidr::parse(head)?, port });
        }
        let pattern = NamePattern::parse(head)?;
        if matches!(pattern, NamePattern::Below(_)) && port == Some(SSH_PORT) {
            bail!("port 22 is opened by address and needs the exact name, not `*.`");
        }
        Ok(Self::Name { pattern, port, private: Vec::new() })
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name { pattern, port: None, .. } => write!(f, "{pattern}")?,
            Self::Name { pattern, port: Some(port), .. } => write!(f, "{pattern}:{port}")?,
            Self::Net { cidr, port: None } => write!(f, "{cidr}")?,
            Self::Net { cidr, port: Some(port) } if cidr.is_ipv4() => write!(f, "{cidr}:{port}")?,
            Self::Net { cidr, port: Some(port) } => write!(f, "[{cidr}]:{port}")?,
        }
        if let Self::Name { private, .. } = self {
            for cidr in private {
                write!(f, " private={cidr}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Blank => Ok(()),
            Self::Preset(preset) => write!(f, "{preset}"),
            Self::Entry(entry) => write!(f, "{entry}"),
        }
    }
}

/// Digits at both ends, or a slash behind digits: the author meant addresses.
fn is_range(text: &str) -> bool {
    let (address, _) = text.split_once('/').unwrap_or((text, ""));
    !address.is_empty() && address.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
}

fn read_port(text: &str) -> Result<u16> {
    let plain = !text.is_empty() && !text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit());
    let port = text.parse().ok().filter(|_| plain);
    let port = port.with_context(|| format!("`{text}` is not a port of 1 to 65535"))?;
    ensure!(port != DNS_PORT, "port 53 belongs to the sandbox's own resolver");
    Ok(port)
}

fn read_private(text: &str) -> Result<Cidr> {
    let cidr = Cidr::parse(text)?;
    for own in ["127.0.0.0/8", "::1/128"] {
        ensure!(!cidr.overlaps(Cidr::parse(own)?), "`{text}` holds the sandbox's own loopback addresses");
    }
    Ok(cidr)
}

#[cfg(test)]
#[path = "entry_tests.rs"]
mod tests;
