//! `doctor`, `sandbox-inspect` and `sandbox-ls` say what is so.

use tests::engine::Sandbox;

#[test]
fn doctor_sees_the_machine_the_image_and_the_inside_of_the_sandbox() {
    let sandbox = Sandbox::planned("doctor-app");
    let before = sandbox.xtask(&["doctor", "--json"]).json();
    assert_eq!(status(&before, "sandbox"), ["warn"], "no sandbox yet");
    sandbox.xtask(&["sandbox-up"]).ok();
    let doctor = sandbox.xtask(&["doctor", "--json"]).ok().json();
    assert_eq!(doctor["ok"], true, "{doctor}");
    for name in ["target", "linker", "engine", "clock", "disk", "image", "sandbox"] {
        assert_eq!(status(&doctor, name), ["ok"], "{name}: {doctor}");
    }
    let inside =
        doctor["checks"].as_array().expect("checks").iter().filter(|check| check["name"] == "inside");
    let details: Vec<&str> = inside.filter_map(|check| check["detail"].as_str()).collect();
    for what in [
        "refused name: refused after",
        "git: /usr/bin/git",
        "claude login: not logged in",
        "start: home and firewall stand",
    ] {
        assert!(details.iter().any(|detail| detail.starts_with(what)), "{what}: {details:?}");
    }
}

fn status(doctor: &serde_json::Value, name: &str) -> Vec<String> {
    let checks = doctor["checks"].as_array().expect("checks").iter().filter(|check| check["name"] == name);
    checks.filter_map(|check| check["status"].as_str().map(str::to_owned)).collect()
}

#[test]
fn list_and_inspect_agree_with_the_engine() {
    let sandbox = Sandbox::planned("listed-app");
    sandbox.xtask(&["sandbox-up", "--publish", "38123:3000"]).ok();
    let inspect = sandbox.xtask(&["sandbox-inspect", "--json"]).ok().json();
    assert_eq!(inspect["container"].as_str(), Some(sandbox.id().as_str()));
    assert_eq!(inspect["name"], inspect["hostname"]);
    assert_eq!(inspect["ports"][0], "127.0.0.1:38123 -> 3000/tcp");
    assert_eq!(inspect["altered"].as_array().map(Vec::len), Some(0));
    let list = sandbox.xtask(&["sandbox-ls", "--json"]).ok().json();
    let ours = list
        .as_array()
        .expect("a list")
        .iter()
        .find(|entry| entry["id"] == inspect["container"])
        .expect("ours");
    assert_eq!(ours["workspace"].as_str(), sandbox.workspace.to_str());
}
