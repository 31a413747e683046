//! Several at once: clients that update, and readers that start the program all the while.

use std::fs;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;

use serde_json::json;

use crate::fixture::{ALLOWLIST, Answer, ENTRYPOINT, FIREWALL, Release, Sandbox, WORKFLOW, program};

#[test]
fn readers_never_miss_the_program_while_forty_installs_pass() {
    let releases = [Release::new("first"), Release::new("second")];
    let sandbox = Sandbox::with(&releases[0]);
    let builds = releases.each_ref().map(|release| release.manifest["files"][3]["sha256"].clone());
    let (done, starts) = (AtomicBool::new(false), AtomicU32::new(0));
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    let output =
                        program(sandbox.place(WORKFLOW)).args(["version", "--json"]).output().unwrap();
                    let answer = Answer::of(output);
                    assert_eq!(answer.code, Some(0), "{answer:?}");
                    assert!(builds.contains(&answer.json["build"]), "{answer:?}");
                    starts.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        scope.spawn(|| {
            // Closer together than any start of a program: each file is there at every moment, and whole.
            while !done.load(Ordering::Relaxed) {
                for path in [WORKFLOW, ENTRYPOINT, FIREWALL, ALLOWLIST] {
                    let size = sandbox.place(path).metadata().map(|meta| meta.len() as usize);
                    let whole =
                        |release: &Release| size.as_ref().is_ok_and(|s| *s == release.contents[path].len());
                    assert!(releases.iter().any(whole), "`{path}`: {size:?}");
                }
            }
        });
        for round in 1..=40 {
            let release = &releases[round % 2];
            sandbox.push(release);
            let answer = sandbox.install(release);
            assert_eq!(answer.status(), "installed", "{answer:?}");
        }
        done.store(true, Ordering::Relaxed);
    });
    let starts = starts.into_inner();
    eprintln!("{starts} starts, none failed");
    assert!(starts > 40, "only {starts} starts");
}

#[test]
fn two_clients_that_push_the_same_release() {
    let (old, new) = (Release::new("old"), Release::new("new"));
    for _ in 0..5 {
        let sandbox = Sandbox::with(&old);
        sandbox.push(&new);
        let start =
            || sandbox.command(["install", new.name(), "--json"]).stdout(Stdio::piped()).spawn().unwrap();
        let answers = [start(), start()].map(|child| Answer::of(child.wait_with_output().unwrap()));
        let mut statuses = answers.each_ref().map(Answer::status);
        statuses.sort_unstable();
        assert_eq!(statuses, ["installed", "unchanged"], "{answers:?}");
        assert_eq!(sandbox.whole(), new.name());
        sandbox.assert_tidy();
    }
}

#[test]
fn two_clients_that_push_different_releases() {
    let (first, second) = (Release::new("first"), Release::new("second"));
    let sandbox = Sandbox::with(&Release::new("old"));
    sandbox.push(&first);
    sandbox.push(&second);
    let start = |release: &Release| {
        sandbox.command(["install", release.name(), "--json"]).stdout(Stdio::piped()).spawn().unwrap()
    };
    let answers = [start(&first), start(&second)].map(|child| Answer::of(child.wait_with_output().unwrap()));
    assert!(answers.iter().all(|answer| answer.status() == "installed"), "{answers:?}");
    assert!([first.name(), second.name()].contains(&sandbox.whole().as_str()));
    sandbox.assert_tidy();
}

#[test]
fn what_is_installed_already_is_not_touched() {
    let release = Release::new("old").with(FIREWALL, b"#!/bin/sh\necho ran >> $AO_SANDBOX_ROOT/log\n");
    let sandbox = Sandbox::with(&release);
    let times =
        || [ALLOWLIST, WORKFLOW].map(|path| sandbox.place(path).metadata().unwrap().modified().unwrap());
    let (before, manifest) =
        (times(), sandbox.state("manifest.json").metadata().unwrap().modified().unwrap());
    sandbox.push(&release);
    let answer = sandbox.install(&release);
    assert_eq!((answer.code, answer.status()), (Some(0), "unchanged"), "{answer:?}");
    assert_eq!((&answer.json["firewall"], &answer.json["build"]), (&json!(null), &json!(null)));
    assert_eq!(times(), before);
    assert_eq!(sandbox.state("manifest.json").metadata().unwrap().modified().unwrap(), manifest);
    assert_eq!(fs::read_to_string(sandbox.place("/log")).unwrap(), "ran\n");
    assert!(!sandbox.incoming(&release).exists());
}

#[test]
fn a_running_program_goes_on_with_its_own_build() {
    let (old, new) = (Release::new("old"), Release::new("new"));
    let sandbox = Sandbox::with(&old);
    let ready = sandbox.place("/late");
    let mut waiting = program(sandbox.place(WORKFLOW));
    waiting.args(["enter", "--wait", "20", "--state"]).arg(&ready).args(["--", "echo", "entered"]);
    let waiting = waiting.stdout(Stdio::piped()).spawn().unwrap();
    sandbox.push(&new);
    assert_eq!(sandbox.install(&new).status(), "installed");
    fs::create_dir(&ready).unwrap();
    fs::write(ready.join("ready"), "").unwrap();
    let answer = Answer::of(waiting.wait_with_output().unwrap());
    assert_eq!((answer.code, answer.stdout.as_str()), (Some(0), "entered\n"));
}
