//! What an install promises beside surviving kills.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::time::Duration;

use super::{Pushed, WORKFLOW, World, entry, new, old, release};
use crate::release::answer::Status;
use crate::release::files;
use crate::release::manifest::digest;
use crate::release::recover::{Recovered, recover};
use crate::release::verify::status;

#[test]
fn a_firewall_that_fails_or_hangs_brings_everything_back() {
    let failing = "#!/bin/sh\necho broken > \"$AO_SANDBOX_ROOT/rules\"\necho line 7: no >&2\nexit 1\n";
    let hanging = "#!/bin/sh\necho broken > \"$AO_SANDBOX_ROOT/rules\"\nsleep 60\n";
    for (script, reason) in [(failing, "exit code 1: line 7: no"), (hanging, "was killed after")] {
        let world = World::with_old();
        let (before, inode) =
            (world.tree(), world.store.place("/opt/entrypoint.sh").metadata().unwrap().ino());
        let answer = world.install_pushed(&world.push(&release("new", &[], script)));
        assert_eq!(answer.status, Status::RolledBack);
        assert!(answer.error.as_ref().unwrap().contains(reason), "{answer:?}");
        assert!(answer.firewall.is_some_and(|run| run.ran && !run.ok));
        assert_eq!(world.tree(), before);
        assert_eq!(world.store.place("/opt/entrypoint.sh").metadata().unwrap().ino(), inode);
        assert_eq!(world.assert_whole(), old().manifest.release);
        assert_eq!(world.state_names(), ["lock", "manifest.json", "previous"]);
    }
}

/// The old release with another content of one file.
fn old_but(path: &str, content: String) -> Pushed {
    let mut other = old();
    other.contents.insert(path.into(), content);
    other.manifest.files = other.contents.iter().map(|(path, content)| entry(path, content)).collect();
    other.manifest.release = digest(&other.manifest.files);
    other
}

#[test]
fn the_firewall_runs_only_for_what_it_reads() {
    let world = World::with_old();
    let rules = world.dir.path().join("rules");
    fs::write(&rules, "untouched").unwrap();
    let entrypoint = old_but("/opt/entrypoint.sh", "#!/bin/sh\n# another\n".into());
    let answer = world.install_pushed(&world.push(&entrypoint));
    assert_eq!((answer.status, answer.firewall), (Status::Installed, None));
    // The program that renders the policy is another one: the script is asked to compare first.
    let workflow = old_but("/usr/local/bin/workflow", format!("{WORKFLOW}# another\n"));
    let answer = world.install_pushed(&world.push(&workflow));
    assert_eq!(answer.status, Status::Installed);
    assert!(answer.firewall.is_some_and(|run| run.ran && run.ok));
    assert_eq!(fs::read_to_string(&rules).unwrap(), "untouched");
}

#[test]
fn a_repair_keeps_the_previous_release() {
    let world = World::with_old();
    let entrypoint = world.store.place("/opt/entrypoint.sh");
    fs::write(&entrypoint, "drifted").unwrap();
    assert_eq!(status(&world.store, true).unwrap().differing.unwrap(), ["/opt/entrypoint.sh"]);
    world.install(&old());
    assert_eq!(world.assert_whole(), old().manifest.release);
    assert_eq!(world.roll_back().status, Status::Installed);
}

#[test]
fn a_rollback_and_another_lead_there_and_back() {
    let world = World::with_old();
    world.install(&new());
    let tree = world.tree();
    for expected in [old().manifest.release, new().manifest.release] {
        let answer = world.roll_back();
        assert_eq!((answer.status, &answer.release), (Status::Installed, &expected), "{answer:?}");
        assert_eq!(world.assert_whole(), expected);
    }
    assert_eq!(world.tree(), tree);
}

#[test]
fn a_rollback_with_nothing_before_says_so() {
    let world = World::new();
    let answer = world.roll_back();
    assert_eq!(answer.status, Status::Refused);
    assert!(answer.error.unwrap().contains("there is no previous release"));
}

#[test]
fn whoever_waits_too_long_for_another_update_is_told() {
    let mut world = World::with_old();
    world.limits.lock = Duration::from_millis(50);
    let held = world.store.lock(Duration::ZERO).unwrap();
    let release = world.push(&new());
    let answer = world.install_pushed(&release);
    assert_eq!(answer.status, Status::Refused);
    assert!(answer.error.unwrap().contains("another update is running"));
    drop(held);
    assert_eq!(world.install_pushed(&release).status, Status::Installed);
}

#[test]
fn a_journal_that_cannot_be_read_does_not_block() {
    let world = World::with_old();
    fs::write(world.store.state("journal.json"), "").unwrap();
    assert!(status(&world.store, false).unwrap().interrupted);
    assert!(matches!(recover(&world.store, &world.limits).unwrap(), Recovered::Unreadable(_)));
    world.install(&new());
    assert_eq!(world.assert_whole(), new().manifest.release);
}

#[test]
fn an_old_push_is_swept_and_a_young_one_is_not() {
    let world = World::with_old();
    let (young, aged) = (world.push(&new()), world.store.state("incoming/aged"));
    files::create_folders(&aged).unwrap();
    let hour_ago = std::time::SystemTime::now() - Duration::from_secs(3600);
    fs::File::open(&aged).unwrap().set_modified(hour_ago).unwrap();
    recover(&world.store, &world.limits).unwrap();
    assert!(!aged.exists());
    assert_eq!(world.install_pushed(&young).status, Status::Installed);
}

#[test]
fn folders_and_files_have_the_modes_of_the_contract_whatever_the_umask() {
    let world = World::with_old();
    let state = world.store.state("");
    fs::set_permissions(state, fs::Permissions::from_mode(0o755)).unwrap();
    rustix::process::umask(0o077.into());
    world.install(&new());
    let mode = |path: &str| world.store.place(path).metadata().unwrap().permissions().mode() & 0o7777;
    assert_eq!(mode("/etc/ao-sandbox/fresh"), 0o755);
    assert_eq!(mode("/etc/ao-sandbox/fresh/deep/data"), 0o644);
    assert_eq!(mode("/usr/local/bin/workflow"), 0o755);
    assert_eq!(mode("/var/lib/ao-sandbox"), 0o700);
    assert_eq!(mode("/var/lib/ao-sandbox/manifest.json"), 0o600);
    assert!(!world.store.place("/etc/ao-sandbox/gone").exists());
}
