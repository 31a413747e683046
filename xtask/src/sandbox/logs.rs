//! `sandbox-logs`: what the entrypoint and the services said.

use super::existing;
use crate::context::Context;
use crate::failure::PassThrough;
use crate::flags;
use crate::workspace::Workspace;

impl flags::SandboxLogs {
    pub(crate) fn run(self, cx: &Context) -> anyhow::Result<()> {
        let container = existing(cx, &Workspace::locate(cx, Some(&self.path))?)?;
        let tail = self.tail.to_string();
        let mut args = vec!["logs", "--timestamps", "--tail", &tail];
        args.extend(self.follow.then_some("--follow"));
        args.push(&container.id);
        match cx.docker().cmd(args).interactive()? {
            0 => Ok(()),
            code => Err(PassThrough(u8::try_from(code).unwrap_or(1)).into()),
        }
    }
}
