//! The supervised daemons: starts those that a rendered folder needs and waits until they listen.

use std::fs;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use super::paths::Paths;
use super::slots::{Slot, State};
use crate::process::Job;

/// How long a supervisor, and then a daemon, may take. Seen: 5 and 50 ms.
const LIMIT: Duration = Duration::from_secs(8);
const PAUSE: Duration = Duration::from_millis(2);
/// What the two loggers are called; they do not depend on the policy.
const LOGGERS: [&str; 3] = ["logger", "ulogd", "rotate"];
/// What a proxy that starts reads; the first file decides whether it has to be another process.
const PROXY_FILES: [&str; 4] = ["haproxy.cfg", "servers.cfg", "exact.map", "suffix.map"];
const RESOLVER_FILES: [&str; 2] = ["dnsmasq.conf", "servers"];

/// Starts the daemons that the rendered `folder` needs; those that run with that configuration already are left alone.
///
/// # Errors
/// When one does not listen in time.
pub(crate) fn start(paths: &Paths, folder: &Path) -> Result<()> {
    let state = State::read(folder)?;
    place(paths, folder, &state.dns.service("dnsmasq"), &RESOLVER_FILES)?;
    place(paths, folder, &state.web.service("haproxy"), &PROXY_FILES)?;
    for name in LOGGERS {
        up(paths, name)?;
    }
    wait_for_listeners(paths, &state)
}

/// Gives every resolver that runs the names of the rendered `folder`, also the one before: a client may still talk to it.
///
/// # Errors
/// When a file cannot be written, or a supervisor does not answer.
pub(crate) fn refresh_resolvers(paths: &Paths, folder: &Path) -> Result<()> {
    for name in [Slot::A, Slot::B].map(|slot| slot.service("dnsmasq")) {
        let target = paths.daemon(&name);
        if target.exists() {
            copy(&folder.join("servers"), &target.join("servers"))?;
            svc(paths, &name, &["-h"])?;
        }
    }
    Ok(())
}

/// Gives a running proxy's folder the maps that it was told through its socket, for when it has to start again.
///
/// # Errors
/// When a file cannot be written.
pub(crate) fn refresh_proxy(paths: &Paths, folder: &Path, slot: Slot) -> Result<()> {
    let target = paths.daemon(&slot.service("haproxy"));
    PROXY_FILES.iter().skip(1).try_for_each(|file| copy(&folder.join(file), &target.join(file)))
}

/// Takes a service down and waits for it, within a bound.
///
/// # Errors
/// When it is not supervised, or does not end.
pub(crate) fn down(paths: &Paths, name: &str) -> Result<()> {
    svc(paths, name, &["-wD", "-T2000", "-d"])
}

fn place(paths: &Paths, folder: &Path, name: &str, files: &[&str]) -> Result<()> {
    let target = paths.daemon(name);
    let (new, old) = (fs::read(folder.join(files[0])), fs::read(target.join(files[0])));
    if old.as_ref().ok() != Some(&new.with_context(|| format!("`{}` is not rendered", files[0]))?) {
        if old.is_ok() {
            down(paths, name)?;
        }
        fs::create_dir_all(&target).with_context(|| format!("failed to make `{}`", target.display()))?;
        files.iter().try_for_each(|file| copy(&folder.join(file), &target.join(file)))?;
    }
    up(paths, name)
}

/// By a new file and a rename: a daemon that starts just now reads the old one or the new one.
fn copy(from: &Path, to: &Path) -> Result<()> {
    let new = to.with_extension("new");
    let done = fs::copy(from, &new).and_then(|_| fs::rename(&new, to));
    done.with_context(|| format!("failed to copy `{}` to `{}`", from.display(), to.display()))
}

