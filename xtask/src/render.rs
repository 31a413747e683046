//! The only file that prints. Data goes to stdout, everything else to stderr.
#![expect(clippy::print_stderr, reason = "this file owns both streams")]

use std::io::{IsTerminal as _, Write as _};
use std::time::Duration;

use anyhow::{Context as _, bail};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use crate::failure::{Failure, PassThrough};

/// How much is said, and in which form; decided once from the flags and the terminal.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ui {
    quiet: bool,
    verbose: bool,
    json: bool,
    color: bool,
    terminal: bool,
}

impl Ui {
    pub(crate) fn new(quiet: bool, verbose: bool, json: bool) -> Self {
        let terminal = std::io::stderr().is_terminal();
        let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Ui { quiet, verbose, json, color: terminal && !no_color, terminal }
    }

    pub(crate) fn json(&self) -> bool {
        self.json
    }

    /// True where a child's own progress bar reads well.
    pub(crate) fn can_show_progress(&self) -> bool {
        self.terminal && !self.quiet
    }

    /// True where a person can answer a question.
    pub(crate) fn can_ask(&self) -> bool {
        self.terminal && std::io::stdin().is_terminal()
    }

    /// A line of data on stdout.
    pub(crate) fn data(&self, line: impl AsRef<str>) {
        // A closed pipe (`… | head`) is the reader's decision, not an error of ours.
        drop(writeln!(std::io::stdout(), "{}", line.as_ref()));
    }

    /// A JSON document on stdout.
    pub(crate) fn data_json(&self, value: &impl Serialize) -> anyhow::Result<()> {
        let text = serde_json::to_string_pretty(value).context("failed to write JSON")?;
        self.data(text);
        Ok(())
    }

    /// What happens, for a person; silent with `-q`.
    pub(crate) fn say(&self, line: impl AsRef<str>) {
        if !self.quiet {
            eprintln!("{}", line.as_ref());
        }
    }

    /// A detail that only `-v` shows.
    pub(crate) fn detail(&self, line: impl AsRef<str>) {
        if self.verbose {
            eprintln!("{}", self.paint("2", line.as_ref()));
        }
    }

    /// Something the person should know although the command goes on; shown also with `-q`.
    pub(crate) fn warn(&self, line: impl AsRef<str>) {
        eprintln!("{} {}", self.paint("33", "warning:"), line.as_ref());
    }

    /// A step of long work: a spinner on a terminal, plain lines elsewhere.
    pub(crate) fn step(&self, what: impl Into<String>) -> Step {
        let what = what.into();
        if self.quiet || !self.terminal || self.verbose {
            self.say(format!("{what} …"));
            return Step { bar: None };
        }
        let bar = ProgressBar::new_spinner().with_message(what);
        let style = ProgressStyle::with_template("{spinner} {wide_msg} {elapsed}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
        bar.enable_steady_tick(Duration::from_millis(100));
        Step { bar: Some(bar) }
    }

    /// Asks a question that is answered by yes or no; no is the default.
    pub(crate) fn confirm(&self, question: &str) -> anyhow::Result<bool> {
        if !self.can_ask() {
            bail!("`{question}` needs an answer, and there is no terminal to ask on");
        }
        eprint!("{question} [y/N] ");
        std::io::stderr().flush()?;
        let mut answer = String::new();
        std::io::stdin().read_line(&mut answer).context("failed to read the answer")?;
        Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
    }

    /// An error with its causes and its hint, in the form that `style.md` gives.
    pub(crate) fn error(&self, error: &anyhow::Error) {
        if error.downcast_ref::<PassThrough>().is_some() {
            return;
        }
        eprintln!("{} {error}", self.paint("1;31", "error:"));
        for cause in error.chain().skip(1) {
            eprintln!("  caused by: {}", cause.to_string().trim_end().replace('\n', "\n    "));
        }
        if let Some(hint) = error.downcast_ref::<Failure>().and_then(|failure| failure.hint.as_ref()) {
            eprintln!("\n{} {hint}", self.paint("36", "hint:"));
        }
    }

    /// The sign of a check's result, coloured on a terminal.
    pub(crate) fn mark(&self, word: &str) -> String {
        match word {
            "ok" => self.paint("32", "ok  "),
            "warn" => self.paint("33", "warn"),
            _ => self.paint("31", "fail"),
        }
    }

    fn paint(&self, code: &str, text: &str) -> String {
        if self.color { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// A running step; the spinner goes away when it is dropped.
#[must_use]
pub(crate) struct Step {
    bar: Option<ProgressBar>,
}

impl Step {
    /// Shows the newest line of the work's output beside the step.
    pub(crate) fn note(&self, line: &str) {
        if let Some(bar) = &self.bar {
            bar.set_prefix(line.to_owned());
            bar.tick();
        }
    }
}

impl Drop for Step {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// A table with aligned columns, for a person; programs ask for `--json`.
pub(crate) fn table(rows: &[Vec<String>]) -> Vec<String> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_no_line_ends_in_blanks() {
        let rows = vec![vec!["NAME".into(), "STATE".into()], vec!["ao-sandbox-app".into(), "running".into()]];
        assert_eq!(table(&rows), ["NAME            STATE", "ao-sandbox-app  running"]);
    }
}
