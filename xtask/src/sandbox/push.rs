//! The two engine calls by which a release reaches a container: one tar stream through `docker cp`, one `docker exec` that
//! installs it from inside.

use std::time::Duration;

use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::manifest::{Entry, Manifest};
use crate::release::{Answer, Installed, Status, parse};
use crate::run::Output;
use crate::stage::{Stage, WORKFLOW};

/// Where a pushed release waits until it is installed.
const INCOMING: &str = "/var/lib/ao-sandbox/incoming";
/// The install bounds its own steps; this is for an engine that hangs.
const LIMIT: Duration = Duration::from_secs(120);

/// A container to push into.
pub(crate) struct Receiver<'a> {
    pub(crate) cx: &'a Context,
    pub(crate) id: &'a str,
}

/// What was pushed and what came back.
pub(crate) struct Pushed {
    pub(crate) answer: Answer,
    /// Bytes of the tar stream.
    pub(crate) bytes: usize,
}

impl Receiver<'_> {
    /// Pushes what differs from `base` and installs it. Where the container turns out not to hold `base`, the rest is pushed too.
    pub(crate) fn install(&self, stage: &Stage, base: Option<&Manifest>) -> anyhow::Result<Pushed> {
        let changed: Vec<&Entry> = stage.manifest.changed_since(base);
        let first = self.push(stage, |entry| changed.contains(&entry))?;
        if first.answer.status != Status::BaseMismatch {
            return Ok(first);
        }
        self.cx.ui.detail("the sandbox holds other files than remembered; pushing all of them");
        self.push(stage, |_| true)
    }

    fn push(&self, stage: &Stage, chosen: impl Fn(&Entry) -> bool) -> anyhow::Result<Pushed> {
        let release = &stage.manifest.release;
        let incoming = format!("{INCOMING}/{release}");
        let brings_workflow = stage.manifest.file(WORKFLOW).is_some_and(&chosen);
        let tar = stage.tar(&format!("{incoming}/files"), &format!("{incoming}/manifest.json"), &chosen)?;
        let bytes = tar.len();
        self.copy(tar)?;
        // The new binary installs the release that it came with; where it did not change, the installed one is the same.
        let program =
            if brings_workflow { format!("{incoming}/files{WORKFLOW}") } else { WORKFLOW.to_owned() };
        let output = self.exec(&program, &["install", release])?;
        // Another machine pushed the same release and its install has claimed the folder: ours asks the installed binary,
        // which waits for that install and finds nothing left to do.
        let claimed = brings_workflow && matches!(output.code, 126 | 127);
        let output = if claimed { self.exec(WORKFLOW, &["install", release])? } else { output };
        Ok(Pushed { answer: answer(&output)?, bytes })
    }

    fn copy(&self, tar: Vec<u8>) -> anyhow::Result<()> {
        let docker = self.cx.docker();
        let cmd = docker.cmd(["cp", "-", &format!("{}:/", self.id)]).stdin(tar).limit(LIMIT);
        let output = docker.answer(cmd)?;
        if output.success() {
            return Ok(());
        }
        let said = output.stderr.trim().to_owned();
        self.clean_up();
        let hint = if said.contains("no space left") {
            "the disk of the container is full: free some space (`cargo xtask sandbox-exec --root . df -h`) and update again"
        } else {
            "nothing was installed; the sandbox goes on with what it had"
        };
        Err(Failure::new(Exit::Failed, format!("failed to copy the release into the sandbox: {said}"))
            .hint(hint)
            .into())
    }

    /// Removes what a copy that broke off left behind; best effort, because the next install does the same.
    fn clean_up(&self) {
        let args = ["exec", "--user", "root", self.id, WORKFLOW, "release", "recover"];
        if let Err(error) = self.cx.docker().run(args) {
            self.cx.ui.detail(format!("{error:#}"));
        }
    }

    /// Returns to the release before.
    pub(crate) fn rollback(&self) -> anyhow::Result<Answer> {
        answer(&self.exec(WORKFLOW, &["rollback"])?)
    }

    fn exec(&self, program: &str, words: &[&str]) -> anyhow::Result<Output> {
        let docker = self.cx.docker();
        let args = ["exec", "--user", "root", self.id, program, "release"];
        let args = args.iter().chain(words).chain(&["--json"]);
        docker.answer(docker.cmd(args).limit(LIMIT))
    }

    /// What is installed, each file hashed inside; none where nothing there can tell.
    pub(crate) fn installed(&self) -> anyhow::Result<Option<Installed>> {
        let docker = self.cx.docker();
        let args = ["exec", "--user", "root", self.id, WORKFLOW, "release", "status", "--verify", "--json"];
        let output = docker.answer(docker.cmd(args).limit(LIMIT))?;
        // A binary that is missing, broken or of another protocol: everything is pushed then.
        Ok(parse(&output.text()).ok())
    }

    /// Applies the firewall again, as `--force` asks even when no file changed.
    pub(crate) fn apply_firewall(&self) -> anyhow::Result<()> {
        self.cx.docker().run(["exec", "--user", "root", self.id, "/opt/init-firewall.sh"]).map(drop)
    }
}

fn answer(output: &Output) -> anyhow::Result<Answer> {
    if !output.stdout.is_empty() {
        return parse(&output.text());
    }
    let said = output.stderr.trim();
    Err(Failure::new(Exit::Failed, format!("the install gave no answer (exit code {}): {said}", output.code))
        .hint("an interrupted install is undone by the next one; run the command again")
        .into())
}
