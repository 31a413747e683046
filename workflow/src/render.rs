//! The only file that prints: data to stdout, everything else to stderr.
//!
//! A reader that went away (the client of `docker exec` was killed) is no reason to stop half-way through an
//! install, so a failed write is dropped here and nowhere else.

use std::io::{self, Write};

use serde::Serialize;

/// One line of data on stdout.
pub(crate) fn line(text: &str) {
    writeln!(io::stdout().lock(), "{text}").ok();
}

/// One value as one line of JSON on stdout.
///
/// # Errors
/// When the value cannot be written as JSON.
pub(crate) fn json(value: &impl Serialize) -> anyhow::Result<()> {
    line(&serde_json::to_string(value)?);
    Ok(())
}

/// One line for people, on stderr.
pub(crate) fn note(text: &str) {
    writeln!(io::stderr().lock(), "{text}").ok();
}

/// An error with its causes and its hint, on stderr.
pub(crate) fn error(error: &anyhow::Error) {
    write!(io::stderr().lock(), "{}", crate::error::text(error)).ok();
}
