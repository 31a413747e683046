//! The one door through which processes are started.
//!
//! Its verbs leave no way to drop an exit status: [`Cmd::run`] (success or an error), [`Cmd::stdout`] (success and its
//! output), [`Cmd::probe`] (the status as data), [`Cmd::interactive`] (the person's terminal, the code as data) and
//! [`Cmd::follow`] (output line by line). An error shows a line that can be pasted into a shell, how it ended,
//! and the end of stderr.
#![expect(clippy::disallowed_methods, reason = "this file owns the start of processes")]

use std::ffi::{OsStr, OsString};
use std::io::{BufRead as _, BufReader, Read as _};
use std::process::ExitStatus;
use std::time::Duration;

use anyhow::{Context as _, bail};
use camino::Utf8PathBuf;

/// What a finished process left behind.
#[derive(Debug)]
pub(crate) struct Output {
    /// The exit code; 128 plus the signal's number where a signal ended it.
    pub(crate) code: i32,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

impl Output {
    pub(crate) fn success(&self) -> bool {
        self.code == 0
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }
}

/// A command that has not been started.
#[derive(Clone, Debug)]
pub(crate) struct Cmd {
    program: OsString,
    args: Vec<OsString>,
    env: Vec<(OsString, Option<OsString>)>,
    dir: Option<Utf8PathBuf>,
    stdin: Option<Vec<u8>>,
    limit: Option<Duration>,
    show_stderr: bool,
}

impl Cmd {
    pub(crate) fn new(program: impl AsRef<OsStr>) -> Self {
        Cmd {
            program: program.as_ref().to_owned(),
            args: vec![],
            env: vec![],
            dir: None,
            stdin: None,
            limit: None,
            show_stderr: false,
        }
    }

    pub(crate) fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.args.push(arg.as_ref().to_owned());
        self
    }

    pub(crate) fn args<A: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args.extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        self
    }

    pub(crate) fn env(mut self, key: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.env.push((key.as_ref().to_owned(), Some(value.as_ref().to_owned())));
        self
    }

    pub(crate) fn envs(self, variables: impl IntoIterator<Item = (String, String)>) -> Self {
        variables.into_iter().fold(self, |cmd, (key, value)| cmd.env(key, value))
    }

    pub(crate) fn env_remove(mut self, key: impl AsRef<OsStr>) -> Self {
        self.env.push((key.as_ref().to_owned(), None));
        self
    }

    pub(crate) fn dir(mut self, dir: impl Into<Utf8PathBuf>) -> Self {
        self.dir = Some(dir.into());
        self
    }

    /// What the process reads; without it, `/dev/null` (but for [`Cmd::interactive`]).
    pub(crate) fn stdin(mut self, bytes: Vec<u8>) -> Self {
        self.stdin = Some(bytes);
        self
    }

    /// Kills the process after this time and calls that an error.
    pub(crate) fn limit(mut self, limit: Duration) -> Self {
        self.limit = Some(limit);
        self
    }

    /// Lets the process write to our stderr, instead of keeping that for an error.
    pub(crate) fn show_stderr(mut self) -> Self {
        self.show_stderr = true;
        self
    }

    /// Runs to success; the output is kept for the error only.
    pub(crate) fn run(self) -> anyhow::Result<()> {
        self.checked().map(drop)
    }

    /// Runs to success and gives stdout without its last line end.
    pub(crate) fn stdout(self) -> anyhow::Result<String> {
        let output = self.checked()?;
        Ok(output.text().trim_end_matches(['\n', '\r']).to_owned())
    }

    /// Runs to its end and gives the status as data; fails only where it cannot be started or takes too long.
    pub(crate) fn probe(self) -> anyhow::Result<Output> {
        let shown = self.shown();
        let expression = self.expression().stdout_capture();
        let expression = if self.show_stderr { expression } else { expression.stderr_capture() };
        let handle = expression.start().with_context(|| format!("failed to start `{shown}`"))?;
        let output = match self.limit {
            None => handle.wait()?,
            Some(limit) => match handle.wait_timeout(limit)? {
                Some(output) => output,
                None => {
                    handle.kill().with_context(|| format!("failed to end `{shown}`"))?;
                    bail!("`{shown}` gave no answer in {} s", limit.as_secs_f32());
                }
            },
        };
        Ok(Output {
            code: code(output.status),
            stdout: output.stdout.clone(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }

    /// Gives the process our own terminal and streams; its exit code is data.
    pub(crate) fn interactive(self) -> anyhow::Result<i32> {
        let shown = self.shown();
        let mut command = duct::cmd(&self.program, &self.args);
        command = self.surroundings(command).unchecked();
        let output = command.run().with_context(|| format!("failed to start `{shown}`"))?;
        Ok(code(output.status))
    }

    /// Runs to success and hands on stdout and stderr line by line, as they come.
    pub(crate) fn follow(self, mut line: impl FnMut(&str)) -> anyhow::Result<()> {
        let shown = self.shown();
        let reader = self.expression().stderr_to_stdout().reader();
        let mut reader = BufReader::new(reader.with_context(|| format!("failed to start `{shown}`"))?);
        let mut tail: Vec<String> = vec![];
        let mut buffer = vec![];
        while reader.read_until(b'\n', &mut buffer)? > 0 {
            let text = String::from_utf8_lossy(&buffer).trim_end().to_owned();
            line(&text);
            tail.push(text);
            if tail.len() > 30 {
                tail.remove(0);
            }
            buffer.clear();
        }
        reader.read_to_end(&mut buffer)?;
        let status = reader.get_ref().try_wait()?.map_or(0, |output| code(output.status));
        if status != 0 {
            bail!(failed(&shown, status, &tail.join("\n")));
        }
        Ok(())
    }

    /// Reads stdout and stderr line by line until one is what was waited for, and ends the process then. False where it ended
    /// before.
    pub(crate) fn until(self, mut wanted: impl FnMut(&str) -> bool) -> anyhow::Result<bool> {
        let shown = self.shown();
        let reader = self.expression().stderr_to_stdout().reader();
        let mut reader = BufReader::new(reader.with_context(|| format!("failed to start `{shown}`"))?);
        let mut line = vec![];
        while reader.read_until(b'\n', &mut line)? > 0 {
            if wanted(String::from_utf8_lossy(&line).trim_end()) {
                reader.get_ref().kill().with_context(|| format!("failed to end `{shown}`"))?;
                return Ok(true);
            }
            line.clear();
        }
        Ok(false)
    }

    /// The command as a person would type it.
    pub(crate) fn shown(&self) -> String {
        let words = std::iter::once(&self.program).chain(&self.args);
        words.map(|word| quoted(&word.to_string_lossy())).collect::<Vec<_>>().join(" ")
    }

    fn checked(self) -> anyhow::Result<Output> {
        let shown = self.shown();
        let output = self.probe()?;
        if !output.success() {
            let said = if output.stderr.trim().is_empty() { output.text() } else { output.stderr.clone() };
            bail!(failed(&shown, output.code, &said));
        }
        Ok(output)
    }

    fn expression(&self) -> duct::Expression {
        let expression = self.surroundings(duct::cmd(&self.program, &self.args)).unchecked();
        match &self.stdin {
            Some(bytes) => expression.stdin_bytes(bytes.clone()),
            None => expression.stdin_null(),
        }
    }

    fn surroundings(&self, mut expression: duct::Expression) -> duct::Expression {
        for (key, value) in &self.env {
            expression = match value {
                Some(value) => expression.env(key, value),
                None => expression.env_remove(key),
            };
        }
        match &self.dir {
            Some(dir) => expression.dir(dir),
            None => expression,
        }
    }
}

/// The folders in which `PATH` is searched hold a program of this name.
pub(crate) fn on_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let suffix = std::env::consts::EXE_SUFFIX;
    std::env::split_paths(&path).any(|folder| folder.join(format!("{program}{suffix}")).is_file())
}

/// Starts a daemon that outlives us: a session of its own, its output in a file.
pub(crate) fn detach(cmd: &Cmd, log: &camino::Utf8Path) -> anyhow::Result<()> {
    let file = std::fs::File::create(log).with_context(|| format!("failed to create `{log}`"))?;
    let expression = duct::cmd("setsid", std::iter::once(&cmd.program).chain(&cmd.args));
    let handle = expression
        .stdin_null()
        .stderr_to_stdout()
        .stdout_file(file)
        .start()
        .with_context(|| format!("failed to start `{}`", cmd.shown()))?;
    // Dropping the handle neither waits nor kills: the daemon goes on without us.
    drop(handle);
    Ok(())
}

fn failed(shown: &str, code: i32, said: &str) -> String {
    let lines: Vec<&str> = said.trim_end().lines().collect();
    let tail = lines[lines.len().saturating_sub(20)..].join("\n");
    let ended = if code > 128 { format!("signal {}", code - 128) } else { format!("exit code {code}") };
    if tail.is_empty() {
        format!("`{shown}` ended with {ended}")
    } else {
        format!("`{shown}` ended with {ended}\n{tail}")
    }
}

#[cfg(unix)]
fn code(status: ExitStatus) -> i32 {
    use std::os::unix::process::ExitStatusExt as _;
    status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0))
}

