//! Waiting until a started sandbox is ready, and saying why it is not.

use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::stage::WORKFLOW;
use crate::workspace::Workspace;

/// Seconds within which home and firewall stand, with much to spare.
const PATIENCE: &str = "30";

/// What the entrypoint says when everything stands.
const READY: &str = "entrypoint: ready";
/// How each line of the entrypoint begins; anything but the word is a complaint.
const SAYS: &str = "entrypoint: ";

/// Waits for a container that was created a moment ago: its log tells 50 ms sooner than an exec. A log that cannot be followed, or
/// that ends without the word, is no verdict; the exec then gives one.
pub(crate) fn wait_new(cx: &Context, id: &str, name: &str, workspace: &Workspace) -> anyhow::Result<()> {
    let mut said_ready = false;
    let followed = cx.docker().cmd(["logs", "--follow", id]).until(|line| {
        said_ready = line == READY;
        said_ready || line.starts_with(SAYS)
    });
    if followed.is_ok() && said_ready { Ok(()) } else { wait(cx, id, name, workspace) }
}

/// Waits, inside, for the file that the entrypoint makes when everything stands. No firewall, no agent: a sandbox whose start
/// failed is stopped, so that the engine does not start it again and again.
pub(crate) fn wait(cx: &Context, id: &str, name: &str, workspace: &Workspace) -> anyhow::Result<()> {
    let docker = cx.docker();
    let args = ["exec", "--user", "root", id, WORKFLOW, "enter", "--wait", PATIENCE, "--", "true"];
    let output = docker.answer(docker.cmd(args))?;
    if output.success() {
        return Ok(());
    }
    let again = format!("cargo xtask sandbox-up{} --recreate", super::argument(cx, workspace));
    let log = docker.answer(docker.cmd(["logs", "--tail", "12", id]))?;
    docker.run(["stop", "--time", "2", id])?;
    let said = format!("{}{}", log.text(), log.stderr);
    let why = if said.trim().is_empty() { output.stderr } else { said };
    Err(Failure::new(
        Exit::Failed,
        format!("sandbox `{name}` did not become ready; its entrypoint said:\n{}", indented(&why)),
    )
    .hint(format!("nothing of an agent has run in it; mend the cause and run `{again}`"))
    .into())
}

fn indented(text: &str) -> String {
    text.trim_end().lines().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
}
