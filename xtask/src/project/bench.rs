//! `bench`: each budget as a ratio to the raw command, in the same run.

use crate::context::Context;
use crate::flags;

impl flags::Bench {
    pub(crate) fn run(self, cx: &Context) -> anyhow::Result<()> {
        let Self { pairs, filter } = self;
        cx.ui.say(format!("{pairs} pairs {filter}"));
        Ok(())
    }
}
