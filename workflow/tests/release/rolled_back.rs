//! What is tried and rolled back: exit code 5, and the old release back to the bit.

use std::fs;

use serde_json::json;

use crate::fixture::{ALLOWLIST, ENTRYPOINT, FIREWALL, Release, Sandbox, WORKFLOW};

/// Installs `release` over "old"; it has to be rolled back, with `reason`.
fn roll_back(release: &Release, reason: &str) -> Sandbox {
    let old = Release::new("old").with("/etc/ao-sandbox/only-old", b"x");
    let sandbox = Sandbox::with(&old);
    let before = sandbox.tree();
    sandbox.push(release);
    let answer = sandbox.install(release);
    assert_eq!((answer.code, answer.status()), (Some(5), "rolled-back"), "{answer:?}");
    assert!(answer.error().contains(reason), "{:?} lacks {reason:?}", answer.error());
    assert_eq!(sandbox.tree(), before);
    assert_eq!(sandbox.whole(), old.name());
    sandbox.assert_tidy();
    sandbox
}

#[test]
fn a_firewall_that_fails() {
    let script = b"#!/bin/sh\necho 'allowlist:3: no such thing' >&2\nexit 1\n";
    let sandbox =
        roll_back(&Release::new("new").with(FIREWALL, script), "exit code 1: allowlist:3: no such thing");
    // Also for a person, in the format of all errors.
    let new = Release::new("new").with(FIREWALL, script);
    sandbox.push(&new);
    let answer = sandbox.release(["install", new.name()]);
    assert_eq!(answer.code, Some(5));
    assert!(answer.stderr.starts_with("error: the firewall ended with exit code 1"), "{answer:?}");
    assert!(answer.stdout.contains("no firewall") && answer.stdout.contains("rolled back"), "{answer:?}");
}

#[test]
fn a_firewall_that_cannot_be_started() {
    roll_back(&Release::new("new").with(FIREWALL, b"#!/no/such/shell\n"), "could not be started");
}

#[test]
fn files_and_folders_that_were_new_are_gone_again() {
    let release =
        Release::new("new").with("/etc/ao-sandbox/a/b/c", b"x").with(FIREWALL, b"#!/bin/sh\nexit 1\n");
    let sandbox = roll_back(&release, "exit code 1");
    assert!(!sandbox.place("/etc/ao-sandbox/a").exists());
}

#[test]
fn a_binary_that_is_another_build_or_does_not_run() {
    let other = r#"{"version":"0","commit":null,"dirty":false,"target":"","profile":"","build":"0"}"#;
    let script = |text: &str| format!("#!/bin/sh\n{text}\n").into_bytes();
    roll_back(
        &Release::new("new").with(WORKFLOW, &script(&format!("echo '{other}'"))),
        "says it is build `0`",
    );
    roll_back(&Release::new("new").with(WORKFLOW, &script("echo hello")), "did not answer with a build");
    roll_back(&Release::new("new").with(WORKFLOW, &script("exit 3")), "ended with exit code 3");
    roll_back(&Release::new("new").with(WORKFLOW, b"\x7fELF no program"), "failed to start");
}

#[test]
fn a_binary_that_the_agent_cannot_run() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: only root can ask as another user");
        return;
    }
    let old = Release::new("old");
    let sandbox = Sandbox::with(&old);
    fs::write(sandbox.place("/etc/passwd"), "root:x:0:0::/:/bin/sh\nagent:x:61234:61234::/:/bin/sh\n")
        .unwrap();
    let before = sandbox.tree();
    let script = b"#!/bin/sh\necho \"uid $(id -u) gid $(id -g) groups $(id -G)\" >&2; exit 1\n";
    let new = Release::new("new").with(WORKFLOW, script);
    sandbox.push(&new);
    let answer = sandbox.install(&new);
    assert_eq!(answer.status(), "rolled-back", "{answer:?}");
    assert!(answer.error().contains("uid 61234 gid 61234 groups 61234"), "{answer:?}");
    assert_eq!(sandbox.tree(), before);
}

#[test]
fn the_old_rules_are_applied_again() {
    let log = |tag: &str, code: u8| format!("#!/bin/sh\necho {tag} >> $AO_SANDBOX_ROOT/log\nexit {code}\n");
    let sandbox = Sandbox::with(&Release::new("old").with(FIREWALL, log("old", 0).as_bytes()));
    let new = Release::new("new").with(FIREWALL, log("new", 1).as_bytes());
    sandbox.push(&new);
    assert_eq!(sandbox.install(&new).status(), "rolled-back");
    assert_eq!(fs::read_to_string(sandbox.place("/log")).unwrap(), "old\nnew\nold\n");
}

#[test]
fn after_a_failure_the_next_release_installs_and_rolls_back() {
    let sandbox = roll_back(&Release::new("bad").with(FIREWALL, b"#!/bin/sh\nexit 1\n"), "exit code 1");
    let new = Release::new("new");
    sandbox.push(&new);
    let answer = sandbox.install(&new);
    assert_eq!((answer.code, answer.status()), (Some(0), "installed"), "{answer:?}");
    assert_eq!(answer.json["entrypoint_changed"], json!(true));
    assert_eq!(answer.json["build"]["build"], new.manifest["files"][3]["sha256"]);
    let actions: Vec<_> =
        answer.json["files"].as_array().unwrap().iter().map(|f| (&f["path"], &f["action"])).collect();
    assert_eq!(
        json!(actions),
        json!([
            [ALLOWLIST, "pushed"],
            ["/etc/ao-sandbox/only-old", "removed"],
            [ENTRYPOINT, "pushed"],
            [FIREWALL, "pushed"],
            [WORKFLOW, "pushed"]
        ])
    );
    let back = sandbox.release(["rollback", "--json"]);
    assert_eq!((back.code, &back.json["previous"]), (Some(0), &json!(new.name())), "{back:?}");
    assert_eq!(sandbox.whole(), back.json["release"]);
    assert_eq!(fs::read(sandbox.place("/etc/ao-sandbox/only-old")).unwrap(), b"x");
}
