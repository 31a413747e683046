//! `sandbox-down`: the container goes; workspace, name and logins stay, unless the volumes are asked for too.

use super::find;
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::flags;
use crate::run_spec;
use crate::workspace::Workspace;

impl flags::SandboxDown {
    pub(crate) fn run(self, cx: &Context) -> anyhow::Result<()> {
        let workspace = Workspace::locate(cx, Some(&self.path))?;
        let container = find(cx, &workspace)?;
        let name = container.as_ref().map(|container| container.name().to_owned());
        if self.dry_run {
            cx.ui.say(
                name.map_or("no sandbox to remove".to_owned(), |name| {
                    format!("would remove sandbox `{name}`")
                }),
            );
            if self.volumes {
                cx.ui.say(format!("would remove the login volumes: {}", volumes().join(", ")));
            }
            return Ok(());
        }
        let with_volumes = self.volumes && self.agreed(cx)?;
        match &container {
            Some(container) => {
                cx.docker().run(["rm", "--force", &container.id])?;
                cx.ui.say(format!("sandbox `{}` is removed", container.name()));
                cx.ui.say("lost: what was installed or written in it outside the workspace");
                cx.ui.say(if with_volumes {
                    "stays: the workspace, the name"
                } else {
                    "stays: the workspace, the logins, the name"
                });
            }
            None => cx.ui.say(format!("no sandbox for workspace `{}`; nothing to remove", workspace.path)),
        }
        cx.state.update(&workspace.path, |known| {
            known.container = None;
            known.installed = None;
        })?;
        if with_volumes { remove_volumes(cx) } else { Ok(()) }
    }

    fn agreed(&self, cx: &Context) -> anyhow::Result<bool> {
        if self.yes {
            return Ok(true);
        }
        if !cx.ui.can_ask() {
            return Err(Failure::new(
                Exit::Usage,
                "`--volumes` removes the logins of all sandboxes, and there is no terminal to ask on",
            )
            .hint("add `--yes`, or leave out `--volumes`")
            .into());
        }
        cx.ui.confirm(
            "Remove the login volumes, which all sandboxes share? Every agent must then log in again.",
        )
    }
}

fn volumes() -> Vec<String> {
    run_spec::volumes().into_iter().map(|(name, _)| name).collect()
}

fn remove_volumes(cx: &Context) -> anyhow::Result<()> {
    let docker = cx.docker();
    for name in volumes() {
        let output = docker.answer(docker.cmd(["volume", "rm", &name]))?;
        if output.success() {
            cx.ui.say(format!("volume `{name}` is removed"));
        } else if output.stderr.contains("in use") {
            return Err(Failure::new(Exit::Failed, format!("volume `{name}` is in use by another sandbox"))
                .hint("`cargo xtask sandbox-ls` lists them; remove those first")
                .into());
        } else if !output.stderr.to_ascii_lowercase().contains("no such") {
            anyhow::bail!("failed to remove volume `{name}`: {}", output.stderr.trim());
        }
    }
    Ok(())
}
