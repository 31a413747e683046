//! `sandbox-update` against the stand-in: failures first.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};
use tests::process::Finished;
use tests::stand_in::StandIn;
use tests::xtask::{Person, workflow};

use super::{ID, inspected, inspected_with, listed};

struct Scene {
    person: Person,
    docker: StandIn,
    workspace: PathBuf,
}

impl Scene {
    fn new() -> Self {
        let mut person = Person::with_own_assets().without_registries();
        let docker = StandIn::for_person(&mut person);
        let workspace = person.workspace("app");
        Scene { person, docker, workspace }
    }

    fn in_state(state: &str) -> Self {
        let scene = Scene::new();
        scene.docker.answers("ps *", &listed(&scene.workspace, state));
        scene.docker.answers("container inspect *", &inspected(&scene.workspace, state));
        scene
    }

    #[track_caller]
    fn update(&self, more: &[&str]) -> Finished {
        let binary = workflow();
        let mut args = vec!["sandbox-update", "--binary", binary.to_str().expect("UTF-8")];
        args.extend(more);
        self.person.xtask(&self.workspace, &args)
    }

    fn sent_nothing(&self) -> bool {
        !self.docker.calls().iter().any(|call| call.starts_with("cp ") || call.starts_with("exec "))
    }

    fn manifest(&self) -> Value {
        let binary = workflow();
        let staged = self
            .person
            .xtask(&self.workspace, &["stage", "--json", "--binary", binary.to_str().expect("UTF-8")]);
        staged.json()
    }

    /// Rules for a container in which an install ends like this.
    fn install_answers(&self, answer: &Value, code: i32) {
        self.docker.fails("exec *release status*", 1, "");
        self.docker.answers("cp - *", "");
        self.docker.answers_with_code("exec *release install*", &answer.to_string(), code);
    }
}

#[test]
fn without_a_sandbox_it_says_how_to_create_one() {
    let scene = Scene::new();
    scene.docker.answers("ps *", "");
    scene.update(&[]).fails(3).says("no sandbox for workspace").says("cargo xtask sandbox-up");
    assert!(scene.sent_nothing());
}

#[test]
fn each_state_in_which_nothing_can_be_pushed_has_its_own_error() {
    for (state, words) in [
        ("exited", "start it with"),
        ("paused", "resume it with"),
        ("restarting", "sandbox-logs"),
        ("dead", "--recreate"),
    ] {
        let scene = Scene::in_state(state);
        scene.update(&[]).fails(3).says(&format!("(state: {state})")).says(words);
        assert!(scene.sent_nothing(), "{state}");
    }
}

#[test]
fn an_engine_that_does_not_answer_is_no_missing_sandbox() {
    let scene = Scene::new();
    scene.docker.fails(
        "*",
        1,
        "Cannot connect to the Docker daemon at unix:///x. Is the docker daemon running?",
    );
    scene.update(&[]).fails(4).says("the engine does not answer").says("hint:");
    let scene = Scene::new();
    scene.docker.dies("*");
    assert_ne!(scene.update(&[]).code, 0);
}

#[test]
fn a_container_without_our_label_is_not_touched() {
    let scene = Scene::new();
    scene.docker.answers("ps *", &listed(&scene.workspace, "running"));
    scene.docker.answers("container inspect *", &inspected_with(&scene.workspace, "running", "false"));
    scene.update(&[]).fails(3);
    assert!(scene.sent_nothing());
}

#[test]
fn a_dynamic_binary_is_refused_before_anything_is_sent() {
    let scene = Scene::in_state("running");
    let update = scene.person.xtask(&scene.workspace, &["sandbox-update", "--binary", "/bin/true"]);
    update.fails(1).says("dynamic executable");
    assert!(scene.sent_nothing());
}

#[test]
fn a_broken_script_is_refused_with_file_and_line_before_anything_is_sent() {
    for (content, words) in [("#!/bin/bash\nif true\n", "line 3"), ("#!/bin/bash\ntrue\r\n", "line 2")] {
        let scene = Scene::in_state("running");
        scene.docker.fails("exec *release status*", 1, "");
        fs::write(scene.person.assets.join("rootfs/opt/init-firewall.sh"), content).expect("a file");
        scene.update(&[]).fails(1).says("/opt/init-firewall.sh").says(words);
        assert!(!scene.docker.calls().iter().any(|call| call.starts_with("cp ")));
    }
}

#[test]
fn one_copy_and_one_exec_push_a_release_and_the_tar_carries_owner_and_mode() {
    let scene = Scene::in_state("running");
    let release = scene.manifest()["release"].clone();
    scene.docker.forget_calls();
    scene.install_answers(&json!({"status": "installed", "release": release, "files": []}), 0);
    scene.update(&[]).ok();
    let calls = scene.docker.calls();
    let kinds: Vec<_> = calls.iter().map(|call| call.split(' ').next().unwrap_or_default()).collect();
    assert_eq!(kinds, ["ps", "container", "exec", "cp", "exec"], "{calls:?}");
    let install = calls.last().expect("a call");
    assert!(
        install.contains(&format!(
            "/var/lib/ao-sandbox/incoming/{}/files/usr/local/bin/workflow",
            release.as_str().expect("a text")
        )),
        "{install}"
    );
    let pushed = scene.docker.pushed();
    let mut archive = tar::Archive::new(pushed.as_slice());
    for file in archive.entries().expect("a tar stream") {
        let file = file.expect("an entry");
        assert_eq!(file.header().uid().expect("a uid"), 0);
        assert!(file.header().entry_type().is_file(), "file entries only");
        assert!(file.path().expect("a path").starts_with("var/lib/ao-sandbox/incoming"));
    }
}

