//! `build`: the static `workflow`, by a nested cargo; the path is taken from cargo's messages, the result is checked.

use std::fs;

use anyhow::{Context as _, bail};
use camino::{Utf8Path, Utf8PathBuf};
use cargo_metadata::Message;

use crate::context::Context;
use crate::elf;
use crate::failure::{Exit, Failure};
use crate::flags;
use crate::run::Cmd;
use crate::sizes;
use crate::target::Target;

/// A checked `workflow` executable.
#[derive(Debug)]
pub(crate) struct Built {
    pub(crate) path: Utf8PathBuf,
    pub(crate) bytes: Vec<u8>,
}

impl flags::Build {
    pub(crate) fn run(self, cx: &Context) -> anyhow::Result<()> {
        let target = self.target.as_deref().map_or(Ok(Target::host()), Target::parse)?;
        let profile = checked_profile(&self.profile)?;
        let built = build(cx, target, profile)?;
        cx.ui.say(format!("{}, {profile}, {}", target.triple(), sizes::shown(built.bytes.len() as u64)));
        cx.ui.data(built.path);
        Ok(())
    }
}

fn checked_profile(profile: &str) -> anyhow::Result<&str> {
    if ["quick", "release"].contains(&profile) {
        return Ok(profile);
    }
    Err(Failure::new(Exit::Usage, format!("unknown profile `{profile}`; the profiles are quick and release"))
        .into())
}

/// Builds `workflow` and checks what came out.
pub(crate) fn build(cx: &Context, target: Target, profile: &str) -> anyhow::Result<Built> {
    let path = cargo_build(cx, target, profile)?;
    let bytes = fs::read(&path).with_context(|| format!("failed to read `{path}`"))?;
    elf::check(&bytes, target).with_context(|| format!("refused `{path}`"))?;
    remember(&note(cx, target, profile), &path)?;
    Ok(Built { path, bytes })
}

/// The `workflow` that was built last, without asking cargo: its path is remembered at each build.
pub(crate) fn last(cx: &Context, target: Target, profile: &str) -> anyhow::Result<Vec<u8>> {
    let absent = || {
        Failure::new(Exit::Failed, format!("no `workflow` was built yet for {} ({profile})", target.triple()))
            .hint("leave out `--no-build`")
    };
    let path = fs::read_to_string(note(cx, target, profile)).map_err(|_| absent())?;
    fs::read(path.trim()).map_err(|_| absent().into())
}

/// Where the `workflow` is that was built last for this machine, if this machine can run it.
pub(crate) fn runnable(cx: &Context, profile: &str) -> Option<Utf8PathBuf> {
    let path = fs::read_to_string(note(cx, Target::host(), profile)).ok()?;
    cfg!(target_os = "linux").then(|| Utf8PathBuf::from(path.trim())).filter(|path| path.is_file())
}

/// The file that remembers where cargo put the executable.
fn note(cx: &Context, target: Target, profile: &str) -> Utf8PathBuf {
    cx.root.join("target/ao-sandbox").join(format!("{}-{profile}.path", target.triple()))
}

fn remember(note: &Utf8Path, path: &Utf8Path) -> anyhow::Result<()> {
    if fs::read_to_string(note).is_ok_and(|text| text == path.as_str()) {
        return Ok(());
    }
    fs::create_dir_all(note.parent().unwrap_or(note))
        .with_context(|| format!("failed to create the folder of `{note}`"))?;
    fs::write(note, path.as_str()).with_context(|| format!("failed to write `{note}`"))
}

/// The nested cargo. It is the one that runs us (`$CARGO`): two toolchain paths on one target folder cost 40 ms at each call.
fn cargo_build(cx: &Context, target: Target, profile: &str) -> anyhow::Result<Utf8PathBuf> {
    let (commit, dirty) = revision(&cx.root);
    let cmd = cargo()
        .args(["build", "--package", "workflow", "--profile", profile, "--target", target.triple()])
        .args(["--message-format", "json-render-diagnostics"])
        .args((!cx.ui.can_show_progress()).then_some("--quiet"))
        .env("AO_SANDBOX_COMMIT", commit)
        .env("AO_SANDBOX_DIRTY", dirty.to_string())
        .env("AO_SANDBOX_PROFILE", profile)
        .env("AO_SANDBOX_TARGET", target.triple())
        .env_remove("RUSTC")
        .dir(&cx.root)
        .show_stderr();
    cx.ui.detail(format!("+ {}", cmd.shown()));
    let output = cmd.probe()?;
    if !output.success() {
        let failure =
            Failure::new(Exit::Failed, format!("failed to build `workflow` for {}", target.triple()));
        return Err(failure.hint(missing_target_hint(target)).into());
    }
    executable(&output.stdout).context("cargo named no executable of `workflow`")
}

/// The command that mends the commonest cause; cargo has already said the rest on stderr.
fn missing_target_hint(target: Target) -> String {
    format!(
        "cargo's messages are above; where the target is missing, `rustup target add {}` or `cargo xtask onboard` mends it",
        target.triple()
    )
}

fn executable(messages: &[u8]) -> anyhow::Result<Utf8PathBuf> {
    for message in Message::parse_stream(messages) {
        if let Message::CompilerArtifact(artifact) = message.context("cargo's messages cannot be read")?
            && artifact.target.name == "workflow"
            && let Some(path) = artifact.executable
        {
            return Ok(path);
        }
    }
    bail!("no artifact with an executable among cargo's messages")
}

/// The cargo that runs us, or the one on the `PATH`.
pub(crate) fn cargo() -> Cmd {
    Cmd::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// The commit of the checkout and whether tracked files differ from it; `unknown` outside git.
fn revision(root: &Utf8Path) -> (String, bool) {
    let described = Cmd::new("git")
        .args(["describe", "--always", "--dirty=+", "--abbrev=12", "--exclude", "*"])
        .dir(root)
        .stdout();
    let text = described.unwrap_or_else(|_| "unknown".to_owned());
    match text.strip_suffix('+') {
        Some(commit) => (commit.to_owned(), true),
        None => (text, false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_without_an_executable_are_an_error() {
        assert!(executable(br#"{"reason":"build-finished","success":true}"#).is_err());
        assert!(executable(b"").is_err());
    }
}
