//! `workflow doctor`: what of tools, logins, workspace and network works, as seen from inside the sandbox.

mod checks;
mod network;

use std::path::PathBuf;
use std::process::ExitCode;
use std::thread;

use anyhow::Result;
use clap::Args;
use serde::Serialize;

use crate::render;

/// `workflow doctor`; exit code 1 when a check failed.
#[derive(Args)]
pub(crate) struct Flags {
    /// Answer with one line of JSON
    #[arg(long)]
    json: bool,
    /// The folder that holds the state of this start
    #[arg(long, hide = true, default_value = "/run/ao-sandbox")]
    state: PathBuf,
    /// The resolver's configuration
    #[arg(long, hide = true, default_value = "/etc/resolv.conf")]
    resolv_conf: PathBuf,
    /// The workspace; the working directory where nothing is said
    #[arg(long, hide = true, env = "AO_SANDBOX_WORKSPACE", default_value = ".")]
    workspace: PathBuf,
}

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Level {
    Ok,
    Warn,
    Fail,
}

/// One check, with what to do about it.
#[derive(Debug, Serialize)]
struct Check {
    name: String,
    status: Level,
    detail: String,
    remedy: Option<String>,
}

impl Check {
    fn ok(name: &str, detail: impl Into<String>) -> Self {
        Self { name: name.to_owned(), status: Level::Ok, detail: detail.into(), remedy: None }
    }

    fn bad(name: &str, status: Level, detail: impl Into<String>, remedy: &str) -> Self {
        Self { name: name.to_owned(), status, detail: detail.into(), remedy: Some(remedy.to_owned()) }
    }
}

#[derive(Serialize)]
struct Report {
    ok: bool,
    checks: Vec<Check>,
}

impl Flags {
    /// Runs all checks, the slow ones side by side, and prints them.
    pub(crate) fn run(self) -> Result<ExitCode> {
        let checks = self.checks();
        let report = Report { ok: checks.iter().all(|check| check.status != Level::Fail), checks };
        if self.json {
            render::json(&report)?;
        } else {
            report.checks.iter().for_each(|check| render::line(&text(check)));
        }
        Ok(if report.ok { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    fn checks(&self) -> Vec<Check> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        thread::scope(|scope| {
            let logins = checks::LOGINS.map(|login| {
                scope.spawn({
                    let path = &path;
                    move || checks::login(login, path)
                })
            });
            let name = scope.spawn(|| network::refused_name(&self.resolv_conf));
            let address = scope.spawn(network::refused_address);
            let mut checks = vec![checks::ready(&self.state), checks::workspace(&self.workspace)];
            checks.extend(checks::TOOLS.iter().map(|tool| checks::tool(tool, &path)));
            // A check that panicked is left out rather than taking the others with it.
            checks.extend(logins.into_iter().filter_map(|login| login.join().ok().flatten()));
            checks.extend([name, address].into_iter().filter_map(|check| check.join().ok()));
            checks
        })
    }
}

fn text(check: &Check) -> String {
    let status = match check.status {
        Level::Ok => "ok  ",
        Level::Warn => "warn",
        Level::Fail => "fail",
    };
    let remedy = check.remedy.as_ref().map(|remedy| format!("\n       {remedy}")).unwrap_or_default();
    format!("{status}  {}: {}{remedy}", check.name, check.detail)
}
