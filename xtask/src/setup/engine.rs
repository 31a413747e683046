//! The engine: whether it is there and answers, and starting one that is installed.

use std::time::{Duration, Instant};

use anyhow::bail;
use camino::Utf8Path;
use serde::Deserialize;

use super::{Check, Mend, apt};
use crate::context::Context;
use crate::run::{self, Cmd, on_path};

/// What a Debian engine consists of; the rules of its networks need iptables.
const PACKAGES: [&str; 2] = ["docker.io", "iptables"];
/// A started engine answers within seconds.
const START: Duration = Duration::from_secs(60);
/// Clocks further apart than this break TLS and logins.
const DRIFT_SECONDS: i64 = 60;

/// `docker info`, as far as we ask.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Info {
    pub(super) server_version: String,
    security_options: Option<Vec<String>>,
    system_time: String,
    operating_system: String,
    architecture: String,
    name: String,
    pub(super) docker_root_dir: String,
    server_errors: Option<Vec<String>>,
}

impl Info {
    pub(super) fn ask(cx: &Context) -> Option<Info> {
        let cmd = cx.docker().cmd(["info", "--format", "{{json .}}"]).limit(Duration::from_secs(15));
        let output = cx.docker().answer(cmd).ok()?;
        let info: Info = serde_json::from_slice(&output.stdout).ok()?;
        (!info.server_version.is_empty() && info.server_errors.as_ref().is_none_or(Vec::is_empty))
            .then_some(info)
    }

    fn is_rootless(&self) -> bool {
        self.security_options.iter().flatten().any(|option| option.contains("rootless"))
    }
}

/// The engine itself.
pub(super) fn check(cx: &Context, info: Option<&Info>) -> Check {
    if let Some(info) = info {
        let rootless = if info.is_rootless() { ", rootless" } else { "" };
        let host = cx.docker().chosen_host().map(|host| format!(", at {host}")).unwrap_or_default();
        let (version, system, machine) = (&info.server_version, &info.operating_system, &info.architecture);
        return Check::ok(
            "engine",
            format!("{version} on {system} ({machine}{rootless}), {}{host}", context_name(cx)),
        );
    }
    if cx.docker().is_installed() && permission_denied(cx) {
        return Check::fail("engine", "it runs, but this user may not talk to it")
            .remedy("sudo usermod -aG docker \"$USER\", then log in anew");
    }
    if is_elsewhere() {
        return Check::fail("engine", format!("the chosen engine does not answer ({})", context_name(cx)))
            .remedy("start it, or unset DOCKER_HOST and DOCKER_CONTEXT");
    }
    if on_path("dockerd") {
        return Check::fail("engine", "installed, but not running")
            .remedy(start_remedy())
            .mend(Mend::StartEngine);
    }
    let check = Check::fail("engine", "no Docker engine is installed");
    if !apt::usable() || cfg!(target_os = "macos") {
        return check.remedy(elsewhere());
    }
    let packages = PACKAGES.map(str::to_owned).to_vec();
    check.remedy(apt::remedy(&PACKAGES)).mend(Mend::Packages(packages)).mend(Mend::StartEngine)
}

/// The clock of the engine's machine; a virtual machine's drifts while the laptop sleeps.
pub(super) fn clock(info: &Info) -> Option<Check> {
    let engine = unix_seconds(&info.system_time)?;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).ok()?;
    let drift = engine - i64::try_from(now.as_secs()).ok()?;
    Some(if drift.abs() <= DRIFT_SECONDS {
        Check::ok("clock", format!("the engine's differs by {} s", drift.abs()))
    } else {
        Check::warn("clock", format!("the engine's differs by {} s: TLS and logins fail", drift.abs()))
            .remedy("restart Docker Desktop, OrbStack or Colima, or set the clock")
    })
}

/// Seconds since 1970 of an RFC 3339 time in UTC or with an offset; days by Howard Hinnant's `days_from_civil`.
fn unix_seconds(text: &str) -> Option<i64> {
    let number = |range: std::ops::Range<usize>| text.get(range)?.parse::<i64>().ok();
    let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
    let (hour, minute, second) = (number(11..13)?, number(14..16)?, number(17..19)?);
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468;
    let zone = text.get(19..)?.trim_start_matches(|c: char| c == '.' || c.is_ascii_digit());
    let offset = match zone.get(0..1)? {
        "+" | "-" => {
            let minutes = zone.get(1..3)?.parse::<i64>().ok()? * 60 + zone.get(4..6)?.parse::<i64>().ok()?;
            if zone.starts_with('-') { -minutes } else { minutes }
        }
        _ => 0,
    };
    Some(days * 86_400 + hour * 3600 + minute * 60 + second - offset * 60)
}

fn context_name(cx: &Context) -> String {
    if let Ok(host) = std::env::var("DOCKER_HOST") {
        return format!("DOCKER_HOST {host}");
    }
    let shown = cx.docker().cmd(["context", "show"]).stdout();
    format!("context {}", shown.unwrap_or_else(|_| "default".to_owned()))
}

fn permission_denied(cx: &Context) -> bool {
    let output = cx
        .docker()
        .cmd(["version", "--format", "{{.Server.Version}}"])
        .limit(Duration::from_secs(15))
        .probe();
    output.is_ok_and(|output| output.stderr.contains("permission denied"))
}

/// The person has pointed the command line at an engine of their own.
fn is_elsewhere() -> bool {
    ["DOCKER_HOST", "DOCKER_CONTEXT"]
        .iter()
        .any(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()))
}

fn elsewhere() -> &'static str {
    if cfg!(target_os = "macos") {
        "brew install --cask orbstack (or Docker Desktop, or: brew install colima docker && colima start)"
    } else if cfg!(windows) {
        "winget install Docker.DockerDesktop"
    } else {
        "install the package `docker` (Fedora: moby-engine; Arch, Alpine: docker), then: systemctl enable --now docker"
    }
}

fn has_systemd() -> bool {
    Utf8Path::new("/run/systemd/system").is_dir()
}

fn start_remedy() -> String {
    if has_systemd() {
        "sudo systemctl start docker".to_owned()
    } else {
        "setsid dockerd >dockerd.log 2>&1 &".to_owned()
    }
}

/// Starts the installed engine, also where no service manager runs, and waits until it answers.
pub(super) fn start(cx: &Context) -> anyhow::Result<()> {
    if Info::ask(cx).is_some() {
        return Ok(());
    }
    let step = cx.ui.step("starting the engine");
    let log = cx.state.dir().join("dockerd.log");
    if has_systemd() {
        apt::as_root("systemctl").args(["start", "docker"]).run()?;
    } else {
        std::fs::create_dir_all(cx.state.dir())?;
        let dockerd = if apt::is_root() { Cmd::new("dockerd") } else { Cmd::new("sudo").arg("dockerd") };
        run::detach(&dockerd, &log)?;
    }
    let started = Instant::now();
    while Info::ask(cx).is_none() {
        if started.elapsed() > START {
            bail!("the engine was started and gives no answer after {} s; its log: `{log}`", START.as_secs());
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    drop(step);
    Ok(())
}

/// Name of the engine's machine, for reports.
impl std::fmt::Display for Info {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_the_engine_are_read() {
        assert_eq!(unix_seconds("1970-01-01T00:00:00Z"), Some(0));
        assert_eq!(unix_seconds("2026-11-21T01:02:03.123456789Z"), Some(1_795_222_923));
        assert_eq!(unix_seconds("2026-11-21T03:02:03.5+02:00"), Some(1_795_222_923));
        assert_eq!(unix_seconds("yesterday"), None);
    }
}
