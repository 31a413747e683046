//! `workflow signal`: hands a signal to everything that one `sandbox-exec` started.
//!
//! The engine's client does not hand signals on, and killing it leaves the process inside alive. So each exec marks its processes by a variable, which children inherit,
//! and an interruption outside becomes a second exec of this command.

use std::fs;

use anyhow::{Context, Result, anyhow};
use clap::Args;
use rustix::process::{Pid, Signal, kill_process};

/// The variable that carries the mark.
const VARIABLE: &str = "AO_SANDBOX_EXEC";

/// `workflow signal`.
#[derive(Args)]
pub(crate) struct Flags {
    /// The mark that the exec was given
    mark: String,
    /// The signal's number
    #[arg(default_value_t = 15)]
    signal: i32,
}

impl Flags {
    /// Signals each process that carries the mark. None at all is no error: they have ended already.
    pub(crate) fn run(self) -> Result<()> {
        let signal = Signal::from_named_raw(self.signal)
            .ok_or_else(|| anyhow!("no signal has the number {}", self.signal))?;
        let mark = format!("{VARIABLE}={}", self.mark);
        for entry in fs::read_dir("/proc").context("failed to read `/proc`")? {
            let name = entry?.file_name();
            let Some(pid) = name.to_str().and_then(|name| name.parse().ok()).and_then(Pid::from_raw) else {
                continue;
            };
            if carries(&name.to_string_lossy(), &mark) {
                // It may have ended since we looked; nothing is left to do then.
                kill_process(pid, signal).unwrap_or(());
            }
        }
        Ok(())
    }
}

/// A process whose environment we may not read is another user's, and so not of this exec.
fn carries(pid: &str, mark: &str) -> bool {
    let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    environment.split(|byte| *byte == 0).any(|variable| variable == mark.as_bytes())
}
