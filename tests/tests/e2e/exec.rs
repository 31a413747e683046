//! `sandbox-exec` as if the command ran here.

use std::time::{Duration, Instant};

use tests::engine::{Sandbox, eventually};
use tests::process::{run_with, wait};

#[test]
fn streams_codes_folders_and_variables_are_the_commands_own() {
    let sandbox = Sandbox::up("exec-app");
    sandbox.sh("exit 7").fails(7);
    let both = sandbox.sh("echo out; echo err >&2").ok();
    assert_eq!((both.stdout.as_str(), both.stderr.as_str()), ("out\n", "err\n"));
    let mut cat = sandbox.person.command(&sandbox.workspace, &["sandbox-exec", ".", "cat"]);
    assert_eq!(run_with(&mut cat, Some(b"typed"), Duration::from_secs(20)).ok().stdout, "typed");
    std::fs::create_dir(sandbox.workspace.join("sub")).expect("a folder");
    let pwd = sandbox.xtask(&["sandbox-exec", "--workdir", "sub", ".", "pwd"]).ok();
    assert_eq!(pwd.stdout.trim(), sandbox.workspace.join("sub").to_str().expect("UTF-8"));
    let env = sandbox.xtask(&["sandbox-exec", "-e", "A=b c", ".", "sh", "-c", "echo \"$A\""]).ok();
    assert_eq!(env.stdout, "b c\n");
    sandbox.xtask(&["sandbox-exec", ".", "no-such-program"]).fails(127);
    assert_eq!(sandbox.root("id -u").ok().stdout.trim(), "0");
}

#[test]
fn a_time_limit_ends_the_command_inside_too() {
    let sandbox = Sandbox::up("timeout-app");
    let started = Instant::now();
    sandbox.xtask(&["sandbox-exec", "--timeout", "1", ".", "sh", "-c", "sleep 4242 & sleep 4242"]).fails(124);
    assert!(started.elapsed() < Duration::from_secs(8));
    assert_eq!(sandbox.sh("pgrep -xf 'sleep 4242' || true").ok().stdout, "");
}

#[test]
fn an_interruption_here_reaches_the_process_there() {
    let sandbox = Sandbox::up("interrupt-app");
    let mut child = sandbox
        .person
        .command(&sandbox.workspace, &["sandbox-exec", ".", "sleep", "4343"])
        .spawn()
        .expect("xtask starts");
    let running = || sandbox.sh("pgrep -xf 'sleep 4343' || true").ok().stdout.trim().lines().count() == 1;
    eventually("the command runs inside", Duration::from_secs(10), running);
    let kill = tests::process::run(tests::process::command("kill").args(["-INT", &child.id().to_string()]));
    kill.ok();
    let code = wait(&mut child, Duration::from_secs(10)).expect("xtask ends");
    assert_eq!(code, 130);
    eventually("the command is gone inside", Duration::from_secs(5), || !running());
}
