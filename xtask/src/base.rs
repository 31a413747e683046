//! The image under ours: from a registry where one answers, else built from Debian packages and imported (design §11).

use std::fs;
use std::time::Duration;

use anyhow::Context as _;

use crate::config::keys;
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::interrupt::TempFolder;
use crate::run::{Cmd, on_path};
use crate::setup::apt;

/// The base that we build ourselves.
pub(crate) const IMPORTED: &str = "ao-sandbox-base:trixie";
/// The Debian release of it.
const SUITE: &str = "trixie";
/// A registry that takes longer to give the small default base is as good as none.
const PULL: Duration = Duration::from_secs(90);
/// Building the base takes 15 s on a good day.
const BOOTSTRAP: Duration = Duration::from_secs(900);

/// The base to build on: the one that is configured, or the imported one in place of the default where no registry answers.
pub(crate) fn ensure(cx: &Context, configured: &str) -> anyhow::Result<String> {
    let docker = cx.docker();
    if docker.image(configured)?.is_some() {
        return Ok(configured.to_owned());
    }
    let is_default = keys::find("base").is_some_and(|key| key.default.trim_matches('\'') == configured);
    if is_default && docker.image(IMPORTED)?.is_some() {
        return Ok(IMPORTED.to_owned());
    }
    let step = cx.ui.step(format!("asking the image registry for `{configured}`"));
    let pulled = docker.cmd(["pull", "--quiet", configured]).limit(PULL).probe();
    drop(step);
    match pulled {
        Ok(output) if output.success() => Ok(configured.to_owned()),
        _ if is_default => {
            cx.ui.say(format!(
                "no image registry answers; building the base `{IMPORTED}` from Debian packages"
            ));
            bootstrap(cx)?;
            Ok(IMPORTED.to_owned())
        }
        Ok(output) => Err(unavailable(configured, output.stderr.trim())),
        Err(error) => Err(unavailable(configured, &format!("{error:#}"))),
    }
}

fn unavailable(base: &str, said: &str) -> anyhow::Error {
    Failure::new(Exit::Failed, format!("the base image `{base}` cannot be had: {said}"))
        .hint("check the name, log in with `docker login`, or leave `base` at its default, which can be built from packages")
        .into()
}

/// Builds a minimal Debian and imports it.
fn bootstrap(cx: &Context) -> anyhow::Result<()> {
    if !on_path("mmdebstrap") {
        return Err(Failure::new(Exit::Failed, "`mmdebstrap` is not installed, so no base can be built from packages")
            .hint("on Debian or Ubuntu `cargo xtask onboard` installs it; elsewhere bring an image: `cargo xtask image --base IMAGE`")
            .into());
    }
    let folder = TempFolder::new()?;
    let tar = folder.path()?.join("base.tar");
    let step = cx.ui.step("building a minimal Debian (about 15 s)");
    let mut cmd =
        Cmd::new("mmdebstrap").args(["--variant=minbase", "--include=ca-certificates", SUITE, tar.as_str()]);
    // What the image would leave out anyway is not even unpacked: 42 MB.
    cmd = cmd.arg(format!("--dpkgopt={}", cx.assets().join("image/dpkg-excludes")));
    // Without a mirror of this machine's own, mmdebstrap uses Debian's.
    cmd = cmd.args(apt::debian_mirror()).limit(BOOTSTRAP);
    cx.ui.detail(format!("+ {}", cmd.shown()));
    cmd.run().context("failed to build the base from Debian packages")?;
    drop(step);
    let step = cx.ui.step("importing it");
    let change = "LABEL ao.sandbox.image=true";
    cx.docker().run(["import", "--change", change, tar.as_str(), IMPORTED])?;
    drop(step);
    fs::remove_file(&tar).with_context(|| format!("failed to remove `{tar}`"))
}
