//! End-to-end tests: a real engine, a real image, real agents, real packets. Where no engine answers they fail and say how to get one.

mod container;
mod doctor;
mod exec;
mod logins;
mod network;
mod refusals;
mod update;
mod workspaces;

use tests::engine::Sandbox;

/// The `workflow` digest that the sandbox itself reports.
fn build_inside(sandbox: &Sandbox) -> String {
    let said = sandbox.sh("workflow version --json").ok();
    said.json()["build"].as_str().expect("a digest").to_owned()
}
