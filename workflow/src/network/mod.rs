//! The network policy: reads the allowlists, renders packet rules, resolver and proxy, and brings them into force.
//!
//! `/opt/init-firewall.sh` is the entry. It holds the lock and loads the packet rules; what needs types is here:
//! `render` writes a folder beside the policy in force, `start` brings up the daemons that the folder needs and that do not
//! run yet, `settle` moves the proxy over, proves by behaviour that the policy stands and makes the folder the one in force.
//! Up to that last step the old folder says how to go back.

mod apply;
mod apt;
mod cidr;
mod dns;
mod entry;
mod name;
mod nft;
mod paths;
mod policy;
mod presets;
mod private;
mod proxy;
mod rendering;
mod runtime;
mod services;
mod slots;
mod sources;
mod system;
mod template;
mod verify;

use std::path::PathBuf;

use anyhow::Result;
use clap::Subcommand;

use self::paths::Paths;
use crate::render;

/// What can be asked of the network policy.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Read allowlists and say what is wrong with them: file, line, reason
    Check {
        /// The allowlists; those of this sandbox where none is given
        files: Vec<PathBuf>,
    },
    /// Render the policy of this sandbox into a folder
    Render {
        /// The folder; it is written anew
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
        /// The container's root folder
        #[arg(long, value_name = "DIR", default_value = "/")]
        root: PathBuf,
    },
    /// Start the daemons that a rendered policy needs (root; a step of init-firewall.sh)
    #[command(hide = true)]
    Start {
        /// The rendered folder
        folder: PathBuf,
    },
    /// Bring the proxy to a rendered policy, verify it and make it the one in force (root; a step of init-firewall.sh)
    #[command(hide = true)]
    Settle {
        /// The rendered folder
        folder: PathBuf,
    },
    /// Prove by behaviour that the policy in force stands
    Verify,
    /// Forget addresses that were not given for a while (root; done once an hour)
    #[command(hide = true)]
    Rotate,
}

impl Command {
    /// Does what was asked.
    pub(crate) fn run(self) -> Result<()> {
        let paths = Paths::new("/");
        match self {
            Self::Check { files } => check(&paths, &files),
            Self::Render { out, root } => render(&Paths::new(root), &out),
            Self::Start { folder } => apply::start(&paths, &folder),
            Self::Settle { folder } => apply::settle(&paths, &folder),
            Self::Verify => verify::verify(&paths, &paths.current()),
            Self::Rotate => apply::rotate(&paths),
        }
    }
}

fn check(paths: &Paths, files: &[PathBuf]) -> Result<()> {
    let loaded = if files.is_empty() {
        sources::Loaded::read(paths)
    } else {
        sources::Loaded::read_files(paths, files)
    }?;
    loaded.warnings.iter().for_each(|warning| render::note(&format!("warning: {warning}")));
    render::line(&format!("{} rules", loaded.rules.len()));
    Ok(())
}

/// Published ports come by the environment of the container, and of every `docker exec` into it.
fn render(paths: &Paths, out: &std::path::Path) -> Result<()> {
    let ports = std::env::var("AO_SANDBOX_PORTS").unwrap_or_default();
    let rendered = rendering::Rendered::new(paths, &ports)?;
    rendered.warnings.iter().for_each(|warning| render::note(&format!("warning: {warning}")));
    rendered.write(out)
}
