//! `sandbox-inspect`: all about one sandbox.

use serde::Serialize;

use super::up::{Wanted, differing_options, image_is_stale};
use super::{existing, push::Receiver};
use crate::context::Context;
use crate::docker::container::{Container, Mount};
use crate::flags;
use crate::manifest::short;
use crate::release::Installed;
use crate::workspace::Workspace;

#[derive(Serialize)]
struct Report<'a> {
    name: &'a str,
    hostname: &'a str,
    container: &'a str,
    state: String,
    exit_code: i64,
    out_of_memory: bool,
    created: &'a str,
    started: &'a str,
    restarts: u32,
    workspace: &'a str,
    image: &'a str,
    stale_image: bool,
    differs: Vec<String>,
    /// The release in it, where it runs.
    release: Option<String>,
    previous_release: Option<String>,
    /// Files that are not what their manifest says.
    altered: Vec<String>,
    ports: Vec<String>,
    mounts: &'a [Mount],
}

impl flags::SandboxInspect {
    pub(crate) fn run(self, cx: &Context) -> anyhow::Result<()> {
        let workspace = Workspace::locate(cx, Some(&self.path))?;
        let container = existing(cx, &workspace)?;
        let installed = match container.is_running() {
            true => Receiver { cx, id: &container.id }.installed()?,
            false => None,
        };
        let wanted = Wanted::plain(cx, workspace)?;
        let report = report(cx, &wanted, &container, installed);
        if cx.ui.json() {
            return cx.ui.data_json(&report);
        }
        tell(cx, &report);
        Ok(())
    }
}

fn report<'a>(
    cx: &Context,
    wanted: &'a Wanted,
    container: &'a Container,
    installed: Option<Installed>,
) -> Report<'a> {
    let (release, previous, altered) = match installed {
        Some(inside) => (Some(inside.manifest.release), inside.previous, inside.differing),
        None => (None, None, vec![]),
    };
    Report {
        name: container.name(),
        hostname: &container.config.hostname,
        container: &container.id,
        state: container.state.status.to_string(),
        exit_code: container.state.exit_code,
        out_of_memory: container.state.oom_killed,
        created: &container.created,
        started: &container.state.started_at,
        restarts: container.restart_count,
        workspace: wanted.workspace.path.as_str(),
        image: &container.config.image,
        stale_image: image_is_stale(cx, &wanted.settings, container),
        differs: differing_options(container, wanted.spec()),
        release,
        previous_release: previous,
        altered,
        ports: ports(container),
        mounts: &container.mounts,
    }
}

fn ports(container: &Container) -> Vec<String> {
    let published = container.network_settings.ports.iter().flatten();
    let line = |(inside, hosts): (&String, &Option<Vec<_>>)| -> Vec<String> {
        let hosts = hosts.iter().flatten();
        hosts
            .map(|host: &crate::docker::container::HostPort| {
                format!("{}:{} -> {inside}", host.host_ip, host.host_port)
            })
            .collect()
    };
    published.flat_map(line).collect()
}

fn tell(cx: &Context, report: &Report) {
    let row = |name: &str, value: &str| cx.ui.data(format!("{name:<10} {value}"));
    row("name", report.name);
    let ended =
        if report.state == "exited" { format!(" (exit code {})", report.exit_code) } else { String::new() };
    let killed = if report.out_of_memory { ", ended for want of memory" } else { "" };
    row("state", &format!("{}{ended}{killed}", report.state));
    row("container", short(report.container));
    row("workspace", report.workspace);
    row(
        "image",
        &format!(
            "{}{}",
            report.image,
            if report.stale_image { " (built from other files than today's)" } else { "" }
        ),
    );
    row("release", report.release.as_deref().map_or("not known while it does not run", short));
    if let Some(previous) = &report.previous_release {
        row("before", &format!("{} (`sandbox-update --rollback` returns to it)", short(previous)));
    }
    report.altered.iter().for_each(|path| row("altered", &format!("{path} (`sandbox-update` restores it)")));
    report.ports.iter().for_each(|port| row("port", port));
    for mount in report.mounts {
        let source = if mount.volume.is_empty() { &mount.source } else { &mount.volume };
        let mode = if mount.writable { "" } else { " (read-only)" };
        row(&mount.kind, &format!("{source} at {}{mode}", mount.destination));
    }
    report.differs.iter().for_each(|line| row("differs", line));
}
