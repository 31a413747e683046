//! `workflow`, the program inside the sandbox: parses, dispatches, and turns an error into an exit code.

mod doctor;
mod enter;
mod error;
mod network;
mod process;
mod release;
mod render;
mod resolver;
mod signal;
mod version;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The program inside an ao-sandbox: installs releases, renders the network policy, waits for the start.
#[derive(Parser)]
#[command(name = "workflow", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Say which build this is; `build` is the digest of the very file that runs
    Version(version::Flags),
    /// Install, inspect, undo and recover releases (root)
    #[command(subcommand)]
    Release(release::Command),
    /// Check and render the network policy
    #[command(subcommand)]
    Network(network::Command),
    /// Wait until home and firewall stand, then become the given command
    Enter(enter::Flags),
    /// Hand a signal to what one exec started
    Signal(signal::Flags),
    /// Tools, logins and the network as seen from inside
    Doctor(doctor::Flags),
}

impl Command {
    fn run(self) -> anyhow::Result<ExitCode> {
        match self {
            Self::Version(flags) => flags.run().map(|()| ExitCode::SUCCESS),
            Self::Release(command) => command.run(),
            Self::Network(command) => command.run().map(|()| ExitCode::SUCCESS),
            Self::Enter(flags) => flags.run(),
            Self::Signal(flags) => flags.run().map(|()| ExitCode::SUCCESS),
            Self::Doctor(flags) => flags.run(),
        }
    }
}

fn main() -> ExitCode {
    Cli::parse().command.run().unwrap_or_else(|error| {
        render::error(&error);
        ExitCode::from(error::exit_code(&error))
    })
}
