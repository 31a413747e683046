//! What a failed command tells the person: one line, the causes below it, a remedy, and an exit code.
//!
//! Everything else is `anyhow` with context. A `Failure` is used where the exit code matters or a remedy is known.

use std::fmt;

/// Exit codes of `cargo xtask` (design §9).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Failed; the message says what to do.
    Failed = 1,
    /// Wrong usage: flags, configuration, paths.
    Usage = 2,
    /// No such sandbox, or it is not running.
    NoSandbox = 3,
    /// The engine does not answer.
    NoEngine = 4,
    /// The update was tried, failed, and was rolled back.
    RolledBack = 5,
}

/// An error with an exit code and, where one is known, the remedy.
#[derive(Debug)]
pub(crate) struct Failure {
    message: String,
    pub(crate) exit: Exit,
    pub(crate) hint: Option<String>,
}

impl Failure {
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Failure { message: message.into(), exit, hint: None }
    }

    /// Adds the remedy: a sentence, best with a command in backticks.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

/// The code of a child process that is to become our own, without a message: the child has said what there was to say.
#[derive(Debug)]
pub(crate) struct PassThrough(pub(crate) u8);

impl fmt::Display for PassThrough {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the command exited with code {}", self.0)
    }
}

impl std::error::Error for PassThrough {}

/// The exit code that an error stands for.
pub(crate) fn exit_code(error: &anyhow::Error) -> u8 {
    if let Some(child) = error.downcast_ref::<PassThrough>() {
        return child.0;
    }
    error.downcast_ref::<Failure>().map_or(Exit::Failed, |failure| failure.exit) as u8
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context as _;

    #[test]
    fn the_exit_code_survives_added_context() {
        let error = Err::<(), _>(Failure::new(Exit::NoEngine, "the engine does not answer"))
            .context("failed to update")
            .unwrap_err();
        assert_eq!(exit_code(&error), 4);
    }

    #[test]
    fn any_other_error_is_a_plain_failure() {
        assert_eq!(exit_code(&anyhow::anyhow!("boom")), 1);
        assert_eq!(exit_code(&anyhow::Error::new(PassThrough(7))), 7);
    }
}
