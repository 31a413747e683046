//! `sandbox-exec` against the stand-in.

use tests::stand_in::StandIn;
use tests::xtask::Person;

use super::{ID, inspected, listed};

fn scene() -> (Person, StandIn, std::path::PathBuf) {
    let mut person = Person::new();
    let docker = StandIn::for_person(&mut person);
    let workspace = person.workspace("app");
    docker.answers("ps *", &listed(&workspace, "running"));
    docker.answers("container inspect *", &inspected(&workspace, "running"));
    (person, docker, workspace)
}

#[test]
fn the_exit_code_of_the_child_is_ours() {
    let (person, docker, workspace) = scene();
    docker.answers_with_code("exec *", "out", 7);
    let exec = person.xtask(&workspace, &["sandbox-exec", ".", "sh", "-c", "exit 7"]).fails(7);
    assert_eq!((exec.stdout.as_str(), exec.stderr.as_str()), ("out", ""));
}

#[test]
fn once_known_one_call_is_enough() {
    let (person, docker, workspace) = scene();
    docker.answers("exec *", "");
    person.xtask(&workspace, &["sandbox-exec", ".", "true"]).ok();
    docker.forget_calls();
    person
        .xtask(
            &workspace,
            &["sandbox-exec", "--timeout", "5", "--workdir", "sub", "-e", "A=secret", ".", "true", "-x"],
        )
        .ok();
    let calls = docker.calls();
    assert_eq!(calls.len(), 1, "{calls:?}");
    assert!(calls[0].contains(ID) && calls[0].contains("--timeout 5 -- true -x"), "{calls:?}");
    assert!(calls[0].contains(&format!("--workdir {}/sub", workspace.display())), "{calls:?}");
    assert!(!calls[0].contains("secret") && calls[0].contains("--env A "), "{calls:?}");
}

#[test]
fn a_stopped_sandbox_is_told_from_a_command_that_failed() {
    let (person, docker, workspace) = scene();
    docker.answers("exec *", "");
    person.xtask(&workspace, &["sandbox-exec", ".", "true"]).ok();
    docker.reset();
    docker.fails("exec *", 1, "Error response from daemon: container is not running");
    docker.answers("container inspect *", &inspected(&workspace, "exited"));
    person.xtask(&workspace, &["sandbox-exec", ".", "true"]).fails(3).says("is not running (state: exited)");
    docker.reset();
    docker.fails("exec *", 1, "");
    docker.answers("container inspect *", &inspected(&workspace, "running"));
    person.xtask(&workspace, &["sandbox-exec", ".", "false"]).fails(1);
}

#[test]
fn a_dead_engine_is_exit_code_four() {
    let (person, docker, workspace) = scene();
    docker.reset();
    docker.fails("*", 1, "Cannot connect to the Docker daemon at unix:///x. Is the docker daemon running?");
    person.xtask(&workspace, &["sandbox-exec", ".", "true"]).fails(4).says("the engine does not answer");
}

#[test]
fn wrong_usage_is_exit_code_two_and_asks_nobody() {
    let (person, docker, workspace) = scene();
    docker.forget_calls();
    for args in [
        &["sandbox-exec"][..],
        &["sandbox-exec", "."],
        &["sandbox-exec", "--timeout", "0", ".", "true"],
        &["sandbox-exec", "-e", "AO_NO_SUCH_VARIABLE", ".", "true"],
        &["sandbox-exec", "-w", "no/such/folder", "true"],
        &["sandbox-agent", "clod"],
        &["sandbox-up", "/"],
    ] {
        person.xtask(&workspace, args).fails(2);
    }
    assert!(docker.calls().is_empty());
}
