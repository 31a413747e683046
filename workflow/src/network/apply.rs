//! The steps of `/opt/init-firewall.sh` that need more than a shell: start, settle, rotate. Each may be repeated.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::fs::{CWD, FileType, Mode, mknodat};

use super::paths::Paths;
use super::runtime::Proxy;
use super::slots::State;
use super::{services, verify};
use crate::process::Job;

/// Everything that the daemons say comes through this pipe to one logger.
const LOG_PIPE: &str = "/run/ao-sandbox/log";

/// Starts what the rendered `folder` needs beside what runs, and waits until it listens.
///
/// # Errors
/// When a daemon does not come up.
pub(crate) fn start(paths: &Paths, folder: &Path) -> Result<()> {
    match mknodat(CWD, paths.at(LOG_PIPE), FileType::Fifo, Mode::RUSR | Mode::WUSR, 0) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => {
            return Err(error).context("failed to make the pipe of the logger");
        }
        _ => {}
    }
    services::start(paths, folder)
}

/// Brings the proxy to the policy of `folder`, checks by behaviour that it stands, and makes it the one in force.
/// The packet rules of the folder are loaded already.
///
/// # Errors
/// When the policy does not stand; the one before is still what the link says.
pub(crate) fn settle(paths: &Paths, folder: &Path) -> Result<()> {
    let state = State::read(folder)?;
    Proxy::new(&paths.daemon(&state.web.service("haproxy"))).follow(folder)?;
    settle_draining(paths, folder, &state)?;
    services::refresh_proxy(paths, folder, state.web)?;
    services::refresh_resolvers(paths, folder)?;
    verify::verify(paths, folder)?;
    switch(paths, folder)
}

/// A proxy of another version of us serves its old connections until they end, under today's policy.
fn settle_draining(paths: &Paths, folder: &Path, state: &State) -> Result<()> {
    let name = state.web.other().service("haproxy");
    let old = Proxy::new(&paths.daemon(&name));
    if !old.is_there() {
        return Ok(());
    }
    old.follow(folder)?;
    if old.connections()? == 0 { services::down(paths, &name) } else { Ok(()) }
}

/// Moves the folder to its place and points the link at it in one step. The place of the last but one is used again.
fn switch(paths: &Paths, folder: &Path) -> Result<()> {
    let link = paths.current();
    let used = fs::read_link(&link).ok();
    let places = [link.with_extension("1"), link.with_extension("2")];
    let is_used =
        |place: &PathBuf| used.is_some() && place.file_name() == used.as_deref().and_then(Path::file_name);
    if places.iter().any(|place| is_used(place) && place == folder) {
        return Ok(());
    }
    let place = places.iter().find(|place| !is_used(place)).context("both places are in use")?;
    if place.exists() {
        fs::remove_dir_all(place).with_context(|| format!("failed to remove `{}`", place.display()))?;
    }
    let new = link.with_extension("link");
    let steps = || {
        fs::rename(folder, place)?;
        fs::remove_file(&new)
            .or_else(|error| if error.kind() == ErrorKind::NotFound { Ok(()) } else { Err(error) })?;
        symlink(place.file_name().unwrap_or_default(), &new)?;
        fs::rename(&new, &link)
    };
    steps().with_context(|| format!("failed to switch `{}` to the new policy", link.display()))
}

/// Empties one generation of addresses, the other than last time, and ends the resolver that no rule points at any more.
///
/// # Errors
/// When the packet filter does not take it.
pub(crate) fn rotate(paths: &Paths) -> Result<()> {
    let mark = paths.at("/run/ao-sandbox/rotated-a");
    let generation = if mark.exists() { "b" } else { "a" };
    let commands = paths.current().join(format!("rotate-{generation}.nft"));
    let mut job = Job::new("nft", &["-f"], Duration::from_secs(5));
    job.args.push(commands.into());
    let ended = job.run().context("failed to start `nft`")?;
    if !ended.ok() {
        bail!("failed to empty a generation of addresses: {}", ended.reason());
    }
    if generation == "a" { fs::write(&mark, "") } else { fs::remove_file(&mark) }
        .with_context(|| format!("failed to note the rotation in `{}`", mark.display()))?;
    let old = State::read(&paths.current())?.dns.other().service("dnsmasq");
    if !paths.daemon(&old).exists() {
        return Ok(());
    }
    services::down(paths, &old)?;
    fs::remove_dir_all(paths.daemon(&old)).with_context(|| format!("failed to remove the folder of `{old}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_link_always_points_at_a_whole_folder() {
        let dir = tempfile::tempdir().unwrap();
        let paths = Paths::new(dir.path());
        for round in ["one", "two", "three", "four"] {
            let folder = paths.at("/run/ao-sandbox/network.new");
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join("round"), round).unwrap();
            switch(&paths, &folder).unwrap();
            assert_eq!(fs::read_to_string(paths.current().join("round")).unwrap(), round);
            assert!(!folder.exists());
        }
        let settled = fs::canonicalize(paths.current()).unwrap();
        switch(&paths, &paths.current().with_file_name(settled.file_name().unwrap())).unwrap();
        assert_eq!(fs::read_to_string(paths.current().join("round")).unwrap(), "four");
    }
}
