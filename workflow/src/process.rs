//! The only file that starts processes, and the one that replaces our own (`exec`).
//!
//! Whoever started us through `docker exec` may be gone (killing that client leaves us alive), so every wait
//! in here has an end of its own.
#![expect(clippy::disallowed_methods, reason = "this file owns the start of processes")]

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, IsTerminal, Read, Seek, SeekFrom};
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::fs::{MemfdFlags, memfd_create};
use rustix::process::{Pid, Signal, kill_process_group};

/// The exit code of a command whose time was up, as `timeout` of coreutils has it.
pub(crate) const TIMED_OUT: u8 = 124;
/// How much of a program's stderr is kept: the end, where the reason stands.
const TAIL: u64 = 4096;
/// How much of a program's stdout is kept.
const STDOUT: u64 = 1 << 20;
/// What a group that was asked to end gets before it is killed.
const GRACE: Duration = Duration::from_secs(2);

/// A program that is run to its end without a terminal, within a time limit.
#[derive(Debug)]
pub(crate) struct Job {
    /// Path, or a name to look up on the `PATH`.
    pub(crate) program: PathBuf,
    /// Its arguments.
    pub(crate) args: Vec<OsString>,
    /// Uid and gid to run as; needs root.
    pub(crate) user: Option<(u32, u32)>,
    /// Added to the environment.
    pub(crate) env: Vec<(&'static str, OsString)>,
    /// When the program and its group are killed.
    pub(crate) limit: Duration,
}

/// How a [`Job`] ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// The exit status.
    pub(crate) status: ExitStatus,
    /// Whether the time limit killed it.
    pub(crate) timed_out: bool,
    /// What it wrote to stdout.
    pub(crate) stdout: Vec<u8>,
    /// The end of what it wrote to stderr.
    pub(crate) stderr: String,
    /// How long it took.
    pub(crate) took: Duration,
}

impl Job {
    /// A job of `program` with `args`, as the caller's own user.
    pub(crate) fn new(program: impl Into<PathBuf>, args: &[&str], limit: Duration) -> Self {
        let args = args.iter().map(Into::into).collect();
        Self { program: program.into(), args, user: None, env: Vec::new(), limit }
    }

    /// Runs it. Both streams go to memory files rather than pipes, so that a daemon which keeps them open
    /// cannot hold us up, and a full disk does not matter.
    pub(crate) fn run(&self) -> io::Result<Ended> {
        let (mut stdout, mut stderr) = (memory_file("stdout")?, memory_file("stderr")?);
        let started = Instant::now();
        let mut command = Command::new(&self.program);
        command.args(&self.args).envs(self.env.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(stdout.try_clone()?).stderr(stderr.try_clone()?).process_group(0);
        if let Some((uid, gid)) = self.user {
            command.uid(uid).gid(gid);
        }
        let mut child = command.spawn()?;
        let ended_by_itself = wait_until(&mut child, started + self.limit)?;
        let status = match ended_by_itself {
            Some(status) => status,
            None => kill_group(&mut child)?,
        };
        let (took, timed_out) = (started.elapsed(), ended_by_itself.is_none());
        let stderr = String::from_utf8_lossy(&end_of(&mut stderr, TAIL)?).trim_end().to_owned();
        Ok(Ended { status, timed_out, stdout: end_of(&mut stdout, STDOUT)?, stderr, took })
    }
}

impl Ended {
    /// Whether it ended by itself with exit code 0.
    pub(crate) fn ok(&self) -> bool {
        self.status.success() && !self.timed_out
    }

    /// Why it failed, in words, with the end of its stderr.
    pub(crate) fn reason(&self) -> String {
        let how = match (self.timed_out, self.status.code(), self.status.signal()) {
            (true, ..) => format!("was killed after {} ms", self.took.as_millis()),
            (_, Some(code), _) => format!("ended with exit code {code}"),
            (_, _, signal) => format!("was killed by signal {}", signal.unwrap_or_default()),
        };
        if self.stderr.is_empty() { how } else { format!("{how}: {}", self.stderr) }
    }
}

/// Becomes `command`; returns only when that failed.
pub(crate) fn exec(command: &[OsString]) -> io::Error {
    let Some((program, args)) = command.split_first() else { return io::ErrorKind::InvalidInput.into() };
    Command::new(program).args(args).exec()
}

/// Runs `command` with our own streams in a process group of its own and hands signals on to that group.
/// Returns the exit code as a shell would give it: 128 and the signal's number for a killed one,
/// [`TIMED_OUT`] when `limit` was over.
pub(crate) fn supervise(command: &[OsString], limit: Duration) -> io::Result<u8> {
    let Some((program, args)) = command.split_first() else { return Err(io::ErrorKind::InvalidInput.into()) };
    let signals = Signals::listen()?;
    let started = Instant::now();
    let mut child = Command::new(program).args(args).process_group(0).spawn()?;
    give_terminal(&child)?;
    let mut ends = started + limit;
    let mut timed_out = false;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(if timed_out { TIMED_OUT } else { shell_code(status) });
        }
        if Instant::now() >= ends {
            signal_group(&child, if timed_out { Signal::KILL } else { Signal::TERM });
            timed_out = true;
            ends = Instant::now() + GRACE;
        }
        signals.wait(ends.saturating_duration_since(Instant::now()))?;
        signals.arrived().for_each(|signal| signal_group(&child, signal));
    }
}

