//! Which build this is. `build` is the digest of the running file, so a program proves which file it is.

use std::path::Path;

use anyhow::{Context, Result};
use clap::Args;

use crate::release::{answer::Build, files};
use crate::render;

/// `workflow version`.
#[derive(Args)]
pub(crate) struct Flags {
    /// Answer with one line of JSON
    #[arg(long)]
    json: bool,
}

impl Flags {
    /// Prints the build.
    pub(crate) fn run(self) -> Result<()> {
        let build = current()?;
        if self.json {
            return render::json(&build);
        }
        let commit = build.commit.as_deref().unwrap_or("unknown commit");
        let dirty = if build.dirty { ", with changes" } else { "" };
        render::line(&format!(
            "workflow {} ({commit}{dirty}; {}; {})",
            build.version, build.target, build.profile
        ));
        render::line(&format!("build {}", build.build));
        Ok(())
    }
}

/// The build that runs. `/proc/self/exe` still names the running file after another was renamed over it.
pub(crate) fn current() -> Result<Build> {
    let exe = Path::new("/proc/self/exe");
    Ok(Build {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        commit: option_env!("AO_SANDBOX_COMMIT").map(str::to_owned),
        dirty: option_env!("AO_SANDBOX_DIRTY") == Some("true"),
        target: option_env!("AO_SANDBOX_TARGET").map_or_else(compiled_for, str::to_owned),
        profile: option_env!("AO_SANDBOX_PROFILE").unwrap_or("unknown").to_owned(),
        build: files::sha256(exe).context("failed to read the running program")?,
    })
}

fn compiled_for() -> String {
    let libc = if cfg!(target_env = "musl") { "musl" } else { "gnu" };
    format!("{}-unknown-linux-{libc}", std::env::consts::ARCH)
}
