//! `cargo xtask`: what a person or CI types. Parses, dispatches, and turns an error into an exit code.

mod base;
mod build;
mod ca;
mod config;
mod context;
mod digest;
mod docker;
mod elf;
mod failure;
mod flags;
mod image;
mod interrupt;
mod manifest;
mod naming;
mod project;
mod registries;
mod release;
mod render;
mod run;
mod run_spec;
mod sandbox;
mod setup;
mod show;
mod sizes;
mod stage;
mod state;
mod target;
mod workspace;

use std::process::ExitCode;

use clap::Parser as _;

use context::Context;
use flags::{Cli, Command};
use render::Ui;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let ui = Ui::new(cli.global.quiet, cli.global.verbose, cli.global.json);
    let result = Context::new(ui).and_then(|cx| dispatch(cli.command, &cx));
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            ui.error(&error);
            ExitCode::from(failure::exit_code(&error))
        }
    }
}

fn dispatch(command: Command, cx: &Context) -> anyhow::Result<()> {
    match command {
        Command::Onboard(flags) => flags.run(cx),
        Command::Doctor(flags) => flags.run(cx),
        Command::Config(flags) => flags.run(cx),
        Command::Completions(flags) => flags.run(cx),
        Command::Build(flags) => flags.run(cx),
        Command::Stage(flags) => flags.run(cx),
        Command::Image(flags) => flags.run(cx),
        Command::SandboxUp(flags) => flags.run(cx),
        Command::SandboxUpdate(flags) => flags.run(cx),
        Command::SandboxExec(flags) => flags.run(cx),
        Command::SandboxShell(flags) => flags.run(cx),
        Command::SandboxClaude(flags) => flags.run(cx),
        Command::SandboxAgent(flags) => flags.run(cx),
        Command::SandboxCode(flags) => flags.run(cx),
        Command::SandboxLs(flags) => flags.run(cx),
        Command::SandboxInspect(flags) => flags.run(cx),
        Command::SandboxLogs(flags) => flags.run(cx),
        Command::SandboxStop(flags) => flags.run(cx),
        Command::SandboxDown(flags) => flags.run(cx),
        Command::Ci(flags) => flags.run(cx),
        Command::Test(flags) => flags.run(cx),
        Command::Bench(flags) => flags.run(cx),
    }
}
