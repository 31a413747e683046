//! Doing what the checks ask for: all packages in one go, then targets, then the engine.

use super::{Check, Level, Mend, apt, engine, rust};
use crate::context::Context;
use crate::failure::{Exit, Failure};

/// What is missing and can be mended, merged: each package and each target once.
pub(super) struct Plan {
    packages: Vec<String>,
    targets: Vec<String>,
    start_engine: bool,
}

impl Plan {
    pub(super) fn of(checks: &[Check]) -> Self {
        let mut plan = Plan { packages: vec![], targets: vec![], start_engine: false };
        for mend in checks.iter().flat_map(|check| &check.mend) {
            match mend {
                Mend::Packages(names) => plan.packages.extend(names.iter().cloned()),
                Mend::RustTargets(names) => plan.targets.extend(names.iter().cloned()),
                Mend::StartEngine => plan.start_engine = true,
            }
        }
        for list in [&mut plan.packages, &mut plan.targets] {
            list.sort();
            list.dedup();
        }
        plan
    }

    pub(super) fn is_empty(&self) -> bool {
        self.packages.is_empty() && self.targets.is_empty() && !self.start_engine
    }

    pub(super) fn carry_out(&self, cx: &Context) -> anyhow::Result<()> {
        if !self.packages.is_empty() {
            apt::install(cx, &self.packages)?;
        }
        if !self.targets.is_empty() {
            rust::add_targets(cx, &self.targets)?;
        }
        if self.start_engine {
            engine::start(cx)?;
        }
        Ok(())
    }
}

/// One error for everything that only the person can mend.
pub(super) fn refuse_unmendable(checks: &[Check]) -> anyhow::Result<()> {
    let hopeless = checks.iter().filter(|check| check.level == Level::Fail && check.mend.is_empty());
    let lines: Vec<String> = hopeless
        .map(|check| {
            format!(
                "{}: {}{}",
                check.name,
                check.detail,
                check.remedy.as_ref().map(|r| format!(" -> {r}")).unwrap_or_default()
            )
        })
        .collect();
    if lines.is_empty() {
        return Ok(());
    }
    Err(Failure::new(Exit::Failed, format!("this needs your hand:\n  {}", lines.join("\n  ")))
        .hint("do what stands behind each arrow, then run the same command again")
        .into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_package_is_installed_once_and_only_the_hopeless_is_refused() {
        let package =
            |name: &'static str| Check::fail(name, "").mend(Mend::Packages(vec!["b".into(), "a".into()]));
        let plan = Plan::of(&[package("x"), package("y")]);
        assert_eq!(plan.packages, ["a", "b"]);
        assert!(!plan.is_empty() && Plan::of(&[Check::ok("x", "")]).is_empty());
        assert!(refuse_unmendable(&[package("x")]).is_ok());
        let error = refuse_unmendable(&[Check::fail("engine", "missing").remedy("brew it")]).unwrap_err();
        assert!(error.to_string().contains("engine: missing -> brew it"));
    }
}
