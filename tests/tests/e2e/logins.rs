//! Logins survive: the real Claude Code CLI, a made-up login, the image built anew.

use serde_json::Value;
use tests::engine::{Mock, Sandbox};

/// A login that no server would take; the CLI asks none for `auth status`.
const LOGIN: &str = r#"{"claudeAiOauth":{"accessToken":"sk-ant-oat01-made-up","refreshToken":"sk-ant-ort01-made-up",
    "expiresAt":4102444800000,"scopes":["user:inference","user:profile"],"subscriptionType":"max"}}"#;

#[test]
fn login_identity_and_hostname_survive_down_rebuild_and_up() {
    let sandbox = Sandbox::planned_with_own_assets("login-app");
    sandbox.xtask(&["sandbox-up"]).ok();
    sandbox.sh("claude -p hello >/dev/null 2>&1 </dev/null || true").ok();
    sandbox
        .sh(&format!("umask 077 && cat > $CLAUDE_CONFIG_DIR/.credentials.json <<'END'\n{LOGIN}\nEND"))
        .ok();
    let before = identity(&sandbox);
    assert_eq!(before.0["loggedIn"], true, "{:?}", before.0);
    assert!(before.1.lines().all(|line| line.len() > 10), "{}", before.1);
    sandbox.xtask(&["sandbox-down"]).ok().says("stays: the workspace, the logins");
    sandbox.xtask(&["image", "--no-cache"]).ok();
    sandbox.xtask(&["sandbox-up"]).ok();
    assert_eq!(identity(&sandbox), before);
    let screen = sandbox.sh(
        "tmux -f /dev/null new-session -d -s t -x 120 -y 40 'claude --dangerously-skip-permissions' && sleep 8 && tmux capture-pane -pt t; tmux kill-server",
    );
    let screen = screen.ok().stdout.to_lowercase();
    assert!(screen.contains("bypass permissions"), "{screen}");
    for question in ["do you trust", "choose the text style", "select login method", "yes, i accept"] {
        assert!(!screen.contains(question), "{question}: {screen}");
    }
    sandbox.sh("rm -f $CLAUDE_CONFIG_DIR/.credentials.json").ok();
}

/// `claude auth status`, then `machineID`, `userID` and hostname, a line each.
fn identity(sandbox: &Sandbox) -> (Value, String) {
    let status = sandbox.sh("claude auth status").json();
    let ids = sandbox.sh("jq -r '.machineID, .userID' $CLAUDE_CONFIG_DIR/.claude.json; hostname").ok();
    (status, ids.stdout)
}

#[test]
fn claude_code_runs_a_tool_against_a_model_on_this_machine_through_the_policy() {
    let mock = Mock::start(&["--command", "echo made-by-the-tool > proof.txt"]);
    let sandbox = Sandbox::planned("claude-app");
    let allow = format!("host.docker.internal:{} private=172.16.0.0/12", mock.port);
    sandbox.xtask(&["sandbox-up", "--allow", &allow]).ok();
    let url = format!("ANTHROPIC_BASE_URL=http://host.docker.internal:{}", mock.port);
    let claude = sandbox.xtask(&[
        "sandbox-claude",
        "-e",
        &url,
        "-e",
        "ANTHROPIC_API_KEY=made-up",
        "--",
        "-p",
        "make the proof",
    ]);
    assert!(claude.ok().stdout.contains("The mock model is done."));
    let proof = std::fs::read_to_string(sandbox.workspace.join("proof.txt")).expect("the tool wrote a file");
    assert_eq!(proof.trim(), "made-by-the-tool");
}
