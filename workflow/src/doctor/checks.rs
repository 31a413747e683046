//! The checks of the sandbox itself: start, workspace, tools, logins.

use std::ffi::OsStr;
use std::fs::{self, OpenOptions};
use std::path::Path;
use std::time::Duration;

use super::{Check, Level};
use crate::process::{Job, on_path};

/// How long an agent may take to say whether it is logged in; they are JavaScript and slow to start.
const LOGIN: Duration = Duration::from_secs(15);

/// A tool, and whether a sandbox without it is of no use.
#[derive(Debug)]
pub(super) struct Tool {
    name: &'static str,
    needed: bool,
}

const fn needed(name: &'static str) -> Tool {
    Tool { name, needed: true }
}

const fn optional(name: &'static str) -> Tool {
    Tool { name, needed: false }
}

/// What an agent expects on its `PATH`.
pub(super) const TOOLS: [Tool; 8] = [
    needed("git"),
    needed("rg"),
    needed("jq"),
    needed("curl"),
    needed("node"),
    optional("claude"),
    optional("gh"),
    optional("python3"),
];

/// How to ask an agent whether it is logged in.
#[derive(Debug, Clone, Copy)]
pub(super) struct Login {
    name: &'static str,
    args: [&'static str; 2],
    remedy: &'static str,
}

/// The agents with logins of their own.
pub(super) const LOGINS: [Login; 2] = [
    Login {
        name: "claude",
        args: ["auth", "status"],
        remedy: "log in once with `cargo xtask sandbox-claude`, or `claude auth login` in the sandbox",
    },
    Login {
        name: "codex",
        args: ["login", "status"],
        remedy: "log in once with `cargo xtask sandbox-agent codex`, or `codex login` in the sandbox",
    },
];

/// Whether the start of the sandbox came to its end.
pub(super) fn ready(state: &Path) -> Check {
    if state.join("ready").exists() {
        return Check::ok("start", "home and firewall stand");
    }
    let reason = fs::read_to_string(state.join("error.txt")).unwrap_or_default();
    let reason = if reason.trim().is_empty() { "not ready" } else { reason.trim() };
    Check::bad("start", Level::Fail, reason, "read the log with `cargo xtask sandbox-logs`")
}

/// Whether the workspace can be written.
pub(super) fn workspace(folder: &Path) -> Check {
    let probe = folder.join(format!(".ao-sandbox-doctor-{}", std::process::id()));
    let written =
        OpenOptions::new().write(true).create_new(true).open(&probe).and_then(|_| fs::remove_file(&probe));
    match written {
        Ok(()) => Check::ok("workspace", format!("`{}` can be written", folder.display())),
        Err(error) => Check::bad(
            "workspace",
            Level::Fail,
            format!("`{}` cannot be written: {error}", folder.display()),
            "look at its owner on the host; `cargo xtask sandbox-up` gives `agent` access to it",
        ),
    }
}

/// Whether a tool is on the `PATH`.
pub(super) fn tool(tool: &Tool, path: &OsStr) -> Check {
    match on_path(tool.name, path) {
        Some(file) => Check::ok(tool.name, file.display().to_string()),
        None => {
            let level = if tool.needed { Level::Fail } else { Level::Warn };
            Check::bad(tool.name, level, "not on the `PATH`", "add it to the image, then `cargo xtask image`")
        }
    }
}

/// Whether an agent is logged in; nothing where that agent is not installed. To be logged out is a state
/// that every new sandbox begins in, so it is a warning.
pub(super) fn login(login: Login, path: &OsStr) -> Option<Check> {
    let name = format!("{} login", login.name);
    let program = on_path(login.name, path)?;
    Some(match Job::new(program, &login.args, LOGIN).run() {
        Ok(ended) if ended.ok() => Check::ok(&name, "logged in"),
        Ok(ended) => Check::bad(
            &name,
            Level::Warn,
            format!("not logged in ({})", first_line(&ended.reason())),
            login.remedy,
        ),
        Err(error) => Check::bad(&name, Level::Warn, error.to_string(), login.remedy),
    })
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_workspace_that_is_not_there_fails_and_a_writable_one_is_left_clean() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(workspace(&dir.path().join("no")).status, Level::Fail);
        assert_eq!(workspace(dir.path()).status, Level::Ok);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_failed_start_gives_its_reason() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("error.txt"), "allowlist:3: no such thing\n").unwrap();
        assert_eq!(ready(dir.path()).detail, "allowlist:3: no such thing");
        fs::write(dir.path().join("ready"), "").unwrap();
        assert_eq!(ready(dir.path()).status, Level::Ok);
    }

    #[test]
    fn a_file_that_cannot_be_executed_is_no_tool() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("git");
        fs::write(&file, "#!/bin/sh\n").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
        assert_eq!(tool(&needed("git"), dir.path().as_os_str()).status, Level::Fail);
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(tool(&needed("git"), dir.path().as_os_str()).status, Level::Ok);
    }

    #[test]
    fn an_agent_that_is_logged_out_is_a_warning() {
        let dir = tempfile::tempdir().unwrap();
        assert!(login(LOGINS[0], dir.path().as_os_str()).is_none());
        let file = dir.path().join("claude");
        fs::write(&file, "#!/bin/sh\necho 'not logged in' >&2; exit 1\n").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
        let check = login(LOGINS[0], dir.path().as_os_str()).unwrap();
        assert_eq!((check.status, check.detail.contains("not logged in")), (Level::Warn, true));
    }
}
