//! `workflow enter`: the door through which everything of an agent starts. It opens only once the entrypoint
//! has set up the home and the firewall (`ready` exists); no firewall, no agent.

use std::ffi::OsString;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use clap::Args;

use crate::error::WithHint;
use crate::process;

/// How often the ready file is looked for: a look costs microseconds, and a start takes some 100 ms.
const POLL: Duration = Duration::from_millis(5);
/// The exit code of our own failures, as `docker run` and `timeout` have it, apart from those of the command.
const NOT_ENTERED: u8 = 125;

/// `workflow enter`.
#[derive(Args)]
pub(crate) struct Flags {
    /// How long to wait for the start of the sandbox, in seconds
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = seconds)]
    wait: Duration,
    /// Kill the command with its process group after so long (exit code 124); without it, become the command
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    timeout: Option<Duration>,
    /// The folder that holds the state of this start
    #[arg(long, hide = true, default_value = "/run/ao-sandbox")]
    state: PathBuf,
    /// The command and its arguments
    #[arg(last = true, required = true, value_name = "CMD")]
    command: Vec<OsString>,
}

impl Flags {
    /// Waits, then becomes the command or supervises it. Exit codes: the command's own, 124 when its time was
    /// up, 125 when the sandbox is not ready, 126 when the command cannot be executed, 127 when there is none.
    pub(crate) fn run(self) -> Result<ExitCode> {
        wait_for_start(&self.state, self.wait).exit_code(NOT_ENTERED)?;
        let error = match self.timeout {
            None => process::exec(&self.command),
            Some(limit) => match process::supervise(&self.command, limit) {
                Ok(code) => return Ok(ExitCode::from(code)),
                Err(error) => error,
            },
        };
        let code = code_of(&error);
        let name = self.command.first().map(|name| name.display().to_string()).unwrap_or_default();
        Err(error).with_context(|| format!("failed to run `{name}`")).exit_code(code)
    }
}

fn wait_for_start(state: &Path, limit: Duration) -> Result<()> {
    let ready = state.join("ready");
    let ends = Instant::now() + limit;
    loop {
        if ready.exists() {
            return Ok(());
        }
        // A start that failed does not become ready by waiting.
        if let Some(reason) = reason_of_failure(state) {
            return Err(anyhow!("{reason}").context("the start of the sandbox failed")).hint(
                "read its log with `cargo xtask sandbox-logs`, start again with `cargo xtask sandbox-up`",
            );
        }
        if Instant::now() >= ends {
            return Err(anyhow!("the sandbox is not ready after {} s", limit.as_secs_f32()))
                .hint("read its log with `cargo xtask sandbox-logs`, or wait longer with `--wait`");
        }
        std::thread::sleep(POLL.min(ends.saturating_duration_since(Instant::now())));
    }
}

fn reason_of_failure(state: &Path) -> Option<String> {
    let text = std::fs::read_to_string(state.join("error.txt")).ok()?;
    // The entrypoint may have become ready between our two looks; an old reason is then no news.
    (!state.join("ready").exists() && !text.trim().is_empty()).then(|| text.trim().to_owned())
}

fn code_of(error: &io::Error) -> u8 {
    if error.kind() == ErrorKind::NotFound { 127 } else { 126 }
}

fn seconds(text: &str) -> Result<Duration, String> {
    let number: f64 = text.parse().map_err(|_| "not a number of seconds".to_owned())?;
    Duration::try_from_secs_f64(number).map_err(|error| error.to_string())
}
