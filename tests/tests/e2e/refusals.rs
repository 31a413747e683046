//! One clear error each, and nothing changed.

use std::fs;

use tests::engine::{Sandbox, docker};

use super::build_inside;

#[test]
fn a_dead_engine_is_told_from_a_missing_sandbox() {
    let mut sandbox = Sandbox::planned("dead-engine");
    sandbox.xtask(&["sandbox-update"]).fails(3).says("no sandbox for workspace").says("sandbox-up");
    sandbox.person.set("DOCKER_HOST", "unix:///nonexistent/docker.sock");
    for command in [
        &["sandbox-update"][..],
        &["sandbox-up"],
        &["sandbox-ls"],
        &["sandbox-exec", ".", "true"],
        &["sandbox-down"],
    ] {
        sandbox.xtask(command).fails(4).says("the engine does not answer");
    }
}

#[test]
fn a_dynamic_binary_and_a_broken_script_change_nothing() {
    let sandbox = Sandbox::planned_with_own_assets("refused-app");
    sandbox.xtask(&["sandbox-up"]).ok();
    let before = build_inside(&sandbox);
    sandbox.xtask(&["sandbox-update", "--binary", "/bin/ls"]).fails(1).says("dynamic executable");
    let script = sandbox.asset("opt/init-firewall.sh");
    let good = fs::read_to_string(&script).expect("an asset");
    fs::write(&script, format!("{good}\nif true; then\n")).expect("an asset");
    sandbox.xtask(&["sandbox-update"]).fails(1).says("/opt/init-firewall.sh").says("line");
    fs::write(&script, good.replace('\n', "\r\n")).expect("an asset");
    sandbox.xtask(&["sandbox-update"]).fails(1).says("CR LF");
    assert_eq!(build_inside(&sandbox), before);
    sandbox.root("grep -c 'if true; then$' /opt/init-firewall.sh").fails(1);
}

#[test]
fn a_container_that_is_not_ours_is_never_touched() {
    let sandbox = Sandbox::planned("foreign-app");
    let image = tests::engine::IMAGE;
    drop(Sandbox::up("foreign-warm-up"));
    let name = "ao-sandbox-foreign-app";
    let run = docker(&[
        "run",
        "--detach",
        "--name",
        name,
        "--label",
        "ao.e2e=foreign",
        "--entrypoint",
        "sleep",
        image,
        "300",
    ])
    .ok();
    let id = run.stdout.trim().to_owned();
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        sandbox.xtask(&["sandbox-update"]).fails(3);
        sandbox.xtask(&["sandbox-down"]).ok().says("nothing to remove");
        sandbox
            .xtask(&["sandbox-up", "--name", "foreign-app"])
            .fails(1)
            .says("another container has the name");
        sandbox.xtask(&["sandbox-up"]).ok();
        assert_ne!(sandbox.inspect()["Name"], format!("/{name}"));
        let state = docker(&["inspect", "--format", "{{.State.Status}}", &id]).ok();
        assert_eq!(state.stdout.trim(), "running");
    }));
    docker(&["rm", "--force", &id]).ok();
    result.expect("the foreign container is as it was");
}