#[cfg(not(unix))]
fn code(status: ExitStatus) -> i32 {
    status.code().unwrap_or(1)
}

fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@,+%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_shows_the_line_the_code_and_the_end_of_stderr() {
        let error = Cmd::new("sh").args(["-c", "echo 'no such thing' >&2; exit 3"]).run().unwrap_err();
        let text = error.to_string();
        assert!(text.contains("sh -c 'echo '\\''no such thing'\\'' >&2; exit 3'"), "{text}");
        assert!(text.contains("exit code 3\nno such thing"), "{text}");
    }

    #[test]
    fn a_time_limit_ends_the_process_and_is_an_error() {
        let started = std::time::Instant::now();
        let error = Cmd::new("sleep").arg("20").limit(Duration::from_millis(50)).run().unwrap_err();
        assert!(error.to_string().contains("gave no answer"), "{error}");
        assert!(started.elapsed() < Duration::from_secs(5));
    }

    #[test]
    fn a_program_that_is_not_there_is_named() {
        let error = Cmd::new("ao-no-such-program").run().unwrap_err();
        assert!(format!("{error:#}").contains("ao-no-such-program"));
    }

    #[test]
    fn followed_lines_come_in_order_and_failure_is_seen() {
        let mut lines = vec![];
        let result = Cmd::new("sh")
            .args(["-c", "echo a; echo b >&2; exit 4"])
            .follow(|line| lines.push(line.to_owned()));
        assert_eq!(lines, ["a", "b"]);
        assert!(result.unwrap_err().to_string().contains("exit code 4"));
    }

    #[test]
    fn waiting_ends_at_the_line_and_not_at_the_end() {
        let cmd = || Cmd::new("sh").args(["-c", "echo a; echo b; exec sleep 20"]);
        let started = std::time::Instant::now();
        assert!(cmd().until(|line| line == "b").unwrap());
        assert!(started.elapsed() < Duration::from_secs(5));
        assert!(!Cmd::new("echo").arg("a").until(|line| line == "b").unwrap());
    }

    #[test]
    fn a_signal_is_an_exit_code_above_128() {
        assert_eq!(Cmd::new("sh").args(["-c", "kill -9 $$"]).probe().unwrap().code, 137);
    }
}
