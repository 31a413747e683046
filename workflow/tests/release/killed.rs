//! Kills at random moments, with the real program: one whole release remains.

use std::time::{Duration, Instant};

use crate::fixture::{Release, Sandbox};

#[test]
fn forty_installs_killed_at_growing_delays() {
    let releases = [Release::new("first"), Release::new("second").with("/etc/ao-sandbox/more/x", b"x")];
    let sandbox = Sandbox::with(&releases[0]);
    let mut trees = vec![(releases[0].name(), sandbox.tree())];
    sandbox.push(&releases[1]);
    let started = Instant::now();
    assert_eq!(sandbox.install(&releases[1]).status(), "installed");
    let mut whole = started.elapsed();
    trees.push((releases[1].name(), sandbox.tree()));
    let (mut killed, mut changed) = (0, 0);
    for round in 0..40_u32 {
        let before = sandbox.whole();
        let target = releases.iter().find(|release| release.name() != before).unwrap();
        sandbox.push(target);
        let mut child = sandbox
            .command(["install", target.name(), "--json"])
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(whole * round / 36 + Duration::from_micros(300));
        child.kill().unwrap();
        if child.wait().unwrap().code().is_none() {
            killed += 1;
        } else {
            // The machine was busier when the install was timed: aim earlier.
            whole = whole * 3 / 4;
        }
        assert_eq!(sandbox.release(["recover"]).code, Some(0));
        let after = sandbox.whole();
        changed += u32::from(after != before);
        let (_, tree) = trees.iter().find(|(name, _)| *name == after).unwrap();
        assert!(sandbox.tree() == *tree, "round {round}: the files are not those of `{after}`");
        sandbox.assert_tidy();
    }
    eprintln!("{killed} of 40 were killed, {changed} had succeeded by then");
    assert!(killed > 10, "only {killed} of 40 were killed in time");
}

#[test]
fn what_a_kill_left_is_told_and_the_next_install_mends_it() {
    let (old, new) = (Release::new("old"), Release::new("new"));
    let sandbox = Sandbox::with(&old);
    // A firewall that kills the install which runs it.
    let deadly = Release::new("deadly").with(crate::fixture::FIREWALL, b"#!/bin/sh\nkill -9 $PPID\n");
    sandbox.push(&deadly);
    assert_eq!(sandbox.install(&deadly).code, None);
    let status = sandbox.release(["status", "--json"]);
    assert_eq!((&status.json["interrupted"], &status.json["release"]), (&true.into(), &old.name().into()));
    sandbox.push(&new);
    let answer = sandbox.install(&new);
    assert_eq!((answer.status(), &answer.json["previous"]), ("installed", &old.name().into()), "{answer:?}");
    assert_eq!(sandbox.whole(), new.name());
    sandbox.assert_tidy();
}

#[test]
fn recover_says_what_it_undid() {
    let old = Release::new("old");
    let sandbox = Sandbox::with(&old);
    let before = sandbox.tree();
    let deadly = Release::new("deadly").with(crate::fixture::FIREWALL, b"#!/bin/sh\nkill -9 $PPID\n");
    sandbox.push(&deadly);
    assert_eq!(sandbox.install(&deadly).code, None);
    assert_ne!(sandbox.tree(), before);
    let answer = sandbox.release(["recover"]);
    assert_eq!((answer.code, answer.stdout.as_str()), (Some(0), ""));
    assert_eq!(answer.stderr, format!("undid the broken-off install of `{}`\n", deadly.name()));
    assert_eq!(sandbox.tree(), before);
    assert_eq!(sandbox.release(["recover"]).stderr, "");
}
