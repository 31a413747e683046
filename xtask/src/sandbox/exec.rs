//! `sandbox-exec` and `sandbox-shell`: a command in the sandbox, as if it ran here.
//!
//! One call of the engine: the container is addressed by the id that we remember, and only where that fails is it looked up. The
//! command runs under `workflow enter`, which waits for the firewall, bounds the time inside (killing the client would leave the
//! process alive), and marks the processes, so that an interruption here reaches them.

use std::io::IsTerminal as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use camino::{Utf8Path, Utf8PathBuf};

use super::running;
use crate::context::Context;
use crate::docker::environment;
use crate::failure::{Exit, Failure, PassThrough};
use crate::flags;
use crate::interrupt;
use crate::run::Cmd;
use crate::stage::WORKFLOW;
use crate::workspace::Workspace;

/// A command for the inside, validated.
pub(crate) struct Inside {
    pub(crate) workspace: Workspace,
    pub(crate) words: Vec<String>,
    pub(crate) env: Vec<(String, String)>,
    pub(crate) workdir: Option<Utf8PathBuf>,
    pub(crate) timeout: Option<f64>,
    pub(crate) root: bool,
}

impl flags::SandboxExec {
    pub(crate) fn run(self, cx: &Context) -> anyhow::Result<()> {
        if self.timeout.is_some_and(|seconds| !seconds.is_finite() || seconds <= 0.0) {
            return Err(Failure::new(Exit::Usage, "`--timeout` wants a number of seconds above 0").into());
        }
        let separated = std::env::args().rev().nth(self.words.len()).as_deref() == Some("--");
        let (path, words) = split(self.workspace, self.words, separated, |word| cx.cwd.join(word).is_dir());
        if words.is_empty() {
            return Err(Failure::new(Exit::Usage, "no command after the workspace")
                .hint("for example: `cargo xtask sandbox-exec . cargo test`")
                .into());
        }
        if let Some(option) = words.first().filter(|word| word.starts_with('-')) {
            return Err(Failure::new(
                Exit::Usage,
                format!("`{option}` stands where the command is expected"),
            )
            .hint("options come before the workspace: `cargo xtask sandbox-exec --timeout 5 . cargo test`")
            .into());
        }
        let inside = Inside {
            workspace: Workspace::locate(cx, path.as_deref())?,
            words,
            env: self.env.iter().map(|text| variable(text)).collect::<anyhow::Result<_>>()?,
            workdir: self.workdir,
            timeout: self.timeout,
            root: self.root,
        };
        run(cx, &inside)
    }
}

impl flags::SandboxShell {
    pub(crate) fn run(self, cx: &Context) -> anyhow::Result<()> {
        let workspace = Workspace::locate(cx, Some(&self.path))?;
        let words = vec!["zsh".to_owned(), "-l".to_owned()];
        run(cx, &Inside { workspace, words, env: vec![], workdir: None, timeout: None, root: self.root })
    }
}

/// Workspace and command. A first word that is a folder is the workspace, unless `-w` or `--` say otherwise.
fn split(
    workspace: Option<Utf8PathBuf>,
    mut words: Vec<String>,
    separated: bool,
    is_folder: impl Fn(&str) -> bool,
) -> (Option<Utf8PathBuf>, Vec<String>) {
    if workspace.is_some() || separated || !words.first().is_some_and(|word| is_folder(word)) {
        return (workspace, words);
    }
    let path = Utf8PathBuf::from(words.remove(0));
    if words.first().is_some_and(|word| word == "--") {
        words.remove(0);
    }
    (Some(path), words)
}

/// `NAME=VALUE`, or `NAME` with this shell's value.
pub(crate) fn variable(text: &str) -> anyhow::Result<(String, String)> {
    if let Some((name, value)) = text.split_once('=').filter(|(name, _)| !name.is_empty()) {
        return Ok((name.to_owned(), value.to_owned()));
    }
    let value = std::env::var(text).map_err(|_| {
        Failure::new(Exit::Usage, format!("`--env {text}`: this shell has no variable of that name"))
            .hint("set it first, or give it as `NAME=VALUE`")
    })?;
    Ok((text.to_owned(), value))
}

