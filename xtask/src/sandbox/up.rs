//! `sandbox-up`: whatever state a sandbox is in, afterwards it runs and is ready, or the error says why not.

use std::collections::BTreeMap;

use serde::Serialize;
use toml::{Table, Value};

use super::{create, find, quoted, ready, remember};
use crate::config::Config;
use crate::config::keys::Settings;
use crate::context::Context;
use crate::docker::container::{Container, Status};
use crate::failure::{Exit, Failure};
use crate::flags;
use crate::image;
use crate::naming;
use crate::run_spec::{RunSpec, differences};
use crate::target::Target;
use crate::workspace::Workspace;

/// What is wanted, validated.
pub(crate) struct Wanted {
    pub(crate) workspace: Workspace,
    pub(super) settings: Settings,
    spec: RunSpec,
    pub(super) name: Option<String>,
    recreate: bool,
}

/// What was done, for `--json`.
#[derive(Serialize)]
pub(crate) struct Report {
    pub(crate) name: String,
    container: String,
    workspace: String,
    /// `created`, `started`, `resumed` or `running`.
    pub(crate) action: &'static str,
    /// Options that differ from those of its creation.
    differs: Vec<String>,
    /// The image has changed since.
    stale_image: bool,
}

impl Report {
    /// A container that was made a moment ago differs in nothing.
    pub(super) fn created(name: String, container: String, wanted: &Wanted) -> Self {
        let workspace = wanted.workspace.path.to_string();
        Report { name, container, workspace, action: "created", differs: vec![], stale_image: false }
    }
}

impl flags::SandboxUp {
    pub(crate) fn run(self, cx: &Context) -> anyhow::Result<()> {
        let dry_run = self.dry_run;
        let wanted = self.wanted(cx)?;
        if dry_run {
            return preview(cx, &wanted);
        }
        let report = up(cx, &wanted)?;
        if cx.ui.json() { cx.ui.data_json(&report) } else { Ok(()) }
    }

    fn wanted(self, cx: &Context) -> anyhow::Result<Wanted> {
        let workspace = Workspace::locate(cx, Some(&self.path))?;
        let (name, recreate) = (self.name.clone(), self.recreate);
        let settings = Config::load(cx, Some(&workspace), self.table()?)?;
        let spec = RunSpec::new(&workspace, &settings)?;
        Ok(Wanted { workspace, settings, spec, name, recreate })
    }

    /// The flags as a layer of the configuration.
    fn table(self) -> anyhow::Result<Table> {
        let mut table = Table::new();
        let texts = [("network", self.network), ("memory", self.memory), ("cpus", self.cpus)];
        for (key, value) in texts {
            table.extend(value.map(|value| (key.to_owned(), Value::String(value))));
        }
        let lists =
            [("dns", self.dns), ("mounts", self.mount), ("ports", self.publish), ("allow", self.allow)];
        for (key, values) in lists.into_iter().filter(|(_, values)| !values.is_empty()) {
            table.insert(key.to_owned(), Value::Array(values.into_iter().map(Value::String).collect()));
        }
        let env = self.env.iter().map(|text| super::exec::variable(text));
        let env: BTreeMap<String, String> = env.collect::<anyhow::Result<_>>()?;
        if !env.is_empty() {
            table.insert(
                "env".into(),
                Value::Table(env.into_iter().map(|(k, v)| (k, Value::String(v))).collect()),
            );
        }
        Ok(table)
    }
}

impl Wanted {
    pub(super) fn spec(&self) -> &RunSpec {
        &self.spec
    }

    /// The sandbox that the configuration alone describes.
    pub(crate) fn plain(cx: &Context, workspace: Workspace) -> anyhow::Result<Self> {
        let settings = Config::load(cx, Some(&workspace), Table::new())?;
        let spec = RunSpec::new(&workspace, &settings)?;
        Ok(Wanted { workspace, settings, spec, name: None, recreate: false })
    }
}

/// Brings the sandbox up, and says what was done.
pub(crate) fn up(cx: &Context, wanted: &Wanted) -> anyhow::Result<Report> {
    let waiting = || cx.ui.say("another `sandbox-up` works on this workspace; waiting for it");
    let _lock = cx.state.lock_workspace("up", &wanted.workspace.path, waiting)?;
    match find(cx, &wanted.workspace)? {
        Some(container) if wanted.recreate => create::create(cx, wanted, Some(&container)),
        Some(container) => reuse(cx, wanted, &container),
        None => create::create(cx, wanted, None),
    }
}

