//! `onboard`: from a bare machine to a running sandbox that has taken an update, and a proof that it has.

use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

use super::mend::{Plan, refuse_unmendable};
use super::{Check, checks, show, tools};
use crate::context::Context;
use crate::docker::container::Container;
use crate::failure::{Exit, Failure};
use crate::flags;
use crate::image;
use crate::release::parse;
use crate::sandbox::{self, up, update};
use crate::sizes;
use crate::stage::WORKFLOW;
use crate::workspace::Workspace;

/// A name that no allowlist holds: reserved for documentation (RFC 2606).
const REFUSED_NAME: &str = "refused.example.com";
/// A refusal is an answer, not a silence.
const REFUSAL: Duration = Duration::from_secs(5);

impl flags::Onboard {
    pub(crate) fn run(self, cx: &Context) -> anyhow::Result<()> {
        let started = Instant::now();
        let workspace = Workspace::locate(cx, Some(&self.path))?;
        let settings =
            checks::settings(cx, &workspace).map_err(|check| Failure::new(Exit::Usage, check.detail))?;
        let found = checks::ground(cx, &settings);
        if !self.prepare(cx, &found)? {
            return Ok(());
        }
        if self.tools_only {
            return Ok(());
        }
        image::ensure(cx, &settings)?;
        let report = up::up(cx, &up::Wanted::plain(cx, workspace.clone())?)?;
        let name = &report.name;
        update::update(cx, workspace.clone(), report.action == "created")?;
        let container = sandbox::running(cx, &workspace)?;
        prove(cx, &workspace, &container)?;
        let size = duration_shown(started.elapsed());
        cx.ui.say(format!("\nready after {size}: `{name}` works on `{}`", workspace.path));
        cx.ui.say("next:");
        let path = sandbox::argument(cx, &workspace);
        cx.ui.say(format!(
            "  cargo xtask sandbox-claude{path}   Claude Code in it (log in once; the login stays)"
        ));
        cx.ui.say(format!("  cargo xtask sandbox-shell{path}    a shell in it"));
        cx.ui.say(format!("  cargo xtask sandbox-update{path}   push an edit of `workflow` or of an asset"));
        Ok(())
    }

    /// Lists, asks, mends. False where the person stopped it.
    fn prepare(&self, cx: &Context, found: &[Check]) -> anyhow::Result<bool> {
        show(cx, found, |line| cx.ui.say(line));
        if self.dry_run {
            return Ok(false);
        }
        refuse_unmendable(found)?;
        let plan = Plan::of(found);
        if plan.is_empty() {
            return Ok(true);
        }
        if !self.yes {
            if !cx.ui.can_ask() {
                return Err(Failure::new(
                    Exit::Usage,
                    "something is missing, and there is no terminal to ask on",
                )
                .hint("`cargo xtask onboard --yes` mends what is marked `fail` above")
                .into());
            }
            if !cx.ui.confirm("Do what stands behind the arrows?")? {
                cx.ui.say("nothing was changed");
                return Ok(false);
            }
        }
        plan.carry_out(cx)?;
        Ok(true)
    }
}

/// Installs what only the tests need, by the same code and without a question: who runs `ci` has asked for it.
pub(crate) fn mend_for_tests(cx: &Context) -> anyhow::Result<()> {
    let found = tools::for_tests();
    refuse_unmendable(&found)?;
    Plan::of(&found).carry_out(cx)
}

/// The `workflow` in the sandbox is the one just built, and the firewall refuses what nobody allowed.
fn prove(cx: &Context, workspace: &Workspace, container: &Container) -> anyhow::Result<()> {
    let docker = cx.docker();
    let exec = |words: &[&str]| {
        let args = ["exec", "--user", "agent", container.id.as_str()];
        docker.answer(docker.cmd(args.iter().chain(words)).limit(Duration::from_secs(30)))
    };
    let said: serde_json::Value = parse(&exec(&[WORKFLOW, "version", "--json"])?.text())?;
    let pushed =
        cx.state.load(&workspace.path).installed.context("the update left no note of what it pushed")?;
    let wanted = pushed.file(WORKFLOW).context("the release holds no `workflow`")?;
    if said["build"].as_str() != Some(&wanted.sha256) {
        bail!("the `workflow` in the sandbox is not the one just built: it says {}", said["build"]);
    }
    let asked = Instant::now();
    let url = format!("https://{REFUSED_NAME}/");
    if exec(&["curl", "--silent", "--output", "/dev/null", "--max-time", "10", &url])?.success() {
        bail!("the firewall does not stand: `{REFUSED_NAME}` could be reached from the sandbox");
    }
    if asked.elapsed() > REFUSAL {
        bail!(
            "the firewall is silent instead of refusing: `{REFUSED_NAME}` took {} s",
            asked.elapsed().as_secs()
        );
    }
    cx.ui.say(format!(
        "proved: `workflow` is the one just built ({}), and `{REFUSED_NAME}` is refused",
        sizes::shown(wanted.size)
    ));
    Ok(())
}

fn duration_shown(elapsed: Duration) -> String {
    if elapsed.as_secs() < 120 {
        format!("{:.1} s", elapsed.as_secs_f32())
    } else {
        format!("{} min", elapsed.as_secs() / 60)
    }
}
