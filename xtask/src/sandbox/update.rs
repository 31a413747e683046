//! `sandbox-update`: read, build, stage, compare, push, install, verify, report (design §5).
//!
//! Calls of the engine: the inspect runs while cargo checks; then either one verifying exec (nothing changed) or one `cp` and one exec. What
//! is installed is known from the last update; the install verifies every digest inside, so a wrong memory costs a second push
//! and never a wrong sandbox.

use std::fs;
use std::time::Instant;

use anyhow::Context as _;
use camino::Utf8Path;
use serde::Serialize;

use super::push::{Pushed, Receiver};
use super::{running, up};
use crate::build;
use crate::config::Config;
use crate::config::keys::Settings;
use crate::context::Context;
use crate::docker::container::Container;
use crate::failure::{Exit, Failure};
use crate::flags;
use crate::manifest::{Manifest, short};
use crate::release::{Answer, Status};
use crate::run_spec::RunSpec;
use crate::sizes;
use crate::stage::Stage;
use crate::target::Target;
use crate::workspace::Workspace;

/// Where the binary of an update comes from.
enum Source<'a> {
    Build,
    Last,
    File(&'a Utf8Path),
}

/// One update, validated.
struct Update<'a> {
    cx: &'a Context,
    workspace: Workspace,
    settings: Settings,
    source: Source<'a>,
    dry_run: bool,
    force: bool,
    started: Instant,
}

/// The result, for `--json`.
#[derive(Serialize)]
struct Report<'a> {
    sandbox: &'a str,
    container: &'a str,
    #[serde(flatten)]
    answer: &'a Answer,
    /// Bytes sent.
    bytes: usize,
    millis: u128,
    notes: Vec<String>,
}

impl flags::SandboxUpdate {
    pub(crate) fn run(self, cx: &Context) -> anyhow::Result<()> {
        let workspace = Workspace::locate(cx, Some(&self.path))?;
        let settings = Config::load(cx, Some(&workspace), toml::Table::new())?;
        let binary = self.binary.as_ref().map(|path| cx.cwd.join(path));
        let source = match &binary {
            Some(path) => Source::File(path),
            None if self.no_build => Source::Last,
            None => Source::Build,
        };
        let (dry_run, force, started) = (self.dry_run, self.force, Instant::now());
        let update = Update { cx, workspace, settings, source, dry_run, force, started };
        if self.rollback { update.rollback() } else { update.run() }
    }
}

/// Updates the sandbox of a workspace with what is built now; onboarding's last step. `force` pushes all files, so that the way is
/// proved also into a sandbox that was created a moment ago.
pub(crate) fn update(cx: &Context, workspace: Workspace, force: bool) -> anyhow::Result<()> {
    let settings = Config::load(cx, Some(&workspace), toml::Table::new())?;
    let (dry_run, started) = (false, Instant::now());
    Update { cx, workspace, settings, source: Source::Build, dry_run, force, started }.run()
}