fn reuse(cx: &Context, wanted: &Wanted, container: &Container) -> anyhow::Result<Report> {
    refuse_another_name(wanted, container)?;
    let (docker, id, name) = (cx.docker(), &container.id, container.name());
    let action = match &container.state.status {
        Status::Running => "running",
        Status::Paused => {
            docker.run(["unpause", id])?;
            "resumed"
        }
        Status::Created | Status::Exited => {
            docker.run(["start", id])?;
            ready::wait(cx, id, name, &wanted.workspace)?;
            "started"
        }
        state => {
            let path = quoted(&wanted.workspace.path);
            return Err(Failure::new(
                Exit::NoSandbox,
                format!("sandbox `{name}` cannot be started (state: {state})"),
            )
            .hint(format!("replace it with `cargo xtask sandbox-up --recreate {path}`"))
            .into());
        }
    };
    remember(cx, &wanted.workspace, container)?;
    let differs = differing_options(container, &wanted.spec);
    let stale_image = image_is_stale(cx, &wanted.settings, container);
    let report = report(container, wanted, action, differs, stale_image);
    tell(cx, &report, &wanted.workspace);
    Ok(report)
}

fn refuse_another_name(wanted: &Wanted, container: &Container) -> anyhow::Result<()> {
    let Some(name) = &wanted.name else { return Ok(()) };
    let full = format!("{}{}", naming::PREFIX, name.strip_prefix(naming::PREFIX).unwrap_or(name));
    if full == container.name() {
        return Ok(());
    }
    Err(Failure::new(
        Exit::Usage,
        format!("the workspace's sandbox is called `{}`, not `{full}`", container.name()),
    )
    .hint("a name is set at creation; `--recreate --name …` creates the sandbox anew")
    .into())
}

/// The options that differ between a container and today, as lines.
pub(crate) fn differing_options(container: &Container, spec: &RunSpec) -> Vec<String> {
    if container.label("ao.spec") == Some(&spec.digest()) {
        return vec![];
    }
    differences(container.label("ao.options"), &spec.described())
}

/// Whether today's image inputs are others than those of the container's image.
pub(super) fn image_is_stale(cx: &Context, settings: &Settings, container: &Container) -> bool {
    let today = target_of(container).and_then(|target| image::inputs_digest(cx, settings, target));
    today.is_ok_and(|today| container.label("ao.image") != Some(&today))
}

/// The machine type of a container; this machine's own where its label does not say.
pub(super) fn target_of(container: &Container) -> anyhow::Result<Target> {
    container.label("ao.platform").map_or(Ok(Target::host()), Target::parse)
}

fn report(
    container: &Container,
    wanted: &Wanted,
    action: &'static str,
    differs: Vec<String>,
    stale_image: bool,
) -> Report {
    Report {
        name: container.name().to_owned(),
        container: container.id.clone(),
        workspace: wanted.workspace.path.to_string(),
        action,
        differs,
        stale_image,
    }
}

pub(super) fn tell(cx: &Context, report: &Report, workspace: &Workspace) {
    let word = if report.action == "running" { "is running already" } else { report.action };
    cx.ui.say(format!("sandbox `{}` {word}", report.name));
    for line in &report.differs {
        cx.ui.warn(format!("set at creation, so not in effect: {line}"));
    }
    if report.stale_image {
        cx.ui.warn("its image was built from other files than today's");
    }
    if !report.differs.is_empty() || report.stale_image {
        let path = super::argument(cx, workspace);
        cx.ui.say(format!(
            "`cargo xtask sandbox-up{path} --recreate` creates it anew; workspace and logins stay"
        ));
    }
}

fn preview(cx: &Context, wanted: &Wanted) -> anyhow::Result<()> {
    let Some(container) = find(cx, &wanted.workspace)? else {
        cx.ui.say(format!("would create a sandbox for `{}`", wanted.workspace.path));
        return Ok(());
    };
    let (name, state) = (container.name(), &container.state.status);
    let act = match state {
        _ if wanted.recreate => "remove and create anew",
        Status::Running => "leave as it is",
        Status::Paused => "resume",
        _ => "start",
    };
    cx.ui.say(format!("would {act}: sandbox `{name}` ({state})"));
    differing_options(&container, &wanted.spec).iter().for_each(|line| cx.ui.say(format!("  {line}")));
    Ok(())
}
