//! Contract tests: the real `xtask` against a recording stand-in for `docker`: order of calls, both streams, exit code.

mod config;
mod exec;
mod up_and_down;
mod update;

use serde_json::json;
use std::path::Path;

/// The id of the stand-in's container.
const ID: &str = "1111111111111111111111111111111111111111111111111111111111111111";

/// What `docker container inspect` answers for a sandbox of a workspace.
fn inspected(workspace: &Path, state: &str) -> String {
    inspected_with(workspace, state, "true")
}

fn inspected_with(workspace: &Path, state: &str, ours: &str) -> String {
    json!([{
        "Id": ID, "Name": "/ao-sandbox-app", "State": {"Status": state, "ExitCode": 0},
        "Config": {"Hostname": "ao-sandbox-app", "Image": "ao-sandbox:latest",
            "Labels": {"ao.sandbox": ours, "ao.workspace": workspace.to_str(), "ao.spec": "s", "ao.image": "i"}},
    }])
    .to_string()
}

/// A line of `docker ps` for it.
fn listed(workspace: &Path, state: &str) -> String {
    json!({"id": ID, "name": "ao-sandbox-app", "state": state, "status": "Up", "workspace": workspace.to_str(), "ports": "", "image": "x"})
        .to_string()
}
