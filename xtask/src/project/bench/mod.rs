//! `bench`: each budget of design §12 as a ratio to the raw command, in the same run, pair by pair.
//!
//! Absolute times move with the machine's other work; the median of the ratios of neighbouring runs does not.

mod measure;
mod rows;
mod scene;

use crate::context::Context;
use crate::flags;
use crate::render::table;
use measure::Outcome;
use scene::Scene;

impl flags::Bench {
    pub(crate) fn run(self, cx: &Context) -> anyhow::Result<()> {
        let scene = Scene::new(cx)?;
        let mut outcomes: Vec<Outcome> = vec![];
        for row in rows::all().into_iter().filter(|row| row.name.contains(&self.filter)) {
            cx.ui.say(format!("measuring: {}", row.name));
            outcomes.push((row.measure)(&scene, self.pairs.max(1))?.named(&row));
        }
        if cx.ui.json() {
            cx.ui.data_json(&outcomes)?;
        } else {
            let head = ["", "WHAT", "OURS", "RAW", "RATIO", "BUDGET"].map(str::to_owned).to_vec();
            let rows: Vec<_> =
                std::iter::once(head).chain(outcomes.iter().map(|outcome| outcome.cells(&cx.ui))).collect();
            table(&rows).iter().for_each(|line| cx.ui.data(line));
        }
        let over = outcomes.iter().filter(|outcome| !outcome.within).count();
        anyhow::ensure!(over == 0, "{over} budgets are exceeded");
        Ok(())
    }
}
