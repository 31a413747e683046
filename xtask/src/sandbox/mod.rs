//! The stories of a sandbox, and what they share: finding it, and saying why it cannot be used.

mod agent;
mod code;
mod create;
mod down;
mod exec;
mod inspect;
mod logs;
mod ls;
mod push;
pub(crate) mod ready;
mod stop;
pub(crate) mod up;
pub(crate) mod update;

use camino::Utf8Path;

use crate::context::Context;
use crate::docker::container::{Container, Status};
use crate::failure::{Exit, Failure};
use crate::workspace::Workspace;

/// The sandbox of a workspace in whatever state, found by its labels; the id that we remember saves the search.
pub(crate) fn find(cx: &Context, workspace: &Workspace) -> anyhow::Result<Option<Container>> {
    let belongs = |container: &Container| {
        container.is_ours() && container.label("ao.workspace") == Some(workspace.path.as_str())
    };
    if let Some(id) = cx.state.load(&workspace.path).container
        && let Some(container) = cx.docker().container(&id)?.filter(belongs)
    {
        return Ok(Some(container));
    }
    let listed = cx.docker().list()?;
    let Some(entry) = listed.into_iter().find(|entry| entry.workspace == workspace.path.as_str()) else {
        return Ok(None);
    };
    let container = cx.docker().container(&entry.id)?.filter(belongs);
    if let Some(container) = &container {
        remember(cx, workspace, container)?;
    }
    Ok(container)
}

/// The sandbox of a workspace, which must exist.
pub(crate) fn existing(cx: &Context, workspace: &Workspace) -> anyhow::Result<Container> {
    find(cx, workspace)?.ok_or_else(|| absent(&workspace.path).into())
}

/// The sandbox of a workspace, which must be running.
pub(crate) fn running(cx: &Context, workspace: &Workspace) -> anyhow::Result<Container> {
    let container = existing(cx, workspace)?;
    if container.is_running() { Ok(container) } else { Err(not_running(&container, &workspace.path).into()) }
}

/// Notes name and id; what was pushed into another container than this one is forgotten.
pub(crate) fn remember(cx: &Context, workspace: &Workspace, container: &Container) -> anyhow::Result<()> {
    cx.state.update(&workspace.path, |known| {
        if known.container.as_deref() != Some(&container.id) {
            known.installed = None;
        }
        known.container = Some(container.id.clone());
        known.name = Some(container.name().to_owned());
    })
}

fn absent(workspace: &Utf8Path) -> Failure {
    Failure::new(Exit::NoSandbox, format!("no sandbox for workspace `{workspace}`"))
        .hint(format!("create it with `cargo xtask sandbox-up {}`", quoted(workspace)))
}

/// Each state in which a sandbox cannot be used, with the command that mends it.
fn not_running(container: &Container, workspace: &Utf8Path) -> Failure {
    let (state, name, path) = (&container.state.status, container.name(), quoted(workspace));
    let hint = match state {
        Status::Paused => format!("resume it with `cargo xtask sandbox-up {path}`"),
        Status::Restarting => {
            format!("its entrypoint fails again and again; `cargo xtask sandbox-logs {path}` tells why")
        }
        Status::Removing | Status::Dead => {
            format!("replace it with `cargo xtask sandbox-up --recreate {path}`")
        }
        _ => format!("start it with `cargo xtask sandbox-up {path}`"),
    };
    Failure::new(Exit::NoSandbox, format!("sandbox `{name}` is not running (state: {state})")).hint(hint)
}

/// The workspace as an argument of a command to type next: nothing where the person stands in it.
pub(crate) fn argument(cx: &Context, workspace: &Workspace) -> String {
    if cx.cwd == workspace.path { String::new() } else { format!(" {}", quoted(&workspace.path)) }
}

/// A path as a person would type it.
fn quoted(path: &Utf8Path) -> String {
    let plain = path.as_str().chars().all(|c| c.is_ascii_alphanumeric() || "-_./".contains(c));
    if plain { path.to_string() } else { format!("'{}'", path.as_str().replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn container(state: &str) -> Container {
        serde_json::from_str(&format!(
            r#"{{"Id":"1","Name":"/ao-sandbox-app","State":{{"Status":"{state}"}},"Config":{{}}}}"#
        ))
        .unwrap()
    }

    #[test]
    fn every_state_has_an_error_with_its_own_remedy() {
        let hint = |state: &str| not_running(&container(state), Utf8Path::new("/w/my app")).hint.unwrap();
        assert!(hint("paused").contains("resume"));
        assert!(hint("exited").contains("start it with `cargo xtask sandbox-up '/w/my app'`"));
        assert!(hint("restarting").contains("sandbox-logs"));
        assert!(hint("dead").contains("--recreate"));
        let unknown = not_running(&container("melting"), Utf8Path::new("/w")).to_string();
        assert!(unknown.contains("melting"), "{unknown}");
    }
}
