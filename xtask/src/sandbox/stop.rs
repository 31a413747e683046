//! `sandbox-stop`: the container stops, everything in it stays.

use super::{argument, existing};
use crate::context::Context;
use crate::docker::container::Status;
use crate::flags;
use crate::workspace::Workspace;

impl flags::SandboxStop {
    pub(crate) fn run(self, cx: &Context) -> anyhow::Result<()> {
        let workspace = Workspace::locate(cx, Some(&self.path))?;
        let container = existing(cx, &workspace)?;
        let name = container.name();
        if matches!(container.state.status, Status::Exited | Status::Created) {
            cx.ui.say(format!("sandbox `{name}` is stopped already"));
            return Ok(());
        }
        if container.state.status == Status::Paused {
            // A paused process cannot act on the signal to end.
            cx.docker().run(["unpause", &container.id])?;
        }
        cx.docker().run(["stop", "--time", "5", &container.id])?;
        let path = argument(cx, &workspace);
        cx.ui.say(format!("sandbox `{name}` is stopped; `cargo xtask sandbox-up{path}` starts it again"));
        Ok(())
    }
}
