//! What can be asked for: the command line, and nothing of what then happens.
//!
//! The behaviour of each command is an `impl` of its type in the file that tells its story.

mod sandbox;

use camino::Utf8PathBuf;
use clap::{Args, Parser, Subcommand};
pub(crate) use sandbox::*;

/// Sandboxes for AI coding agents: one container per workspace, updated in place.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version, disable_help_subcommand = true)]
#[command(
    help_template = "{about}\n\n{usage-heading} {usage}\n\n{before-help}Options:\n{options}{after-help}"
)]
#[command(before_help = GROUPS, after_help = EXAMPLES)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// How much is said, and in which form.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct Global {
    /// Say less: data, warnings and errors only
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,
    /// Say more: every command of the engine
    #[arg(short, long, global = true, conflicts_with = "quiet")]
    pub(crate) verbose: bool,
    /// Data as JSON, where something is read
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

const GROUPS: &str = "\
Set up:
  onboard            From a bare machine to a running sandbox; start here
  doctor             Check everything, mend nothing
  config             Show the configuration and where each value came from
  completions        Shell completions
Build:
  build              The static `workflow` binary
  stage              All files of a release, with their manifest
  image              The image of the sandboxes
Sandbox:
  sandbox-up         Create or start the sandbox of a workspace
  sandbox-update     Push what changed into the running sandbox
  sandbox-exec       Run a command in it
  sandbox-shell      A shell in it
  sandbox-claude     Claude Code in it
  sandbox-agent      Another agent in it
  sandbox-code       VS Code attached to it
  sandbox-ls         List sandboxes
  sandbox-inspect    All about one
  sandbox-logs       Output of its entrypoint
  sandbox-stop       Stop it
  sandbox-down       Remove it; logins stay
Project:
  ci                 Everything that CI checks
  test               Tests alone

";

const EXAMPLES: &str = "\
Examples:
  cargo xtask onboard --yes          everything, from a bare machine
  cargo xtask sandbox-up ~/my-app    a sandbox for that folder
  cargo xtask sandbox-update         push an edit of `workflow` or of an asset
  cargo xtask sandbox-claude ~/my-app

`cargo xtask COMMAND --help` tells all about one command.
";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Onboard(Onboard),
    Doctor(Doctor),
    Config(Config),
    Completions(Completions),
    Build(Build),
    Stage(Stage),
    Image(Image),
    SandboxUp(SandboxUp),
    SandboxUpdate(SandboxUpdate),
    SandboxExec(SandboxExec),
    SandboxShell(SandboxShell),
    SandboxClaude(SandboxClaude),
    SandboxAgent(SandboxAgent),
    SandboxCode(SandboxCode),
    SandboxLs(SandboxLs),
    SandboxInspect(SandboxInspect),
    SandboxLogs(SandboxLogs),
    SandboxStop(SandboxStop),
    SandboxDown(SandboxDown),
    Ci(Ci),
    Test(Test),
    Bench(Bench),
}

/// Take this machine from nothing to a running sandbox
///
/// Lists what is missing, asks, mends it, builds everything, starts the sandbox of the folder, pushes an update into it and checks
/// it. A second run changes nothing.
#[derive(Args, Debug)]
pub(crate) struct Onboard {
    /// The workspace
    #[arg(default_value = ".")]
    pub(crate) path: Utf8PathBuf,
    /// Mend without asking
    #[arg(short, long)]
    pub(crate) yes: bool,
    /// Show what is missing and stop
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Only mend what the tests need: no image, no sandbox
    #[arg(long, hide = true)]
    pub(crate) tools_only: bool,
}

/// Check this machine, the image and the sandboxes, and mend nothing
#[derive(Args, Debug)]
pub(crate) struct Doctor {
    /// The workspace
    #[arg(default_value = ".")]
    pub(crate) path: Utf8PathBuf,
}

/// Show the configuration and where each value came from
#[derive(Args, Debug)]
pub(crate) struct Config {
    /// The workspace
    #[arg(default_value = ".")]
    pub(crate) path: Utf8PathBuf,
    /// Say yes to what the workspace's own `ao-sandbox.toml` asks for, as the file stands now
    #[arg(long)]
    pub(crate) trust: bool,
}

/// Print completions for a shell
///
/// For example: `cargo xtask completions bash > ~/.local/share/bash-completion/completions/xtask`
#[derive(Args, Debug)]
pub(crate) struct Completions {
    pub(crate) shell: clap_complete::Shell,
}

/// Build the static `workflow` binary and print its path
#[derive(Args, Debug)]
pub(crate) struct Build {
    /// Machine type: x86_64 or aarch64, or a target triple; default: this machine's
    #[arg(long)]
    pub(crate) target: Option<String>,
    /// Cargo profile: quick (the inner loop) or release (small)
    #[arg(long, default_value = "quick")]
    pub(crate) profile: String,
}

/// Show the files of a release, with mode and digest
#[derive(Args, Debug)]
pub(crate) struct Stage {
    /// Machine type, as for `build`
    #[arg(long)]
    pub(crate) target: Option<String>,
    /// Cargo profile, as for `build`
    #[arg(long, default_value = "quick")]
    pub(crate) profile: String,
    /// Stage this executable as `workflow` instead of building one
    #[arg(long, value_name = "FILE")]
    pub(crate) binary: Option<Utf8PathBuf>,
    /// Write the files and the manifest to this folder
    #[arg(long)]
    pub(crate) out: Option<Utf8PathBuf>,
}

/// Build the image of the sandboxes
///
/// Unchanged, it says so without asking the builder.
#[derive(Args, Debug, Default)]
pub(crate) struct Image {
    /// The image under ours
    #[arg(long)]
    pub(crate) base: Option<String>,
    /// Platform: linux/amd64 or linux/arm64; default: the engine's own
    #[arg(long)]
    pub(crate) platform: Option<String>,
    /// Name and tag; default: from the configuration
    #[arg(long)]
    pub(crate) tag: Option<String>,
    /// CA bundle to trust: a path, `auto` or `none`
    #[arg(long)]
    pub(crate) ca_bundle: Option<String>,
    /// Build every layer anew
    #[arg(long)]
    pub(crate) no_cache: bool,
    /// Say what would be built, and stop
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// Everything that CI checks: format, lints, unit, contract and end-to-end tests, documents
#[derive(Args, Debug)]
pub(crate) struct Ci {
    /// Also the proofs that take long
    #[arg(long)]
    pub(crate) long: bool,
}

/// Run tests
#[derive(Args, Debug)]
pub(crate) struct Test {
    /// Which: unit, contract, e2e, or all
    #[arg(default_value = "all")]
    pub(crate) height: String,
    /// Further arguments for the test runner, such as a filter
    #[arg(last = true)]
    pub(crate) rest: Vec<String>,
}

/// Print each budget as a ratio to the raw command in the same run
#[derive(Args, Debug)]
pub(crate) struct Bench {
    /// Pairs of runs per row
    #[arg(long, default_value_t = 7)]
    pub(crate) pairs: usize,
    /// Only the rows whose name contains this
    #[arg(default_value = "")]
    pub(crate) filter: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_overview_names_every_command() {
        let command = Cli::command();
        let hidden = ["bench"];
        let missing: Vec<_> = command
            .get_subcommands()
            .map(|sub| sub.get_name())
            .filter(|name| !hidden.contains(name) && !GROUPS.contains(&format!("  {name} ")))
            .collect();
        assert!(missing.is_empty(), "{missing:?}");
    }
}
