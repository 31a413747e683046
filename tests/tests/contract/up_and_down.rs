//! `sandbox-up`, `sandbox-stop`, `sandbox-down`, `sandbox-ls` against the stand-in.

use tests::stand_in::StandIn;
use tests::xtask::Person;

use super::{ID, inspected, inspected_with, listed};

fn scene(state: &str) -> (Person, StandIn, std::path::PathBuf) {
    let mut person = Person::new();
    let docker = StandIn::for_person(&mut person);
    let workspace = person.workspace("app");
    docker.answers("ps *", &listed(&workspace, state));
    docker.answers("container inspect *", &inspected(&workspace, state));
    (person, docker, workspace)
}

#[test]
fn a_running_sandbox_costs_one_inspect_once_it_is_known() {
    let (person, docker, workspace) = scene("running");
    person.xtask(&workspace, &["sandbox-up"]).ok().says("is running already");
    docker.forget_calls();
    let up = person.xtask(&workspace, &["sandbox-up"]).ok();
    assert_eq!(docker.verbs(), ["container inspect"]);
    assert_eq!(up.stdout, "");
}

#[test]
fn other_options_than_at_creation_are_told() {
    let (person, _docker, workspace) = scene("running");
    let up = person
        .xtask(&workspace, &["sandbox-up", "--memory", "1g", "--json"])
        .ok()
        .says("set at creation")
        .says("--recreate");
    let differs = up.json()["differs"].to_string();
    assert!(differs.contains("memory: nothing at its creation, `1g` today"), "{differs}");
}

#[test]
fn a_paused_one_is_resumed_and_a_stopped_one_started() {
    let (person, docker, workspace) = scene("paused");
    docker.answers("unpause *", "");
    person.xtask(&workspace, &["sandbox-up"]).ok();
    assert!(docker.calls().contains(&format!("unpause {ID}")));
    let (person, docker, workspace) = scene("exited");
    docker.answers("start *", "");
    docker.answers("exec *", "");
    person.xtask(&workspace, &["sandbox-up"]).ok();
    let calls = docker.calls();
    assert!(
        calls.contains(&format!("start {ID}"))
            && calls.last().is_some_and(|call| call.contains("enter --wait")),
        "{calls:?}"
    );
}

#[test]
fn a_start_that_fails_shows_the_entrypoints_log_and_stops_the_container() {
    let (person, docker, workspace) = scene("exited");
    docker.answers("start *", "");
    docker.fails("exec *", 1, "");
    docker.answers("logs *", "entrypoint: the firewall refused line 3\n");
    docker.answers("stop *", "");
    person
        .xtask(&workspace, &["sandbox-up"])
        .fails(1)
        .says("did not become ready")
        .says("the firewall refused line 3");
    assert!(docker.calls().last().is_some_and(|call| call.starts_with("stop ") && call.ends_with(ID)));
}

#[test]
fn down_removes_by_id_and_only_what_is_ours() {
    let (person, docker, workspace) = scene("running");
    docker.answers("rm --force *", "");
    person.xtask(&workspace, &["sandbox-down", "--dry-run"]).ok().says("would remove");
    assert!(!docker.calls().iter().any(|call| call.starts_with("rm ")));
    person.xtask(&workspace, &["sandbox-down"]).ok().says("stays: the workspace, the logins");
    assert!(docker.calls().contains(&format!("rm --force {ID}")));

    let (person, docker, workspace) = scene("running");
    docker.reset();
    docker.answers("ps *", &listed(&workspace, "running"));
    docker.answers("container inspect *", &inspected_with(&workspace, "running", "false"));
    person.xtask(&workspace, &["sandbox-down"]).ok().says("nothing to remove");
    assert!(!docker.calls().iter().any(|call| call.starts_with("rm ")));
}

#[test]
fn volumes_are_not_removed_without_a_yes() {
    let (person, docker, workspace) = scene("running");
    person.xtask(&workspace, &["sandbox-down", "--volumes"]).fails(2).says("--yes");
    assert!(!docker.calls().iter().any(|call| call.starts_with("rm ") || call.starts_with("volume ")));
}

#[test]
fn the_list_is_data_on_stdout() {
    let (person, docker, workspace) = scene("running");
    let list = person.xtask(&workspace, &["sandbox-ls"]).ok();
    assert!(list.stdout.starts_with("NAME") && list.stdout.contains("ao-sandbox-app"), "{}", list.stdout);
    let list = person.xtask(&workspace, &["sandbox-ls", "--json"]).ok();
    assert_eq!(list.json()[0]["name"], "ao-sandbox-app");
    docker.reset();
    docker.answers("ps *", "");
    let list = person.xtask(&workspace, &["sandbox-ls"]).ok().says("no sandboxes");
    assert_eq!(list.stdout, "");
}
