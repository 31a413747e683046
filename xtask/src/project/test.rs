//! `test`: the three heights.

use crate::build::cargo;
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::flags;
use crate::run::Cmd;

impl flags::Test {
    pub(crate) fn run(self, cx: &Context) -> anyhow::Result<()> {
        let heights: Vec<&str> = match self.height.as_str() {
            "all" => vec!["unit", "contract", "e2e"],
            height @ ("unit" | "contract" | "e2e") => vec![height],
            other => {
                return Err(Failure::new(
                    Exit::Usage,
                    format!("unknown tests `{other}`; there are unit, contract, e2e and all"),
                )
                .into());
            }
        };
        heights.into_iter().try_for_each(|height| run(cx, height, &self.rest))
    }
}

/// Runs the tests of one height.
pub(super) fn run(cx: &Context, height: &str, rest: &[String]) -> anyhow::Result<()> {
    let cmd = match height {
        "unit" => test(cx).args(["--package", "xtask", "--package", "workflow"]),
        "contract" => test(cx).args(["--package", "tests", "--test", "contract"]),
        // Each of these owns containers and the engine's attention: one after the other.
        _ => test(cx).args(["--package", "tests", "--test", "e2e"]),
    };
    let cmd = cmd.arg("--").args((height == "e2e").then_some("--test-threads=2")).args(rest);
    match cmd.interactive()? {
        0 => Ok(()),
        code => {
            Err(Failure::new(Exit::Failed, format!("the {height} tests failed (exit code {code})")).into())
        }
    }
}

/// A cargo test that knows where this very `xtask` is, so that tests start no other.
fn test(cx: &Context) -> Cmd {
    let own = std::env::current_exe().unwrap_or_else(|_| "xtask".into());
    cargo().args(["test", "--quiet"]).env("AO_SANDBOX_E2E", own).dir(&cx.root)
}