/// Runs it with our own streams; its exit code becomes ours.
pub(crate) fn run(cx: &Context, inside: &Inside) -> anyhow::Result<()> {
    let remembered = cx.state.load(&inside.workspace.path).container;
    let id = match remembered {
        Some(id) => id,
        None => running(cx, &inside.workspace)?.id,
    };
    let code = attempt(cx, inside, &id)?;
    // Exit code 1 is the command's own, or the engine's for a container that is gone, stopped or paused.
    if code == 1 {
        let container = running(cx, &inside.workspace)?;
        if container.id != id {
            return finish(attempt(cx, inside, &container.id)?);
        }
    }
    finish(code)
}

fn finish(code: i32) -> anyhow::Result<()> {
    match u8::try_from(code) {
        Ok(0) => Ok(()),
        Ok(code) => Err(PassThrough(code).into()),
        Err(_) => Err(PassThrough(1).into()),
    }
}

fn attempt(cx: &Context, inside: &Inside, id: &str) -> anyhow::Result<i32> {
    let mark = format!("{}-{}", std::process::id(), now_nanos());
    let user = if inside.root { "root" } else { "agent" };
    let interrupted = Arc::new(AtomicBool::new(false));
    let guard = {
        let (cx_cmd, interrupted) =
            (cx.docker().cmd(["exec", "--user", user, id, WORKFLOW, "signal", &mark]), interrupted.clone());
        interrupt::on_signal(move |signal| {
            interrupted.store(true, Ordering::SeqCst);
            // Nothing to do where it fails: the process is gone already, or the engine is.
            drop(cx_cmd.clone().arg(signal.to_string()).probe());
        })
    };
    let code = command(cx, inside, id, user, &mark).interactive()?;
    drop(guard);
    Ok(if interrupted.load(Ordering::SeqCst) && code == 0 { 130 } else { code })
}

fn command(cx: &Context, inside: &Inside, id: &str, user: &str, mark: &str) -> Cmd {
    let terminal = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
    let mut args: Vec<String> = vec!["exec".into(), "--interactive".into()];
    args.extend(terminal.then(|| "--tty".into()));
    args.extend(["--user".into(), user.into(), "--env".into(), format!("AO_SANDBOX_EXEC={mark}")]);
    if terminal {
        args.extend(
            ["TERM", "COLORTERM"]
                .into_iter()
                .filter(|name| std::env::var_os(name).is_some())
                .flat_map(|name| ["--env".to_owned(), name.to_owned()]),
        );
    }
    let workdir = inside.workdir.as_deref().unwrap_or(Utf8Path::new("")).as_str();
    let workdir = if workdir.starts_with('/') { workdir.into() } else { inside.workspace.path.join(workdir) };
    args.extend(["--workdir".into(), workdir.to_string().trim_end_matches('/').to_owned()]);
    args.extend(
        inside.env.iter().flat_map(|(name, value)| ["--env".to_owned(), environment::by_name(name, value)]),
    );
    args.extend([id.to_owned(), WORKFLOW.into(), "enter".into()]);
    if let Some(seconds) = inside.timeout {
        args.extend(["--timeout".into(), seconds.to_string()]);
    }
    args.push("--".into());
    args.extend(inside.words.iter().cloned());
    let values = inside.env.iter().filter(|(name, _)| !environment::is_clients_own(name)).cloned();
    cx.docker().cmd(args).envs(values)
}

fn now_nanos() -> u128 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(0, |time| time.as_nanos())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn the_first_word_is_the_workspace_only_where_it_is_a_folder_and_nothing_else_says_so() {
        let folder = |word: &str| word == "." || word == "test";
        assert_eq!(split(None, words(". ls -la"), false, folder), (Some(".".into()), words("ls -la")));
        assert_eq!(split(None, words(". -- ls"), false, folder), (Some(".".into()), words("ls")));
        assert_eq!(split(None, words("test -f x"), true, folder), (None, words("test -f x")));
        assert_eq!(
            split(Some("w".into()), words("test -f x"), false, folder),
            (Some("w".into()), words("test -f x"))
        );
        assert_eq!(split(None, words("ls -la"), false, folder), (None, words("ls -la")));
        assert_eq!(split(None, words("."), false, folder), (Some(".".into()), vec![]));
    }

    #[test]
    fn a_variable_that_this_shell_lacks_is_refused() {
        assert!(variable("AO_NO_SUCH_VARIABLE_HERE").is_err());
        assert_eq!(variable("A=b=c").unwrap(), ("A".into(), "b=c".into()));
        assert!(variable("=x").is_err());
    }
}
