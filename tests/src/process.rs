//! The one place of the tests that starts processes.
#![expect(clippy::disallowed_methods, reason = "this file owns the start of processes")]

use std::io::Write as _;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// What a finished process left behind.
#[derive(Debug)]
pub struct Finished {
    /// The exit code; -1 where a signal ended it.
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
    pub took: Duration,
}

impl Finished {
    /// The result itself where the code is 0; else a panic that shows everything.
    #[track_caller]
    pub fn ok(self) -> Self {
        assert_eq!(self.code, 0, "stdout: {}\nstderr: {}", self.stdout, self.stderr);
        self
    }

    /// The result itself where the code is this one; else a panic that shows everything.
    #[track_caller]
    pub fn fails(self, code: i32) -> Self {
        assert_eq!(self.code, code, "stdout: {}\nstderr: {}", self.stdout, self.stderr);
        self
    }

    /// A panic that shows stderr, unless stderr contains this.
    #[track_caller]
    pub fn says(self, words: &str) -> Self {
        assert!(self.stderr.contains(words), "`{words}` is not in stderr:\n{}", self.stderr);
        self
    }

    /// Stdout as JSON.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}\n{}", self.stdout, self.stderr))
    }
}

/// A command whose streams are captured.
pub fn command(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(program);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs to the end, or panics after two minutes.
#[track_caller]
pub fn run(command: &mut Command) -> Finished {
    run_with(command, None, Duration::from_secs(600))
}

/// The same with something to read, and a time limit.
#[track_caller]
pub fn run_with(command: &mut Command, stdin: Option<&[u8]>, limit: Duration) -> Finished {
    let started = Instant::now();
    if stdin.is_some() {
        command.stdin(Stdio::piped());
    }
    let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    if let (Some(bytes), Some(mut pipe)) = (stdin, child.stdin.take()) {
        pipe.write_all(bytes).expect("the process reads");
    }
    let out = reader(child.stdout.take());
    let err = reader(child.stderr.take());
    let code = wait(&mut child, limit).unwrap_or_else(|| panic!("{command:?} did not end in {limit:?}"));
    let text = |thread: std::thread::JoinHandle<Vec<u8>>| {
        String::from_utf8_lossy(&thread.join().expect("a reader")).into_owned()
    };
    Finished { code, stdout: text(out), stderr: text(err), took: started.elapsed() }
}

/// Waits for the end of a process; none, and the process killed, after the limit.
pub fn wait(child: &mut Child, limit: Duration) -> Option<i32> {
    let started = Instant::now();
    loop {
        if let Some(status) = child.try_wait().expect("a child can be waited for") {
            return Some(status.code().unwrap_or(-1));
        }
        if started.elapsed() > limit {
            child.kill().expect("a child can be killed");
            child.wait().expect("a killed child ends");
            return None;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn reader(pipe: Option<impl std::io::Read + Send + 'static>) -> std::thread::JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut bytes = vec![];
        if let Some(mut pipe) = pipe {
            pipe.read_to_end(&mut bytes).expect("a pipe can be read");
        }
        bytes
    })
}
