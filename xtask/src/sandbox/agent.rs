//! `sandbox-agent` and `sandbox-claude`: an agent in the sandbox, with its permission prompts off, because the sandbox is the
//! boundary.

use super::exec::{Inside, run, variable};
use crate::context::Context;
use crate::failure::{Exit, Failure, PassThrough};
use crate::flags;
use crate::workspace::Workspace;

/// How each agent is started without permission prompts (their own documentation, November 2026).
const AGENTS: [(&str, &[&str]); 4] = [
    ("claude", &["claude", "--dangerously-skip-permissions"]),
    ("codex", &["codex", "--dangerously-bypass-approvals-and-sandbox"]),
    ("opencode", &["opencode"]),
    ("pi", &["pi"]),
];

impl flags::SandboxAgent {
    pub(crate) fn run(self, cx: &Context) -> anyhow::Result<()> {
        let workspace = Workspace::locate(cx, Some(&self.workspace))?;
        start(cx, workspace, &self.agent, &self.env, self.arguments)
    }
}

impl flags::SandboxClaude {
    pub(crate) fn run(self, cx: &Context) -> anyhow::Result<()> {
        let workspace = Workspace::locate(cx, Some(&self.path))?;
        start(cx, workspace, "claude", &self.env, self.arguments)
    }
}

fn start(
    cx: &Context,
    workspace: Workspace,
    agent: &str,
    env: &[String],
    arguments: Vec<String>,
) -> anyhow::Result<()> {
    let mut words = command(agent)?;
    words.extend(arguments);
    let env = env.iter().map(|text| variable(text)).collect::<anyhow::Result<_>>()?;
    let result = run(cx, &Inside { workspace, words, env, workdir: None, timeout: None, root: false });
    let is_missing =
        |error: &anyhow::Error| error.downcast_ref::<PassThrough>().is_some_and(|code| code.0 == 127);
    if result.as_ref().is_err_and(is_missing) {
        let mend = "add it to `agents` in the configuration (`cargo xtask config`), then `cargo xtask sandbox-up --recreate`";
        cx.ui.say(format!("hint: `{agent}` is not in the sandbox's image; {mend}"));
    }
    result
}

fn command(agent: &str) -> anyhow::Result<Vec<String>> {
    let found = AGENTS.iter().find(|(name, _)| *name == agent);
    let (_, words) = found.ok_or_else(|| {
        let names = AGENTS.map(|(name, _)| name).join(", ");
        Failure::new(Exit::Usage, format!("unknown agent `{agent}`; the agents are {names}"))
    })?;
    Ok(words.iter().map(|word| (*word).to_owned()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_agent_is_refused_and_the_known_ones_are_named() {
        let error = command("clod").unwrap_err().to_string();
        assert!(error.contains("`clod`") && error.contains("claude, codex"), "{error}");
        assert_eq!(command("claude").unwrap()[1], "--dangerously-skip-permissions");
    }
}