/// On a terminal a group of its own would be a background job that stops at its first read: hand it over.
fn give_terminal(child: &Child) -> io::Result<()> {
    let stdin = io::stdin();
    if stdin.is_terminal() && rustix::termios::tcgetpgrp(&stdin).is_ok() {
        rustix::termios::tcsetpgrp(&stdin, Pid::from_child(child))?;
        signal_group(child, Signal::CONT);
    }
    Ok(())
}

fn shell_code(status: ExitStatus) -> u8 {
    let code = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or_default());
    u8::try_from(code).unwrap_or(1)
}

/// The signals that concern a supervised child, as something that can be waited for with a limit.
struct Signals {
    wake: UnixStream,
    flags: Vec<(Signal, Arc<AtomicBool>)>,
}

impl Signals {
    fn listen() -> io::Result<Self> {
        let (wake, waker) = UnixStream::pair()?;
        let mut flags = Vec::new();
        for signal in [Signal::TERM, Signal::INT, Signal::HUP, Signal::QUIT] {
            let flag = Arc::new(AtomicBool::new(false));
            // The flag first: handlers run in the order of registration, and the byte wakes the reader.
            signal_hook::flag::register(signal.as_raw(), Arc::clone(&flag))?;
            signal_hook::low_level::pipe::register(signal.as_raw(), waker.try_clone()?)?;
            flags.push((signal, flag));
        }
        signal_hook::low_level::pipe::register(Signal::CHILD.as_raw(), waker)?;
        Ok(Self { wake, flags })
    }

    fn wait(&self, limit: Duration) -> io::Result<()> {
        self.wake.set_read_timeout(Some(limit.max(Duration::from_millis(1))))?;
        match (&self.wake).read(&mut [0; 64]) {
            Ok(_) => Ok(()),
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    fn arrived(&self) -> impl Iterator<Item = Signal> {
        self.flags.iter().filter(|(_, flag)| flag.swap(false, Ordering::SeqCst)).map(|(signal, _)| *signal)
    }
}

fn wait_until(child: &mut Child, ends: Instant) -> io::Result<Option<ExitStatus>> {
    let mut pause = Duration::from_micros(200);
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if Instant::now() >= ends {
            return Ok(None);
        }
        std::thread::sleep(pause);
        pause = (pause * 5 / 4).min(Duration::from_millis(5));
    }
}

fn kill_group(child: &mut Child) -> io::Result<ExitStatus> {
    signal_group(child, Signal::KILL);
    child.wait()
}

/// A group that has just ended is no error.
fn signal_group(child: &Child, signal: Signal) {
    kill_process_group(Pid::from_child(child), signal).ok();
}

fn memory_file(name: &str) -> io::Result<File> {
    Ok(File::from(memfd_create(name, MemfdFlags::CLOEXEC)?))
}

fn end_of(file: &mut File, limit: u64) -> io::Result<Vec<u8>> {
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(limit)))?;
    let mut bytes = Vec::new();
    file.take(limit).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Whether `name` is an executable file on `path`, a list as in `PATH`.
pub(crate) fn on_path(name: &str, path: &std::ffi::OsStr) -> Option<PathBuf> {
    std::env::split_paths(path).map(|folder| folder.join(name)).find(|file| executable(file))
}

fn executable(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    file.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, limit: Duration) -> Ended {
        Job::new("/bin/sh", &["-c", script], limit).run().unwrap()
    }

    #[test]
    fn a_job_that_hangs_is_killed_with_its_children() {
        let ended = shell("echo early >&2; sleep 60 & sleep 60", Duration::from_millis(100));
        assert!(ended.timed_out && !ended.ok());
        assert!(ended.took < Duration::from_secs(5), "{:?}", ended.took);
        assert!(ended.reason().contains("was killed after") && ended.reason().ends_with("early"));
    }

    #[test]
    fn a_daemon_that_keeps_the_streams_does_not_hold_us_up() {
        let ended = shell("sleep 3 & echo done", Duration::from_secs(2));
        assert!(ended.ok() && ended.took < Duration::from_secs(1));
        assert_eq!(ended.stdout, b"done\n");
    }

    #[test]
    fn only_the_end_of_a_long_stderr_is_kept() {
        let ended = shell("yes no | head -c 100000 >&2; echo reason >&2; exit 3", Duration::from_secs(5));
        assert_eq!(ended.status.code(), Some(3));
        assert!(ended.stderr.ends_with("reason") && ended.stderr.len() <= 4096);
    }

    #[test]
    fn supervise_gives_the_codes_of_a_shell() {
        let run = |script: &str, limit| {
            let command = ["/bin/sh", "-c", script].map(OsString::from);
            supervise(&command, Duration::from_millis(limit)).unwrap()
        };
        assert_eq!(run("sleep 30", 50), TIMED_OUT);
        assert_eq!(run("exit 7", 5000), 7);
        assert_eq!(run("kill -9 $$", 5000), 137);
    }
}
