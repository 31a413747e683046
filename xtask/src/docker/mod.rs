//! The engine, always reached through its command line, so that contexts, SSH hosts and credential helpers keep working.
//!
//! Knows Docker's arguments and answers, and nothing of our stories. "Absent" and "the engine does not answer" are never the
//! same value: the first is `None`, the second an error with its own exit code.

pub(crate) mod container;
pub(crate) mod environment;
pub(crate) mod socket;

use std::time::Duration;

use anyhow::Context as _;
use serde::Deserialize;

use crate::failure::{Exit, Failure};
use crate::render::Ui;
use crate::run::{Cmd, Output};
use container::{Container, Listed};

/// A question to the engine that takes longer than this has no answer.
const ANSWER: Duration = Duration::from_secs(30);

/// Fields of `docker ps` as one JSON object per line; `{{json .}}` has no separate labels.
const LIST_FORMAT: &str = r#"{"id":{{json .ID}},"name":{{json .Names}},"state":{{json .State}},"status":{{json .Status}},"workspace":{{json (.Label "ao.workspace")}},"ports":{{json .Ports}},"image":{{json .Image}}}"#;

/// The label that everything of ours carries.
pub(crate) const OURS: &str = "ao.sandbox=true";

/// The `docker` command line and the socket it is to use.
#[derive(Clone, Debug)]
pub(crate) struct Docker {
    program: String,
    host: Option<String>,
    ui: Ui,
}

/// What `docker image inspect` says, as far as we ask.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Image {
    pub(crate) id: String,
    #[serde(default)]
    pub(crate) size: u64,
    #[serde(default)]
    pub(crate) architecture: String,
    #[serde(default)]
    pub(crate) config: Option<ImageConfig>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ImageConfig {
    #[serde(default)]
    labels: Option<std::collections::BTreeMap<String, String>>,
}

impl Image {
    pub(crate) fn label(&self, name: &str) -> Option<&str> {
        self.config.as_ref()?.labels.as_ref()?.get(name).map(String::as_str)
    }
}

impl Docker {
    /// `docker`, or the program that `AO_SANDBOX_ENGINE` names (`podman`), with a socket found where the default one is missing.
    pub(crate) fn locate(ui: Ui) -> Self {
        let program = std::env::var("AO_SANDBOX_ENGINE").ok().filter(|name| !name.is_empty());
        let host = socket::find();
        if let Some(host) = &host {
            ui.detail(format!("using the engine at {host}"));
        }
        Docker { program: program.unwrap_or_else(|| "docker".to_owned()), host, ui }
    }

    /// The socket that we chose ourselves, where the command line's own default is missing.
    pub(crate) fn chosen_host(&self) -> Option<&str> {
        self.host.as_deref()
    }

    /// A command of the engine; how it runs is the caller's choice.
    pub(crate) fn cmd<A: AsRef<std::ffi::OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Cmd {
        let cmd = Cmd::new(&self.program).args(args);
        let cmd = match &self.host {
            Some(host) => cmd.env("DOCKER_HOST", host),
            None => cmd,
        };
        self.ui.detail(format!("+ {}", cmd.shown()));
        cmd
    }

    /// Runs to success; "the engine does not answer" has an exit code and a remedy of its own.
    pub(crate) fn run<A: AsRef<std::ffi::OsStr>>(
        &self,
        args: impl IntoIterator<Item = A>,
    ) -> anyhow::Result<String> {
        let cmd = self.cmd(args);
        let shown = cmd.shown();
        let output = self.answer(cmd)?;
        if !output.success() {
            anyhow::bail!("`{shown}` ended with exit code {}\n{}", output.code, output.stderr.trim_end());
        }
        Ok(output.text().trim_end().to_owned())
    }

    /// The answer to a command, success or not, once the engine has given one.
    pub(crate) fn answer(&self, cmd: Cmd) -> anyhow::Result<Output> {
        if !self.is_installed() {
            return Err(self.not_installed().into());
        }
        let output = cmd.probe().map_err(|error| self.silent(&format!("{error:#}")))?;
        if !output.success() && is_silence(&output.stderr) {
            return Err(self.silent(output.stderr.trim()).into());
        }
        Ok(output)
    }

    /// The container of this id or name.
    pub(crate) fn container(&self, id: &str) -> anyhow::Result<Option<Container>> {
        self.inspected(["container", "inspect", id])
    }

    /// The local image of this name or id.
    pub(crate) fn image(&self, name: &str) -> anyhow::Result<Option<Image>> {
        self.inspected(["image", "inspect", name])
    }

    /// Every container that carries our label, running or not.
    pub(crate) fn list(&self) -> anyhow::Result<Vec<Listed>> {
        let filter = format!("label={OURS}");
        let args = ["ps", "-a", "--no-trunc", "--filter", &filter, "--format", LIST_FORMAT];
        let output = self.answer(self.cmd(args).limit(ANSWER))?;
        if !output.success() {
            anyhow::bail!("failed to list containers: {}", output.stderr.trim_end());
        }
        let lines = output.text();
        let parse = |line: &str| {
            serde_json::from_str(line)
                .with_context(|| format!("`docker ps` answered what we cannot read: {line}"))
        };
        lines.lines().filter(|line| !line.is_empty()).map(parse).collect()
    }

    pub(crate) fn is_installed(&self) -> bool {
        crate::run::on_path(&self.program) || self.program.contains('/')
    }

    fn inspected<T: for<'a> Deserialize<'a>>(&self, args: [&str; 3]) -> anyhow::Result<Option<T>> {
        let output = self.answer(self.cmd(args).limit(ANSWER))?;
        if !output.success() {
            let said = output.stderr.to_ascii_lowercase();
            if said.contains("no such") || said.contains("not found") || said.contains("no container") {
                return Ok(None);
            }
            anyhow::bail!("`{} {}` failed: {}", self.program, args.join(" "), output.stderr.trim_end());
        }
        let all: Vec<T> = serde_json::from_slice(&output.stdout)
            .with_context(|| format!("`{} {}` answered what we cannot read", self.program, args.join(" ")))?;
        Ok(all.into_iter().next())
    }

    fn silent(&self, said: &str) -> Failure {
        let first = said.lines().next().unwrap_or_default();
        Failure::new(Exit::NoEngine, format!("the engine does not answer: {first}"))
            .hint("start it (Docker Desktop, OrbStack, `systemctl start docker`), or let `cargo xtask onboard` do it")
    }

    fn not_installed(&self) -> Failure {
        Failure::new(Exit::NoEngine, format!("the engine's command line `{}` is not installed", self.program))
            .hint("`cargo xtask onboard` installs it where it can, and says what to install elsewhere")
    }
}

/// What the command line says when no engine is behind it. The words differ between versions (20.10 to 28) and podman.
pub(crate) fn is_silence(stderr: &str) -> bool {
    let said = stderr.to_ascii_lowercase();
    [
        "cannot connect to the docker daemon",
        "error during connect",
        "failed to connect to the docker api",
        "permission denied while trying to connect",
        "cannot connect to podman",
        "context deadline exceeded",
        "unable to resolve docker endpoint",
    ]
    .iter()
    .any(|words| said.contains(words))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_is_told_from_a_refusal() {
        assert!(is_silence(
            "Cannot connect to the Docker daemon at unix:///x. Is the docker daemon running?"
        ));
        assert!(is_silence("failed to connect to the docker API at unix:///var/run/docker.sock; check if …"));
        assert!(!is_silence("Error response from daemon: No such container: x"));
    }
}
