//! What an error carries beside its causes: a hint that says what to do, and an exit code of its own.

use std::fmt;

use anyhow::{Context, Error, Result};

/// Advice for the reader of an error, shown last; attach it with [`WithHint::hint`].
#[derive(Debug)]
pub(crate) struct Hint(String);

impl fmt::Display for Hint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The exit code a failure asks for, where it is not the usual 1; attach it with [`WithHint::exit_code`].
#[derive(Debug)]
struct Code(u8);

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "exit code {}", self.0)
    }
}

/// Adds advice or an exit code to a failure.
pub(crate) trait WithHint<T> {
    /// Says what to do about it: a sentence with a command in backticks.
    fn hint(self, text: &str) -> Result<T>;
    /// Asks `main` to end with `code`.
    fn exit_code(self, code: u8) -> Result<T>;
}

impl<T> WithHint<T> for Result<T> {
    fn hint(self, text: &str) -> Result<T> {
        self.context(Hint(text.to_owned()))
    }

    fn exit_code(self, code: u8) -> Result<T> {
        self.context(Code(code))
    }
}

/// The exit code of a failure: 1, unless the error asks for another.
pub(crate) fn exit_code(error: &Error) -> u8 {
    error.downcast_ref::<Code>().map_or(1, |code| code.0)
}

/// The error as a person reads it: what failed, its causes, and the hint.
pub(crate) fn text(error: &Error) -> String {
    let hint = error.downcast_ref::<Hint>().map(ToString::to_string);
    let code = error.downcast_ref::<Code>().map(ToString::to_string);
    let mut causes = error
        .chain()
        .map(ToString::to_string)
        .filter(|line| Some(line) != hint.as_ref() && Some(line) != code.as_ref());
    let mut text = format!("error: {}\n", causes.next().unwrap_or_else(|| "unknown".to_owned()));
    for cause in causes {
        text.push_str(&format!("  caused by: {cause}\n"));
    }
    if let Some(hint) = hint {
        text.push_str(&format!("\nhint: {hint}\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hint_stands_below_the_causes_and_not_among_them() {
        let error = Err::<(), _>(anyhow::anyhow!("disk is full"))
            .context("failed to write `x`")
            .hint("make room")
            .exit_code(125)
            .unwrap_err();
        assert_eq!(
            text(&error),
            "error: failed to write `x`\n  caused by: disk is full\n\nhint: make room\n"
        );
        assert_eq!(exit_code(&error), 125);
    }

    #[test]
    fn the_usual_exit_code_is_one() {
        assert_eq!(exit_code(&anyhow::anyhow!("no")), 1);
    }
}
