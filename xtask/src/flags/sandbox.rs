//! The flags of the commands that work on a sandbox.

use camino::Utf8PathBuf;
use clap::Args;

/// Create or start the sandbox of a workspace; may be repeated
///
/// Running already: says so, and whether its options or its image differ from today's.
#[derive(Args, Debug, Default)]
#[command(
    after_help = "Examples:\n  cargo xtask sandbox-up\n  cargo xtask sandbox-up ~/my-app --memory 4g --publish 3000\n  cargo xtask sandbox-up --env GITHUB_TOKEN --mount ~/data:/data:ro --recreate"
)]
pub(crate) struct SandboxUp {
    /// The workspace
    #[arg(default_value = ".")]
    pub(crate) path: Utf8PathBuf,
    /// Name and hostname; the prefix `ao-sandbox-` is added where it is missing
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// Remove the container and create it anew; logins stay
    #[arg(long)]
    pub(crate) recreate: bool,
    /// Docker network
    #[arg(long)]
    pub(crate) network: Option<String>,
    /// Upstream resolver, by address; repeatable
    #[arg(long)]
    pub(crate) dns: Vec<String>,
    /// Environment variable: NAME=VALUE, or NAME to pass this shell's value; repeatable
    #[arg(short, long)]
    pub(crate) env: Vec<String>,
    /// Further folder: PATH or SOURCE:TARGET, with :ro for read-only; repeatable
    #[arg(long)]
    pub(crate) mount: Vec<String>,
    /// Memory limit, such as 4g
    #[arg(long)]
    pub(crate) memory: Option<String>,
    /// CPU limit, such as 1.5
    #[arg(long)]
    pub(crate) cpus: Option<String>,
    /// Publish a port on loopback: 3000, or 8080:3000; repeatable
    #[arg(short, long)]
    pub(crate) publish: Vec<String>,
    /// Allow a further name, such as api.example.com or *.example.com; repeatable
    #[arg(long)]
    pub(crate) allow: Vec<String>,
    /// Say what would happen, and stop
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// Push what changed into the running sandbox: atomic, verified, rolled back when it fails
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  cargo xtask sandbox-update             build, compare, push, install, verify\n  cargo xtask sandbox-update --dry-run   what would be pushed\n  cargo xtask sandbox-update --rollback  the release before\n\nExit codes: 3 no such sandbox or not running, 4 the engine does not answer, 5 rolled back."
)]
pub(crate) struct SandboxUpdate {
    /// The workspace
    #[arg(default_value = ".")]
    pub(crate) path: Utf8PathBuf,
    /// Push the `workflow` that was built last, without building
    #[arg(long, conflicts_with = "binary")]
    pub(crate) no_build: bool,
    /// Push this executable as `workflow`
    #[arg(long, value_name = "FILE")]
    pub(crate) binary: Option<Utf8PathBuf>,
    /// Show what would be pushed, and stop
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Push every file and apply the firewall again, also when nothing changed
    #[arg(long)]
    pub(crate) force: bool,
    /// Return to the release before
    #[arg(long, conflicts_with_all = ["no_build", "force", "binary", "dry_run"])]
    pub(crate) rollback: bool,
}

/// Run a command in the sandbox; its exit code is ours
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  cargo xtask sandbox-exec . cargo test\n  cargo xtask sandbox-exec -w ~/my-app --timeout 60 -- npm test\n  echo text | cargo xtask sandbox-exec . cat\n\nThe first word is the workspace where it is a folder; `-w` or `--` before the command leaves no doubt.\nExit codes: the command's own; 124 after --timeout; 3 and 4 as everywhere."
)]
pub(crate) struct SandboxExec {
    /// The workspace
    #[arg(short, long)]
    pub(crate) workspace: Option<Utf8PathBuf>,
    /// Environment variable: NAME=VALUE, or NAME to pass this shell's value; repeatable
    #[arg(short, long)]
    pub(crate) env: Vec<String>,
    /// Working directory; default: the workspace
    #[arg(long)]
    pub(crate) workdir: Option<Utf8PathBuf>,
    /// End the command, and all that it started, after so many seconds
    #[arg(long, value_name = "SECONDS")]
    pub(crate) timeout: Option<f64>,
    /// Run as root instead of as `agent`
    #[arg(long)]
    pub(crate) root: bool,
    /// The workspace where it is a folder, then the command and its arguments
    #[arg(
        required = true,
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "[PATH] COMMAND"
    )]
    pub(crate) words: Vec<String>,
}

