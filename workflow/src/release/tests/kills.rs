//! Kills at every step of an install, of a rollback, and of the recovery from them: what remains is one whole
//! release with its rules, and nothing half-done.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::{FIREWALL, World, new, old, release};
use crate::release::fault::{arm, disarm};
use crate::release::recover::recover;
use crate::release::verify::status;

/// Runs `act` and kills it after `steps` steps; true when it was killed.
fn killed<T>(steps: u32, act: impl FnOnce() -> T) -> bool {
    arm(steps);
    let killed = catch_unwind(AssertUnwindSafe(act)).is_err();
    disarm();
    killed
}

/// Kills `act` at every step, and every recovery from it at every step, and returns how often it was killed.
fn kill_everywhere(act: impl Fn(&World), before: &str, after: &str) -> u32 {
    let mut kills = 0;
    for steps in 0.. {
        let mut recovery_kills = 0;
        loop {
            let world = World::with_old();
            let trees = BTreeMap::from([(before.to_owned(), world.tree())]);
            if !killed(steps, || act(&world)) {
                assert_eq!(world.assert_whole(), after);
                return kills;
            }
            kills += 1;
            let again = killed(recovery_kills, || recover(&world.store, &world.limits).unwrap());
            recover(&world.store, &world.limits).unwrap();
            let left = world.assert_whole();
            assert!(left == before || left == after, "neither of both: {left}");
            assert!(trees.get(&left).is_none_or(|tree| *tree == world.tree()), "not as it was");
            assert_eq!(world.state_names(), ["lock", "manifest.json", "previous"]);
            if !again {
                act(&world);
                assert_eq!(world.assert_whole(), after);
                break;
            }
            recovery_kills += 1;
        }
    }
    kills
}

#[test]
fn an_install_that_is_killed_anywhere_leaves_one_whole_release() {
    let (before, after) = (old().manifest.release, new().manifest.release);
    let act = |world: &World| {
        world.install_pushed(&world.push(&new()));
    };
    assert!(kill_everywhere(act, &before, &after) > 100);
}

#[test]
fn a_rollback_that_is_killed_anywhere_leaves_one_whole_release() {
    let (before, after) =
        (old().manifest.release, release("older", &[("/etc/ao-sandbox/older", "x")], FIREWALL));
    let act = |world: &World| {
        if status(&world.store, false).unwrap().release.as_ref() == Some(&before) {
            world.roll_back();
        }
    };
    assert!(kill_everywhere(act, &before, &after.manifest.release) > 100);
}

#[test]
fn a_first_install_that_is_killed_leaves_nothing_or_all() {
    for steps in 0.. {
        let world = World::new();
        let empty = world.tree();
        let release = world.push(&new());
        let killed = killed(steps, || world.install_pushed(&release));
        recover(&world.store, &world.limits).unwrap();
        let status = status(&world.store, true).unwrap();
        match status.release {
            None => assert_eq!(world.tree(), empty),
            Some(_) => assert_eq!(status.ok, Some(true)),
        }
        if !killed {
            return;
        }
    }
}
