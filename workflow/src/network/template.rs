//! Fills the templates: `@name@` becomes a value, and a line that is a name alone becomes as many lines as the value has.

use anyhow::{Result, ensure};

/// Fills `template` with `values`.
///
/// # Errors
/// When a value has no place, or a place no value: both mean that template and code disagree.
pub(crate) fn fill(template: &str, values: &[(&str, String)]) -> Result<String> {
    let mut text = template.to_owned();
    for (name, value) in values {
        let place = format!("@{name}@");
        ensure!(text.contains(&place), "the template has no place for `{name}`");
        text = text.replace(&place, value.trim_end_matches('\n'));
    }
    let left = text.lines().find(|line| has_place(line));
    ensure!(left.is_none(), "the template has a place without a value: `{}`", left.unwrap_or_default());
    Ok(text)
}

/// Two `@` with only letters, digits and `_` between them.
fn has_place(line: &str) -> bool {
    let parts: Vec<&str> = line.split('@').collect();
    let inner = parts.get(1..parts.len().saturating_sub(1)).unwrap_or_default();
    inner.iter().any(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_without_a_value_and_a_value_without_a_place_are_errors() {
        assert!(fill("a @b@", &[]).is_err());
        assert!(fill("a", &[("b", String::new())]).is_err());
        assert_eq!(fill("unix@@dir@/x", &[("dir", "/d".to_owned())]).unwrap(), "unix@/d/x");
    }
}
