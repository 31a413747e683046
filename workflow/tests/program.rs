//! The program as a whole: `version`, `doctor`, usage.
#![expect(clippy::disallowed_methods, reason = "the tests start the program under test")]

use std::process::{Command, Output};

use serde_json::Value;
use sha2::{Digest, Sha256};

const WORKFLOW: &str = env!("CARGO_BIN_EXE_workflow");

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"))
}

#[test]
fn wrong_usage_is_exit_code_two_and_says_nothing_on_stdout() {
    for args in [&["no-such-verb"][..], &["release", "install"][..], &[][..]] {
        let output = Command::new(WORKFLOW).args(args).output().unwrap();
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{output:?}");
    }
}

#[test]
fn the_build_is_the_digest_of_the_file_that_runs() {
    let build = json(&Command::new(WORKFLOW).args(["version", "--json"]).output().unwrap());
    let digest = format!("{:x}", Sha256::digest(std::fs::read(WORKFLOW).unwrap()));
    assert_eq!(build["build"], digest.as_str());
    let mut keys: Vec<&String> = build.as_object().unwrap().keys().collect();
    keys.sort();
    assert_eq!(keys, ["build", "commit", "dirty", "profile", "target", "version"]);
}

#[test]
fn a_doctor_who_finds_nothing_names_a_remedy_for_each() {
    let dir = tempfile::tempdir().unwrap();
    let mut doctor = Command::new(WORKFLOW);
    doctor
        .args(["doctor", "--json", "--state"])
        .arg(dir.path())
        .arg("--resolv-conf")
        .arg(dir.path().join("none"));
    let output = doctor.env("PATH", dir.path()).env("AO_SANDBOX_WORKSPACE", dir.path()).output().unwrap();
    let report = json(&output);
    assert_eq!((output.status.code(), &report["ok"]), (Some(1), &Value::Bool(false)));
    let status = |name: &str| {
        let checks = report["checks"].as_array().unwrap();
        let check = checks.iter().find(|check| check["name"] == name).unwrap();
        assert!(check["status"] == "ok" || check["remedy"].is_string(), "{check}");
        check["status"].as_str().unwrap().to_owned()
    };
    assert_eq!(
        ["start", "workspace", "git", "gh", "refused name"].map(status),
        ["fail", "ok", "fail", "warn", "fail"]
    );
}
