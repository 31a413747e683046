//! `workflow enter` as a program: waiting, exit codes, time limits, signals.
#![expect(clippy::disallowed_methods, reason = "the tests start the program under test")]

use std::fs;
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use tempfile::TempDir;

fn enter(state: &TempDir, options: &[&str], command: &[&str]) -> Command {
    let mut enter = Command::new(env!("CARGO_BIN_EXE_workflow"));
    enter.arg("enter").arg("--state").arg(state.path()).args(options).arg("--").args(command);
    enter.stdout(Stdio::piped()).stderr(Stdio::piped());
    enter
}

fn ready() -> TempDir {
    let state = tempfile::tempdir().unwrap();
    fs::write(state.path().join("ready"), "").unwrap();
    state
}

fn texts(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (text(&output.stdout), text(&output.stderr))
}

#[test]
fn a_sandbox_that_is_not_ready_in_time_is_not_entered() {
    let state = tempfile::tempdir().unwrap();
    let output = enter(&state, &["--wait", "0.1"], &["echo", "in"]).output().unwrap();
    let (stdout, stderr) = texts(&output);
    assert_eq!((output.status.code(), stdout.as_str()), (Some(125), ""));
    assert!(stderr.starts_with("error: the sandbox is not ready after 0.1 s"), "{stderr}");
    assert!(stderr.contains("\nhint: "), "{stderr}");
}

#[test]
fn a_start_that_failed_says_why_at_once() {
    let state = tempfile::tempdir().unwrap();
    fs::write(state.path().join("error.txt"), "allowlist:3: no such thing\n").unwrap();
    let started = Instant::now();
    let output = enter(&state, &["--wait", "30"], &["echo", "in"]).output().unwrap();
    let (stdout, stderr) = texts(&output);
    assert_eq!((output.status.code(), stdout.as_str()), (Some(125), ""));
    assert!(stderr.contains("caused by: allowlist:3: no such thing"), "{stderr}");
    assert!(started.elapsed() < Duration::from_secs(10));
}

#[test]
fn codes_of_commands_that_do_not_run() {
    let state = ready();
    let plain = state.path().join("plain");
    fs::write(&plain, "no program").unwrap();
    for options in [&[][..], &["--timeout", "5"][..]] {
        let missing = enter(&state, options, &["/no/such/program"]).output().unwrap();
        assert_eq!(missing.status.code(), Some(127), "{missing:?}");
        assert!(texts(&missing).1.starts_with("error: failed to run `/no/such/program`"), "{missing:?}");
        let refused = enter(&state, options, &[plain.to_str().unwrap()]).output().unwrap();
        assert_eq!(refused.status.code(), Some(126), "{refused:?}");
        let own = enter(&state, options, &["sh", "-c", "exit 42"]).output().unwrap();
        assert_eq!(own.status.code(), Some(42));
    }
}

#[test]
fn usage_is_two() {
    let state = ready();
    assert_eq!(enter(&state, &["--wait", "soon"], &["true"]).output().unwrap().status.code(), Some(2));
    assert_eq!(enter(&state, &["--timeout", "-1"], &["true"]).output().unwrap().status.code(), Some(2));
    assert_eq!(enter(&state, &[], &[]).output().unwrap().status.code(), Some(2));
}

#[test]
fn it_waits_for_the_start() {
    let state = tempfile::tempdir().unwrap();
    let child = enter(&state, &[], &["echo", "in"]).spawn().unwrap();
    thread::sleep(Duration::from_millis(100));
    fs::write(state.path().join("ready"), "").unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), texts(&output).0.as_str()), (Some(0), "in\n"));
}

#[test]
fn it_becomes_the_command() {
    let state = ready();
    let child = enter(&state, &[], &["sh", "-c", "echo $$"]).spawn().unwrap();
    let pid = child.id();
    assert_eq!(texts(&child.wait_with_output().unwrap()).0, format!("{pid}\n"));
}

/// The line that a child wrote to stdout, without waiting for its end.
fn first_line(child: &mut Child) -> String {
    let mut line = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(child.stdout.as_mut().unwrap()), &mut line)
        .unwrap();
    line.trim().to_owned()
}

fn is_alive(pid: &str) -> bool {
    // A zombie, which nobody may be there to reap, is dead.
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let pid = Pid::from_raw(pid.parse().unwrap()).unwrap();
    !status.contains("State:\tZ") && test_kill_process(pid).is_ok()
}

#[test]
fn a_command_whose_time_is_up_is_killed_with_its_children() {
    let script = "sleep 60 & echo $!; wait";
    let state = ready();
    let mut child = enter(&state, &["--timeout", "0.2"], &["sh", "-c", script]).spawn().unwrap();
    let grandchild = first_line(&mut child);
    assert!(is_alive(&grandchild));
    assert_eq!(child.wait().unwrap().code(), Some(124));
    thread::sleep(Duration::from_millis(50));
    assert!(!is_alive(&grandchild));
}

#[test]
fn a_command_that_ignores_the_request_is_killed() {
    let script = "trap '' TERM; echo on; while :; do sleep 0.05; done";
    let started = Instant::now();
    let state = ready();
    let output = enter(&state, &["--timeout", "0.1"], &["sh", "-c", script]).output().unwrap();
    assert_eq!(output.status.code(), Some(124));
    assert!(started.elapsed() < Duration::from_secs(10));
}

#[test]
fn signals_are_handed_on() {
    let script = "trap 'echo got; exit 9' TERM; echo on; while :; do sleep 0.02; done";
    let state = ready();
    let mut child = enter(&state, &["--timeout", "30"], &["sh", "-c", script]).spawn().unwrap();
    assert_eq!(first_line(&mut child), "on");
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(9));
}
