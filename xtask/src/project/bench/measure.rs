//! Pairs of runs, their medians, and how they compare with a budget.

use std::time::{Duration, Instant};

use serde::Serialize;

use super::rows::Row;
use crate::render::Ui;

/// What a row measured.
#[derive(Debug, Default, Serialize)]
pub(super) struct Outcome {
    name: &'static str,
    /// Medians in milliseconds (bytes for the row of the binary's size).
    ours: f64,
    raw: Option<f64>,
    /// What the budget is about: a ratio, or an absolute amount where there is no raw command.
    value: f64,
    budget: f64,
    pub(super) within: bool,
}

impl Outcome {
    /// The median ratio of pairs.
    pub(super) fn of_pairs(pairs: &[(Duration, Duration)]) -> Self {
        let millis = |time: &Duration| time.as_secs_f64() * 1e3;
        let ratio = pairs.iter().map(|(ours, raw)| ours.as_secs_f64() / raw.as_secs_f64()).collect();
        Outcome {
            ours: median(pairs.iter().map(|(ours, _)| millis(ours)).collect()),
            raw: Some(median(pairs.iter().map(|(_, raw)| millis(raw)).collect())),
            value: median(ratio),
            ..Outcome::default()
        }
    }

    /// Milliseconds over the raw command.
    pub(super) fn of_excess(pairs: &[(Duration, Duration)]) -> Self {
        let excess = pairs.iter().map(|(ours, raw)| (ours.as_secs_f64() - raw.as_secs_f64()) * 1e3).collect();
        Outcome { value: median(excess), ..Outcome::of_pairs(pairs) }
    }

    /// An amount by itself.
    pub(super) fn of_amounts(amounts: Vec<f64>) -> Self {
        let value = median(amounts);
        Outcome { ours: value, value, ..Outcome::default() }
    }

    pub(super) fn named(self, row: &Row) -> Self {
        Outcome { name: row.name, budget: row.budget, within: self.value <= row.budget, ..self }
    }

    pub(super) fn cells(&self, ui: &Ui) -> Vec<String> {
        let number = |value: f64| if value >= 10.0 { format!("{value:.0}") } else { format!("{value:.2}") };
        vec![
            ui.mark(if self.within { "ok" } else { "fail" }),
            self.name.to_owned(),
            number(self.ours),
            self.raw.map(number).unwrap_or_default(),
            number(self.value),
            number(self.budget),
        ]
    }
}

/// Runs the two in turn, one warm-up each, and times them.
pub(super) fn pairs(
    count: usize,
    mut ours: impl FnMut() -> anyhow::Result<()>,
    mut raw: impl FnMut() -> anyhow::Result<()>,
) -> anyhow::Result<Vec<(Duration, Duration)>> {
    ours()?;
    raw()?;
    (0..count).map(|_| Ok((timed(&mut ours)?, timed(&mut raw)?))).collect()
}

/// How long it took.
pub(super) fn timed(mut act: impl FnMut() -> anyhow::Result<()>) -> anyhow::Result<Duration> {
    let started = Instant::now();
    act()?;
    Ok(started.elapsed())
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => f64::NAN,
        count if count % 2 == 1 => values[count / 2],
        count => f64::midpoint(values[count / 2 - 1], values[count / 2]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_ignores_an_outlier_and_nothing_measured_is_never_within_budget() {
        assert!((median(vec![1.0, 100.0, 2.0]) - 2.0).abs() < f64::EPSILON);
        assert!((median(vec![1.0, 3.0]) - 2.0).abs() < f64::EPSILON);
        assert!(median(vec![]).is_nan());
        let within = median(vec![]) <= 1.0;
        assert!(!within);
    }
}
