//! `sandbox-logs`: what the entrypoint and the services said.

use super::existing;
use crate::context::Context;
use crate::flags;
use crate::workspace::Workspace;

impl flags::SandboxLogs {
    pub(crate) fn run(self, cx: &Context) -> anyhow::Result<()> {
        let container = existing(cx, &Workspace::locate(cx, Some(&self.path))?)?;
        let tail = self.tail.to_string();
        let mut args = vec!["logs", "--timestamps", "--tail", &tail];
        args.extend(self.follow.then_some("--follow"));
        args.push(&container.id);
        cx.docker().cmd(args).follow(|line| cx.ui.data(line))
    }
}