#[test]
fn what_is_remembered_saves_the_question_and_only_changes_are_sent() {
    let scene = Scene::in_state("running");
    scene.install_answers(&json!({"status": "installed", "release": "r", "files": []}), 0);
    scene.update(&[]).ok();
    fs::write(scene.person.assets.join("rootfs/etc/ao-sandbox/allowlist"), "changed.example.com\n")
        .expect("a file");
    scene.docker.forget_calls();
    scene.update(&[]).ok();
    let kinds = scene.docker.verbs();
    assert_eq!(
        kinds.iter().map(|verb| verb.split(' ').next().unwrap_or_default()).collect::<Vec<_>>(),
        ["container", "cp", "exec"],
        "{kinds:?}"
    );
    let pushed = scene.docker.pushed();
    let mut archive = tar::Archive::new(pushed.as_slice());
    let names: Vec<_> = archive
        .entries()
        .expect("a tar")
        .map(|file| file.expect("an entry").path().expect("a path").display().to_string())
        .collect();
    assert_eq!(names.len(), 2, "{names:?}");
    assert!(
        names[0].ends_with("/etc/ao-sandbox/allowlist") && names[1].ends_with("/manifest.json"),
        "{names:?}"
    );
}

#[test]
fn nothing_changed_is_verified_inside_and_touches_nothing() {
    let scene = Scene::in_state("running");
    let mut status = scene.manifest();
    status["ok"] = true.into();
    scene.docker.forget_calls();
    scene.docker.answers("exec *release status*", &status.to_string());
    let update = scene.update(&["--json"]).ok();
    assert_eq!(update.json()["status"], "unchanged");
    assert!(!scene.docker.calls().iter().any(|call| call.starts_with("cp ")));
}

#[test]
fn a_rollback_inside_is_exit_code_five_with_the_reason() {
    let scene = Scene::in_state("running");
    scene.install_answers(
        &json!({"status": "rolled-back", "release": "r", "error": "the firewall refused line 3"}),
        5,
    );
    scene.update(&[]).fails(5).says("rolled back").says("the firewall refused line 3");
}

#[test]
fn a_refusal_and_an_answer_that_makes_no_sense_are_plain_failures() {
    let scene = Scene::in_state("running");
    scene.install_answers(&json!({"status": "refused", "release": "r", "error": "wrong digest"}), 1);
    scene.update(&[]).fails(1).says("nothing was changed").says("wrong digest");
    let scene = Scene::in_state("running");
    scene.install_answers(&json!("nonsense"), 0);
    scene.update(&[]).fails(1).says("cannot read");
}

#[test]
fn files_that_turn_out_to_be_missing_are_pushed_in_a_second_go() {
    let scene = Scene::in_state("running");
    let mut status = scene.manifest();
    status["ok"] = true.into();
    scene.docker.answers("exec *release status*", &status.to_string());
    fs::write(scene.person.assets.join("rootfs/etc/ao-sandbox/allowlist"), "changed.example.com\n")
        .expect("a file");
    scene.docker.answers("cp - *", "");
    let mismatch = json!({"status": "base-mismatch", "release": "r", "missing": ["/usr/local/bin/workflow"]});
    scene.docker.answers_with_code("exec *release install*", &mismatch.to_string(), 1);
    scene.update(&[]).fails(1).says("/usr/local/bin/workflow");
    assert_eq!(scene.docker.calls().iter().filter(|call| call.starts_with("cp ")).count(), 2);
}

#[test]
fn a_full_disk_is_named_and_the_rest_of_the_copy_is_cleaned_up() {
    let scene = Scene::in_state("running");
    scene.docker.fails("exec *release status*", 1, "");
    scene.docker.fails("cp - *", 1, "Error response from daemon: write /x: no space left on device");
    scene.docker.answers("exec *release recover*", "");
    scene.update(&[]).fails(1).says("no space left on device").says("disk of the container is full");
    assert!(scene.docker.calls().last().is_some_and(|call| call.ends_with("release recover")));
}

#[test]
fn a_dry_run_pushes_nothing_and_lists_what_would_be_pushed() {
    let scene = Scene::in_state("running");
    scene.docker.fails("exec *release status*", 1, "");
    let update = scene.update(&["--dry-run"]).ok();
    assert!(update.stdout.contains("would push    /usr/local/bin/workflow"), "{}", update.stdout);
    assert!(!scene.docker.calls().iter().any(|call| call.starts_with("cp ")));
}

#[test]
fn rollback_is_one_exec() {
    let scene = Scene::in_state("running");
    scene
        .docker
        .answers("exec *release rollback*", &json!({"status": "installed", "release": "r"}).to_string());
    scene.person.xtask(&scene.workspace, &["sandbox-update", "--rollback"]).ok();
    assert!(
        scene
            .docker
            .calls()
            .last()
            .is_some_and(|call| call.contains(ID) && call.contains("release rollback"))
    );
}
