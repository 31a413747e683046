//! Host names as allowlist entries know them: lower-case ASCII or punycode, at least two labels.

use std::fmt;

use anyhow::{Result, bail, ensure};

/// RFC 1035, 2.3.4: a name without its final dot.
const NAME_MAX: usize = 253;
const LABEL_MAX: usize = 63;

/// What names an entry stands for. The ends of two patterns never overlap by accident: see [`NamePattern::covers`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum NamePattern {
    /// That name and nothing below it.
    Exact(String),
    /// Any depth below the name, but not the name itself.
    Below(String),
}

impl NamePattern {
    /// Reads `host` or `*.host`.
    ///
    /// # Errors
    /// With the reason, when it is neither.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        ensure!(text != "*", "`*` alone would allow every name; write the names, or `*.host`");
        if let Some(base) = text.strip_prefix("*.") {
            check_name(base)?;
            return Ok(Self::Below(base.to_owned()));
        }
        check_name(text)?;
        Ok(Self::Exact(text.to_owned()))
    }

    /// The name without the `*.`.
    pub(crate) fn base(&self) -> &str {
        match self {
            Self::Exact(name) | Self::Below(name) => name,
        }
    }

    /// Whether `name` is one of those that this pattern stands for.
    pub(crate) fn covers(&self, name: &str) -> bool {
        match self {
            Self::Exact(own) => own == name,
            Self::Below(base) => name.strip_suffix(base.as_str()).is_some_and(|left| left.ends_with('.')),
        }
    }
}

impl fmt::Display for NamePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(name) => f.write_str(name),
            Self::Below(name) => write!(f, "*.{name}"),
        }
    }
}

fn check_name(name: &str) -> Result<()> {
    ensure!(
        !name.contains("://") && !name.contains('/'),
        "`{name}` is a URL or a path; write the name alone"
    );
    ensure!(!name.contains('*'), "`*` may only stand in front, as in `*.host`");
    ensure!(name.is_ascii(), "`{name}` is not ASCII; write its punycode form (`xn--...`)");
    ensure!(
        !name.bytes().any(|byte| byte.is_ascii_uppercase()),
        "`{name}` has upper case; write `{}`",
        name.to_ascii_lowercase()
    );
    ensure!(!name.ends_with('.'), "`{name}` ends in a dot; leave it out");
    ensure!(name.len() <= NAME_MAX, "a name of {} characters; at most {NAME_MAX} are possible", name.len());
    let labels: Vec<&str> = name.split('.').collect();
    for label in &labels {
        check_label(label, name)?;
    }
    ensure!(labels.len() >= 2, "`{name}` has one label; at least two are needed");
    // "1.2.3.999" is a mistyped address, and no top-level domain is a number.
    if labels.last().is_some_and(|label| label.bytes().all(|byte| byte.is_ascii_digit())) {
        bail!("`{name}` ends in a number; it is neither a name nor an address");
    }
    Ok(())
}

fn check_label(label: &str, name: &str) -> Result<()> {
    ensure!(!label.is_empty(), "`{name}` has an empty label");
    ensure!(
        label.len() <= LABEL_MAX,
        "a label of {} characters; at most {LABEL_MAX} are possible",
        label.len()
    );
    ensure!(!label.starts_with('-') && !label.ends_with('-'), "label `{label}` starts or ends with `-`");
    if let Some(bad) = label.chars().find(|c| !(c.is_ascii_lowercase() || c.is_ascii_digit() || *c == '-')) {
        bail!("{bad:?} cannot be part of a name");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(text: &str) -> String {
        NamePattern::parse(text).unwrap_err().to_string()
    }

    #[test]
    fn each_mistake_has_its_reason() {
        for (text, part) in [
            ("*", "every name"),
            ("*.com", "one label"),
            ("localhost", "one label"),
            ("a.*.example", "in front"),
            ("*example.com", "in front"),
            ("Api.Example.com", "write `api.example.com`"),
            ("bücher.example", "punycode"),
            ("https://example.com", "URL"),
            ("example.com/x", "URL"),
            ("example.com.", "dot"),
            ("a..example", "empty label"),
            (".example.com", "empty label"),
            ("-a.example", "starts or ends"),
            ("a_b.example", "cannot be part"),
            ("a b.example", "cannot be part"),
            ("1.2.3.999", "neither a name nor an address"),
            ("xn--.example", "starts or ends"),
        ] {
            assert!(reason(text).contains(part), "{text}: {}", reason(text));
        }
        assert!(reason(&format!("{}.example", "a".repeat(64))).contains("63"));
        assert!(reason(&"a.".repeat(200)).contains("dot"));
        assert!(reason(&format!("{}example", "a.".repeat(150))).contains("253"));
    }

    #[test]
    fn a_wildcard_covers_any_depth_but_not_the_name_itself() {
        let below = NamePattern::parse("*.wild.example").unwrap();
        assert!(below.covers("a.wild.example") && below.covers("a.b.wild.example"));
        assert!(!below.covers("wild.example") && !below.covers("xwild.example"));
        let exact = NamePattern::parse("xn--bcher-kva.example").unwrap();
        assert!(exact.covers("xn--bcher-kva.example") && !exact.covers("a.xn--bcher-kva.example"));
    }
}