impl Update<'_> {
    fn run(&self) -> anyhow::Result<()> {
        let _lock = self.lock()?;
        let (container, stage) = self.container_and_stage()?;
        let receiver = Receiver { cx: self.cx, id: &container.id };
        let remembered = self.cx.state.load(&self.workspace.path).installed;
        // Only what may be the same, or is not known, is worth a look inside before anything is sent.
        let known = match &remembered {
            Some(manifest) if manifest.release != stage.manifest.release && !self.dry_run => remembered,
            _ => match receiver.installed()? {
                Some(inside)
                    if inside.ok
                        && !inside.interrupted
                        && inside.manifest == stage.manifest
                        && !self.force =>
                {
                    return self.unchanged(&container, &stage, inside.manifest);
                }
                Some(inside) => Some(without(inside.manifest, &inside.differing)),
                None => None,
            },
        };
        let known = if self.force { None } else { known };
        if self.dry_run {
            return self.preview(&container, &stage, known.as_ref());
        }
        self.cx.ui.detail(format!("pushing release {}", short(&stage.manifest.release)));
        let pushed = receiver.install(&stage, known.as_ref())?;
        self.finish(&receiver, &container, &pushed, &stage.manifest)
    }

    fn rollback(&self) -> anyhow::Result<()> {
        let _lock = self.lock()?;
        let container = running(self.cx, &self.workspace)?;
        let receiver = Receiver { cx: self.cx, id: &container.id };
        let answer = receiver.rollback()?;
        let failed = matches!(answer.status, Status::Refused | Status::RolledBack | Status::BaseMismatch);
        self.cx.state.update(&self.workspace.path, |known| known.installed = None)?;
        if failed {
            return Err(failure(container.name(), &answer).into());
        }
        self.report(&container, &Pushed { answer, bytes: 0 })
    }

    /// Updates from this machine take turns; inside, the install has a lock of its own.
    fn lock(&self) -> anyhow::Result<fs::File> {
        self.cx.state.lock_workspace("update", &self.workspace.path, || {
            self.cx.ui.say("another update of this sandbox is under way; waiting for it");
        })
    }

    /// The inspect and the build side by side; the machine type is the one remembered until the inspect says otherwise.
    fn container_and_stage(&self) -> anyhow::Result<(Container, Stage)> {
        let guess = Target::host();
        let (container, stage) = std::thread::scope(|scope| {
            let container = scope.spawn(|| running(self.cx, &self.workspace));
            let stage = self.checked_stage(guess);
            (container.join(), stage)
        });
        let container = container.unwrap_or_else(|_| anyhow::bail!("the engine could not be asked"))?;
        let target = up::target_of(&container)?;
        let stage = if target == guess { stage? } else { self.checked_stage(target)? };
        Ok((container, stage))
    }

    /// A stage whose scripts are good; one that is remembered as installed has passed the check already.
    fn checked_stage(&self, target: Target) -> anyhow::Result<Stage> {
        let stage = self.stage(target)?;
        let remembered = self.cx.state.load(&self.workspace.path).installed;
        let installed = |path: &str| remembered.as_ref().and_then(|old| old.file(path));
        stage.check_scripts(|path| installed(path) != stage.manifest.file(path))?;
        Ok(stage)
    }

    fn stage(&self, target: Target) -> anyhow::Result<Stage> {
        let profile = &self.settings.profile;
        match self.source {
            Source::Build => Stage::build(self.cx, target, profile),
            Source::Last => Stage::new(self.cx, build::last(self.cx, target, profile)?, target),
            Source::File(path) => Stage::with_binary(self.cx, path, target),
        }
    }

    fn unchanged(&self, container: &Container, stage: &Stage, manifest: Manifest) -> anyhow::Result<()> {
        self.cx.state.update(&self.workspace.path, |known| known.installed = Some(manifest))?;
        let answer = Answer {
            status: Status::Unchanged,
            release: stage.manifest.release.clone(),
            previous: None,
            files: vec![],
            firewall: None,
            build: None,
            entrypoint_changed: false,
            missing: vec![],
            error: None,
        };
        self.report(container, &Pushed { answer, bytes: 0 })
    }

    fn preview(&self, container: &Container, stage: &Stage, known: Option<&Manifest>) -> anyhow::Result<()> {
        let ui = self.cx.ui;
        let changed = stage.manifest.changed_since(known);
        let removed = stage.manifest.removed_since(known);
        if ui.json() {
            let paths: Vec<&str> = changed.iter().map(|entry| entry.path.as_str()).collect();
            return ui.data_json(
                &serde_json::json!({"release": stage.manifest.release, "push": paths, "remove": removed}),
            );
        }
        for entry in &changed {
            ui.data(format!("would push    {} ({})", entry.path, sizes::shown(entry.size)));
        }
        removed.iter().for_each(|path| ui.data(format!("would remove  {path}")));
        if changed.is_empty() && removed.is_empty() {
            ui.say(format!(
                "nothing to push: `{}` holds release {}",
                container.name(),
                short(&stage.manifest.release)
            ));
        }
        Ok(())
    }

    fn finish(
        &self,
        receiver: &Receiver,
        container: &Container,
        pushed: &Pushed,
        manifest: &Manifest,
    ) -> anyhow::Result<()> {
        let answer = &pushed.answer;
        match answer.status {
            Status::Installed | Status::Unchanged => {
                self.cx
                    .state
                    .update(&self.workspace.path, |known| known.installed = Some(manifest.clone()))?;
                if self.force && answer.firewall.is_none() {
                    receiver
                        .apply_firewall()
                        .context("the files are in place, but the firewall could not be applied again")?;
                }
                self.report(container, pushed)
            }
            Status::RolledBack | Status::Refused | Status::BaseMismatch => {
                self.cx.state.update(&self.workspace.path, |known| known.installed = None)?;
                if self.cx.ui.json() {
                    self.report(container, pushed)?;
                }
                Err(failure(container.name(), answer).into())
            }
        }
    }

    fn report(&self, container: &Container, pushed: &Pushed) -> anyhow::Result<()> {
        let (ui, answer) = (self.cx.ui, &pushed.answer);
        let millis = self.started.elapsed().as_millis();
        let notes = self.notes(container, answer);
        if ui.json() {
            let (sandbox, container) = (container.name(), container.id.as_str());
            return ui.data_json(&Report { sandbox, container, answer, bytes: pushed.bytes, millis, notes });
        }
        if answer.status == Status::Unchanged && self.force {
            let size = sizes::shown(pushed.bytes as u64);
            ui.say(format!("sandbox `{}` held release {} already; pushed and verified again, firewall applied ({size}, {millis} ms)", container.name(), short(&answer.release)));
        } else if answer.status == Status::Unchanged {
            ui.say(format!(
                "sandbox `{}` is up to date: release {} ({millis} ms)",
                container.name(),
                short(&answer.release)
            ));
        } else {
            answer.files.iter().for_each(|file| ui.say(format!("  {:<9}  {}", file.action, file.path)));
            if let Some(firewall) = answer.firewall.as_ref().filter(|firewall| firewall.ran) {
                ui.say(format!("  firewall   applied in {} ms", firewall.millis));
            }
            let size = sizes::shown(pushed.bytes as u64);
            ui.say(format!(
                "sandbox `{}` holds release {} ({size}, {millis} ms)",
                container.name(),
                short(&answer.release)
            ));
        }
        notes.iter().for_each(|note| ui.say(format!("note: {note}")));
        Ok(())
    }

    /// What an update cannot bring into effect.
    fn notes(&self, container: &Container, answer: &Answer) -> Vec<String> {
        let mut notes = vec![];
        if answer.entrypoint_changed {
            notes.push(
                "the changed entrypoint takes effect at the next restart (`sandbox-stop`, then `sandbox-up`)"
                    .to_owned(),
            );
        }
        // A configuration that cannot be used is an error of `sandbox-up`, not of an update that does not need it.
        if let Ok(spec) = RunSpec::new(&self.workspace, &self.settings) {
            let differs = up::differing_options(container, &spec).into_iter();
            notes.extend(differs.map(|line| format!("set at creation; {line} (`sandbox-up --recreate`)")));
        }
        if up::image_is_stale(self.cx, &self.settings, container) {
            notes.push(
                "the image was built from other files than today's (`sandbox-up --recreate` rebuilds it)"
                    .to_owned(),
            );
        }
        notes
    }
}

/// The manifest without the files that turned out to differ from it.
fn without(manifest: Manifest, differing: &[String]) -> Manifest {
    let files = manifest.files.into_iter().filter(|file| !differing.contains(&file.path));
    Manifest::new(files.collect())
}

fn failure(name: &str, answer: &Answer) -> Failure {
    let why =
        answer.error.clone().unwrap_or_else(|| format!("files are missing: {}", answer.missing.join(", ")));
    match answer.status {
        Status::RolledBack => {
            Failure::new(Exit::RolledBack, format!("the update of `{name}` was rolled back: {why}"))
                .hint("the sandbox goes on with the release before; mend the cause and update again")
        }
        _ => Failure::new(
            Exit::Failed,
            format!("the update of `{name}` was refused, nothing was changed: {why}"),
        )
        .hint("mend the cause and update again"),
    }
}