/// Wants a service up, now and after a crash of its supervisor. Its supervisor may only just be starting.
fn up(paths: &Paths, name: &str) -> Result<()> {
    let service = paths.service(name);
    let until = Instant::now() + LIMIT;
    while !service.join("supervise/control").exists() {
        ensure!(Instant::now() < until, "`{name}` is not supervised: does s6-svscan run on `/run/service`?");
        sleep(PAUSE);
    }
    loop {
        match svc(paths, name, &["-u"]) {
            Ok(()) => break,
            Err(error) if Instant::now() >= until => return Err(error),
            Err(_) => sleep(PAUSE),
        }
    }
    match fs::remove_file(service.join("down")) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("failed to let `{name}` start by itself"))
        }
        _ => Ok(()),
    }
}

fn svc(paths: &Paths, name: &str, options: &[&str]) -> Result<()> {
    let service = paths.service(name);
    let mut job = Job::new("s6-svc", options, LIMIT);
    job.args.push(service.into());
    let ended = job.run().context("failed to start `s6-svc`")?;
    if !ended.ok() {
        bail!("failed to tell the supervisor of `{name}`: {}", ended.reason());
    }
    Ok(())
}

fn wait_for_listeners(paths: &Paths, state: &State) -> Result<()> {
    let until = Instant::now() + LIMIT;
    loop {
        let missing = missing_listeners(paths, state);
        if missing.is_empty() {
            return Ok(());
        }
        let names: Vec<String> = missing.iter().map(|(what, port)| format!("{what} (port {port})")).collect();
        ensure!(Instant::now() < until, "no listener of {} within {} s", names.join(", "), LIMIT.as_secs());
        sleep(PAUSE);
    }
}

/// The listeners of a state that are not there, as the kernel says.
pub(crate) fn missing_listeners(paths: &Paths, state: &State) -> Vec<(&'static str, u16)> {
    let (tcp, udp) = (listening(paths, "tcp"), listening(paths, "udp"));
    let (dns, web) = (state.dns.ports().dns, state.web.ports());
    let wanted = [
        ("the resolver", dns, &udp),
        ("the resolver", dns, &tcp),
        ("the proxy for HTTP", web.http, &tcp),
        ("the proxy for TLS", web.tls, &tcp),
    ];
    let missing = wanted.into_iter().filter(|(_, port, table)| !table.contains(port));
    missing.map(|(what, port, _)| (what, port)).collect()
}

/// The ports of 127.0.0.1 that something listens on, from the kernel's table.
fn listening(paths: &Paths, protocol: &str) -> Vec<u16> {
    let table = fs::read_to_string(paths.at(&format!("/proc/net/{protocol}"))).unwrap_or_default();
    parse_listening(&table, if protocol == "tcp" { "0A" } else { "07" })
}

/// `sl local_address rem_address st ...`: state `0A` is LISTEN, `07` a UDP socket without a peer.
fn parse_listening(table: &str, wanted: &str) -> Vec<u16> {
    let local = u32::from_ne_bytes([127, 0, 0, 1]);
    let sockets = table.lines().skip(1).filter_map(|line| {
        let mut fields = line.split_whitespace().skip(1);
        let (address, port) = fields.next()?.split_once(':')?;
        let state = fields.nth(1)?;
        let here = u32::from_str_radix(address, 16).ok()? == local && state == wanted;
        here.then(|| u16::from_str_radix(port, 16).ok()).flatten()
    });
    sockets.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_sockets_that_listen_on_the_loopback_count() {
        let local = format!("{:08X}", u32::from_ne_bytes([127, 0, 0, 1]));
        let table = format!(
            "  sl  local_address rem_address   st\n   0: {local}:EE7D 00000000:0000 0A 0\n   1: {local}:F003 \
             0100007F:1234 01 0\n   2: 00000000:0050 00000000:0000 0A 0\nbroken\n"
        );
        assert_eq!(parse_listening(&table, "0A"), [61053]);
    }

    #[test]
    fn without_any_socket_every_listener_is_missing() {
        let dir = tempfile::tempdir().unwrap();
        let paths = Paths::new(dir.path());
        assert_eq!(missing_listeners(&paths, &State::default()).len(), 4);
    }
}
