//! `sandbox-ls`: the sandboxes on this engine.

use crate::context::Context;
use crate::flags;
use crate::render::table;

impl flags::SandboxLs {
    pub(crate) fn run(self, cx: &Context) -> anyhow::Result<()> {
        let mut all = cx.docker().list()?;
        all.sort_by(|a, b| a.name.cmp(&b.name));
        if cx.ui.json() {
            return cx.ui.data_json(&all);
        }
        if all.is_empty() {
            cx.ui.say("no sandboxes; `cargo xtask sandbox-up PATH` creates one");
            return Ok(());
        }
        let head = ["NAME", "STATE", "SINCE", "PORTS", "WORKSPACE"].map(str::to_owned).to_vec();
        let rows = all
            .into_iter()
            .map(|entry| vec![entry.name, entry.state, entry.status, entry.ports, entry.workspace]);
        let rows: Vec<_> = std::iter::once(head).chain(rows).collect();
        table(&rows).iter().for_each(|line| cx.ui.data(line));
        Ok(())
    }
}