/// Open a shell in the sandbox
#[derive(Args, Debug)]
pub(crate) struct SandboxShell {
    /// The workspace
    #[arg(default_value = ".")]
    pub(crate) path: Utf8PathBuf,
    /// As root instead of as `agent`
    #[arg(long)]
    pub(crate) root: bool,
}

/// Run Claude Code in the sandbox, with its permission prompts off: the sandbox is the boundary
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  cargo xtask sandbox-claude\n  cargo xtask sandbox-claude ~/my-app -- -p 'fix the failing test'"
)]
pub(crate) struct SandboxClaude {
    /// The workspace
    #[arg(default_value = ".")]
    pub(crate) path: Utf8PathBuf,
    /// Environment variable, as for `sandbox-exec`
    #[arg(short, long)]
    pub(crate) env: Vec<String>,
    /// Arguments for Claude Code
    #[arg(last = true)]
    pub(crate) arguments: Vec<String>,
}

/// Run an agent in the sandbox, with its permission prompts off: the sandbox is the boundary
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  cargo xtask sandbox-agent codex\n  cargo xtask sandbox-agent claude -w ~/my-app -- -p 'fix the failing test'"
)]
pub(crate) struct SandboxAgent {
    /// claude, codex, opencode or pi
    pub(crate) agent: String,
    /// The workspace
    #[arg(short, long, default_value = ".")]
    pub(crate) workspace: Utf8PathBuf,
    /// Environment variable, as for `sandbox-exec`
    #[arg(short, long)]
    pub(crate) env: Vec<String>,
    /// Arguments for the agent
    #[arg(last = true)]
    pub(crate) arguments: Vec<String>,
}

/// Open VS Code attached to the sandbox
#[derive(Args, Debug)]
pub(crate) struct SandboxCode {
    /// The workspace
    #[arg(default_value = ".")]
    pub(crate) path: Utf8PathBuf,
    /// Print the command, and stop
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// List the sandboxes on this engine
#[derive(Args, Debug)]
pub(crate) struct SandboxLs {}

/// Show all about one sandbox: state, image, release, mounts, ports, what differs from today
#[derive(Args, Debug)]
pub(crate) struct SandboxInspect {
    /// The workspace
    #[arg(default_value = ".")]
    pub(crate) path: Utf8PathBuf,
}

/// Show what the entrypoint and the services said
#[derive(Args, Debug)]
pub(crate) struct SandboxLogs {
    /// The workspace
    #[arg(default_value = ".")]
    pub(crate) path: Utf8PathBuf,
    /// Go on as new lines come
    #[arg(short, long)]
    pub(crate) follow: bool,
    /// Only the last so many lines
    #[arg(long, default_value_t = 200)]
    pub(crate) tail: u32,
}

/// Stop the sandbox; everything stays
#[derive(Args, Debug)]
pub(crate) struct SandboxStop {
    /// The workspace
    #[arg(default_value = ".")]
    pub(crate) path: Utf8PathBuf,
}

/// Remove the sandbox; workspace, name and logins stay
#[derive(Args, Debug)]
pub(crate) struct SandboxDown {
    /// The workspace
    #[arg(default_value = ".")]
    pub(crate) path: Utf8PathBuf,
    /// Remove the login volumes too, which all sandboxes share
    #[arg(long)]
    pub(crate) volumes: bool,
    /// Answer the question about the volumes with yes
    #[arg(short, long)]
    pub(crate) yes: bool,
    /// Say what would be removed, and stop
    #[arg(long)]
    pub(crate) dry_run: bool,
}
