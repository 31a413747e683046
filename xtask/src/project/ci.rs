//! `ci`: the same checks on a laptop and in CI, the quick ones first.

use std::time::Instant;

use super::test;
use crate::build::cargo;
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::flags;
use crate::run::Cmd;
use crate::setup::{mend_for_tests, tools::OTHER_HOSTS};
use crate::target::Target;

impl flags::Ci {
    pub(crate) fn run(self, cx: &Context) -> anyhow::Result<()> {
        let started = Instant::now();
        mend_for_tests(cx)?;
        step(cx, "format", cargo().args(["fmt", "--all", "--check"]))?;
        lints(cx)?;
        for triple in OTHER_HOSTS {
            step(
                cx,
                &format!("type check for {triple}"),
                cargo().args(["check", "--quiet", "--package", "xtask", "--target", triple]),
            )?;
        }
        step(cx, "scripts", shellcheck(cx)?)?;
        for height in ["unit", "contract", "e2e"] {
            cx.ui.say(format!("== {height} tests"));
            test::run(cx, height, &[])?;
        }
        let docs = cargo().args(["doc", "--quiet", "--workspace", "--no-deps", "--document-private-items"]);
        step(cx, "documents", docs.env("RUSTDOCFLAGS", "-D warnings"))?;
        cx.ui.say(format!("all green after {} s", started.elapsed().as_secs()));
        Ok(())
    }
}

fn lints(cx: &Context) -> anyhow::Result<()> {
    let clippy = || cargo().args(["clippy", "--quiet"]);
    step(cx, "lints", clippy().args(["--workspace", "--all-targets", "--", "-D", "warnings"]))?;
    let triple = Target::host().triple();
    step(
        cx,
        "lints of `workflow` for musl",
        clippy().args(["--package", "workflow", "--target", triple, "--", "-D", "warnings"]),
    )
}

fn shellcheck(cx: &Context) -> anyhow::Result<Cmd> {
    let listed = Cmd::new("git").args(["ls-files"]).dir(&cx.root).stdout()?;
    let is_script = |path: &&str| {
        let text = std::fs::read(cx.root.join(path)).unwrap_or_default();
        let first = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
        first.starts_with(b"#!") && first.ends_with(b"sh")
    };
    let scripts: Vec<&str> = listed.lines().filter(is_script).collect();
    Ok(Cmd::new("shellcheck").args(["--severity", "style", "--exclude", "SC1091"]).args(scripts))
}

fn step(cx: &Context, name: &str, cmd: Cmd) -> anyhow::Result<()> {
    cx.ui.say(format!("== {name}"));
    match cmd.dir(&cx.root).interactive()? {
        0 => Ok(()),
        code => Err(Failure::new(Exit::Failed, format!("{name}: failed (exit code {code})")).into()),
    }
}
