//! Brings a running proxy to a new policy through its admin socket, without a restart: what stays allowed is not touched,
//! and the connections of a rule that is gone are cut.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::proxy::{BACKENDS, Backend};
use super::rendering::read_map;

/// A proxy that was killed is back within a second.
const PATIENCE: Duration = Duration::from_secs(4);
const ANSWER: Duration = Duration::from_secs(2);
/// HAProxy reads at most one buffer of 16 kB at once.
const BATCH: usize = 8000;
const EXACT: &str = "exact.map";
const SUFFIX: &str = "suffix.map";

/// The admin socket of one proxy.
#[derive(Debug)]
pub(crate) struct Proxy {
    socket: PathBuf,
}

impl Proxy {
    /// The proxy whose folder that is.
    pub(crate) fn new(folder: &Path) -> Self {
        Self { socket: folder.join("admin.sock") }
    }

    /// Whether one answers there.
    pub(crate) fn is_there(&self) -> bool {
        UnixStream::connect(&self.socket).is_ok()
    }

    /// Gives it the maps and servers of the rendered `folder`: first what is added, then what is removed, so that no
    /// name which stays allowed is refused in between.
    ///
    /// # Errors
    /// When it does not answer, or says no.
    pub(crate) fn follow(&self, folder: &Path) -> Result<()> {
        let (exact, suffix) = (read_map(&folder.join(EXACT))?, read_map(&folder.join(SUFFIX))?);
        let servers: BTreeSet<&str> =
            exact.iter().chain(&suffix).map(|(_, server)| server.as_str()).collect();
        let there = self.servers()?;
        self.add_servers(&servers, &there)?;
        let old = self.map(EXACT)?;
        self.add_keys(&exact, &old)?;
        if self.map(SUFFIX)? != suffix {
            self.replace(SUFFIX, &suffix)?;
        }
        let wanted: BTreeSet<&str> = exact.iter().map(|(key, _)| key.as_str()).collect();
        let gone = old.iter().filter(|(key, _)| !wanted.contains(key.as_str()));
        self.silent(gone.map(|(key, _)| format!("del map {EXACT} {key}")))?;
        self.cut(&servers, &there)
    }

    /// How many connections its servers hold.
    ///
    /// # Errors
    /// When it does not answer.
    pub(crate) fn connections(&self) -> Result<u64> {
        let mut sum = 0;
        for backend in BACKENDS {
            let answer = self.ask(&format!("show servers conn {}", backend.name()))?;
            let rows = answer.lines().filter(|line| line.contains('/') && !line.starts_with('#'));
            sum += rows.filter_map(|row| row.split_whitespace().nth(6)?.parse::<u64>().ok()).sum::<u64>();
        }
        Ok(sum)
    }

    /// The servers it has, and whether each is up.
    fn servers(&self) -> Result<BTreeMap<String, bool>> {
        let answer = self.ask("show servers state")?;
        // be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state ...
        let rows = answer
            .lines()
            .filter(|line| !line.starts_with('#'))
            .map(|line| line.split_whitespace().collect());
        let known = |name: &str| BACKENDS.into_iter().any(|backend| backend.name() == name);
        Ok(rows
            .filter(|row: &Vec<&str>| row.len() > 6 && known(row[1]))
            .map(|row| (format!("{}/{}", row[1], row[3]), row[6] == "0"))
            .collect())
    }

    fn add_servers(&self, wanted: &BTreeSet<&str>, there: &BTreeMap<String, bool>) -> Result<()> {
        let mut commands = Vec::new();
        for server in wanted.iter().flat_map(|name| places(name)) {
            match there.get(&server) {
                Some(true) => {}
                Some(false) => commands.push(format!("enable server {server}")),
                None => commands.push(format!("add server {server} 0.0.0.0 weight 0;enable server {server}")),
            }
        }
        self.silent(commands.into_iter())
    }

