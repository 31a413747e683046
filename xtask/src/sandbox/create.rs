//! Creating a sandbox's container: the image made sure of, a name given, `docker run`, and the wait until it is ready.

use std::fs;

use anyhow::{Context as _, bail};

use super::ready;
use super::up::{Report, Wanted, tell};
use crate::build;
use crate::context::Context;
use crate::docker::container::{Container, Listed, Status};
use crate::failure::{Exit, Failure};
use crate::image;
use crate::interrupt::TempFolder;
use crate::naming;
use crate::run::Cmd;
use crate::stage::Stage;

/// What `docker run` came to.
enum Started {
    /// The container's id.
    Running(String),
    /// Another container has the name; the engine's words.
    NameTaken(String),
}

/// Creates the sandbox. A container that it replaces goes only once image and policy are known to be good.
pub(super) fn create(cx: &Context, wanted: &Wanted, replaced: Option<&Container>) -> anyhow::Result<Report> {
    let docker = cx.docker();
    check_allowlist(cx, wanted)?;
    // The list of containers and the build do not need each other.
    let (listed, image) = std::thread::scope(|scope| {
        let listed = scope.spawn(|| docker.list());
        let image = image::ensure(cx, &wanted.settings);
        (listed.join(), image)
    });
    let Ok(listed) = listed else { bail!("the list of containers could not be asked for") };
    let (listed, (image, stage)) = (listed?, image?);
    if let Some(container) = replaced {
        docker.run(["rm", "--force", &container.id])?;
    }
    let (name, id) = run_under_a_name(cx, wanted, &listed, &image, &stage)?;
    cx.state.update(&wanted.workspace.path, |known| {
        known.name = Some(name.clone());
        known.container = Some(id.clone());
        known.installed = Some(stage.manifest.clone());
    })?;
    ready::wait_new(cx, &id, &name, &wanted.workspace)?;
    let report = Report::created(name, id, wanted);
    tell(cx, &report, &wanted.workspace);
    Ok(report)
}

/// The allowlists as the sandbox will read them, checked by the same program where this machine can run it; elsewhere the start
/// itself refuses a mistake.
fn check_allowlist(cx: &Context, wanted: &Wanted) -> anyhow::Result<()> {
    let Some(program) = build::runnable(cx, &wanted.settings.profile) else { return Ok(()) };
    let folder = TempFolder::new()?;
    let (own, shared) = (folder.path()?.join("allow"), folder.path()?.join("allowlist"));
    let asset = cx.assets().join("rootfs/etc/ao-sandbox/allowlist");
    let text = fs::read_to_string(&asset).with_context(|| format!("failed to read `{asset}`"))?;
    for (path, text) in [(&own, wanted.settings.allow.join("\n")), (&shared, text)] {
        // What a preset stands for is known in the sandbox; here its line is as good as empty.
        let lines = text.lines().map(|line| if line.trim_start().starts_with('@') { "" } else { line });
        fs::write(path, lines.collect::<Vec<_>>().join("\n"))
            .with_context(|| format!("failed to write `{path}`"))?;
    }
    let check = Cmd::new(program).args(["network", "check", own.as_str(), shared.as_str()]).probe()?;
    if check.success() {
        return Ok(());
    }
    let lines = check.stderr.trim().replace(&format!("{own}:"), "`allow`, entry ");
    let lines = lines.replace(shared.as_str(), asset.as_str());
    Err(Failure::new(
        Exit::Usage,
        format!("the allowlist cannot be used: {}", lines.trim_start_matches("error: ")),
    )
    .hint("nothing was changed; mend the entry and run the command again")
    .into())
}

/// Runs it under its name. Where another workspace takes a new name between the look and the run, the one with digits is next.
fn run_under_a_name(
    cx: &Context,
    wanted: &Wanted,
    listed: &[Listed],
    image: &image::Ready,
    stage: &Stage,
) -> anyhow::Result<(String, String)> {
    let path = &wanted.workspace.path;
    let is_given = wanted.name.is_some() || cx.state.load(path).name.is_some();
    let taken =
        |name: &str| listed.iter().any(|entry| entry.name == name && entry.workspace != path.as_str());
    let first = naming::name_for(&cx.state, path, wanted.name.as_deref(), taken)?;
    let second = (!is_given).then(|| naming::with_digest(path)).filter(|second| *second != first);
    let mut said = String::new();
    for name in [Some(first.clone()), second].into_iter().flatten() {
        match run(cx, wanted, &name, image, stage)? {
            Started::Running(id) => return Ok((name, id)),
            Started::NameTaken(words) => said = words,
        }
    }
    Err(Failure::new(Exit::Failed, format!("another container has the name `{first}`: {said}"))
        .hint("choose another with `--name`, or remove that container if it is yours")
        .into())
}

fn run(
    cx: &Context,
    wanted: &Wanted,
    name: &str,
    image: &image::Ready,
    stage: &Stage,
) -> anyhow::Result<Started> {
    let spec = wanted.spec();
    let (described, digest) = (serde_json::to_string(&spec.described())?, spec.digest());
    let labels = [
        ("ao.sandbox", "true"),
        ("ao.workspace", wanted.workspace.path.as_str()),
        ("ao.spec", &digest),
        ("ao.image", &image.digest),
        ("ao.release", &stage.manifest.release),
        ("ao.platform", image.target.platform()),
        ("ao.options", &described),
    ];
    let mut args = spec.arguments(name, &labels);
    // By id: the name may be given to another image between the build and this run.
    args.push(image.id.clone());
    let output = cx.docker().answer(cx.docker().cmd(&args).envs(spec.environment()))?;
    let said = output.stderr.trim();
    if output.success() {
        Ok(Started::Running(output.text().trim().to_owned()))
    } else if said.contains("is already in use by container") {
        Ok(Started::NameTaken(said.lines().next().unwrap_or_default().to_owned()))
    } else {
        Err(failed(cx, name, said))
    }
}

/// A container that the engine made but could not start is removed; it carries our label and was made a moment ago.
fn failed(cx: &Context, name: &str, said: &str) -> anyhow::Error {
    let hint = if said.contains("port is already allocated") || said.contains("address already in use") {
        "another program holds the port; choose another: `--publish OTHER:INSIDE`"
    } else {
        "the engine's reason is above; `cargo xtask doctor` checks the rest"
    };
    if let Ok(Some(container)) = cx.docker().container(name)
        && container.is_ours()
        && container.state.status == Status::Created
        && let Err(error) = cx.docker().run(["rm", "--force", &container.id])
    {
        cx.ui.warn(format!("{error:#}"));
    }
    let reason = said.lines().next().unwrap_or("no reason given");
    Failure::new(Exit::Failed, format!("the engine did not start `{name}`: {reason}")).hint(hint).into()
}