    /// A server that is not wanted any more: no new connection, none of the old ones, and then it is deleted. Where
    /// one of its connections still ends, it stays as a name without use until the next time.
    fn cut(&self, wanted: &BTreeSet<&str>, there: &BTreeMap<String, bool>) -> Result<()> {
        let kept: BTreeSet<String> = wanted.iter().flat_map(|name| places(name)).collect();
        let gone: Vec<&String> = there.keys().filter(|server| !kept.contains(*server)).collect();
        let cut = |server: &&String| {
            [format!("disable server {server}"), format!("shutdown sessions server {server}")]
        };
        self.silent(gone.iter().flat_map(cut))?;
        for batch in batches(gone.iter().map(|server| format!("del server {server}"))) {
            self.ask(&batch)?;
        }
        Ok(())
    }

    fn map(&self, name: &str) -> Result<Vec<(String, String)>> {
        let answer = self.ask(&format!("show map {name}"))?;
        let mut rows = Vec::new();
        // id key value
        for line in answer.lines().filter(|line| line.starts_with("0x")) {
            let mut words = line.split(' ').skip(1).map(str::to_owned);
            rows.extend(words.next().zip(words.next()));
        }
        Ok(rows)
    }

    fn add_keys(&self, wanted: &[(String, String)], there: &[(String, String)]) -> Result<()> {
        let old: BTreeMap<&str, &str> =
            there.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        let missing = wanted.iter().filter(|(key, _)| !old.contains_key(key.as_str()));
        self.silent(missing.map(|(key, value)| format!("add map {EXACT} {key} {value}")))
    }

    /// A new version of a whole map beside the old one, switched to in one step.
    fn replace(&self, name: &str, rows: &[(String, String)]) -> Result<()> {
        let answer = self.ask(&format!("prepare map {name}"))?;
        let version =
            answer.split_whitespace().last().context("no version in the answer to `prepare map`")?;
        self.silent(rows.iter().map(|(key, value)| format!("add map @{version} {name} {key} {value}")))?;
        self.silent(std::iter::once(format!("commit map @{version} {name}")))
    }

    /// Commands that say nothing, or that a server was registered, when they work.
    fn silent(&self, commands: impl Iterator<Item = String>) -> Result<()> {
        for batch in batches(commands) {
            let answer = self.ask(&batch)?;
            let said =
                answer.lines().find(|line| !line.trim().is_empty() && *line != "New server registered.");
            if let Some(line) = said {
                bail!("the proxy refused a change: {line}");
            }
        }
        Ok(())
    }

    fn ask(&self, command: &str) -> Result<String> {
        let mut stream = self.connect()?;
        let mut exchange = || {
            stream.set_read_timeout(Some(ANSWER))?;
            stream.write_all(command.as_bytes())?;
            stream.write_all(b"\n")?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer)?;
            std::io::Result::Ok(answer)
        };
        exchange().with_context(|| format!("the proxy at `{}` did not answer", self.socket.display()))
    }

    fn connect(&self) -> Result<UnixStream> {
        let until = Instant::now() + PATIENCE;
        loop {
            match UnixStream::connect(&self.socket) {
                Ok(stream) => return Ok(stream),
                Err(error) if Instant::now() >= until => {
                    return Err(error).with_context(|| format!("no proxy at `{}`", self.socket.display()));
                }
                Err(_) => sleep(Duration::from_millis(5)),
            }
        }
    }
}

/// Where a server of that name (`host:port`) belongs: one backend for 443 and for 80, both for any other port.
fn places(name: &str) -> Vec<String> {
    let port = name.rsplit(':').next().and_then(|port| port.parse().ok()).unwrap_or(0);
    let backends = BACKENDS.into_iter().filter(|backend: &Backend| backend.serves(port));
    backends.map(|backend| format!("{}/{name}", backend.name())).collect()
}

/// Commands joined by `;`, as many as one line may hold.
fn batches(commands: impl Iterator<Item = String>) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for command in commands {
        match all.last_mut() {
            Some(line) if line.len() + command.len() < BATCH => {
                line.push(';');
                line.push_str(&command);
            }
            _ => all.push(command),
        }
    }
    all
}

#[cfg(test)]
#[path = "runtime_tests.rs"]
mod tests;
