//! Runs `/opt/init-firewall.sh`, which applies the network policy and keeps the old one when it fails.

use std::time::Duration;

use super::answer::Firewall;
use super::manifest::FIREWALL;
use super::store::Store;
use crate::process::Job;

/// When the script is to apply the policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Apply {
    /// In any case.
    Always,
    /// Only where today's programs render another policy than the one in force.
    IfChanged,
}

/// Runs the installed script within `limit`. A script that cannot be started is a run that failed.
pub(crate) fn run(store: &Store, apply: Apply, limit: Duration) -> Firewall {
    let args: &[&str] = if apply == Apply::IfChanged { &["--if-changed"] } else { &[] };
    let mut job = Job::new(store.place(FIREWALL), args, limit);
    if !store.is_system() {
        job.env.push(("AO_SANDBOX_ROOT", store.root().into()));
    }
    match job.run() {
        Ok(ended) => Firewall {
            ran: true,
            ok: ended.ok(),
            millis: u64::try_from(ended.took.as_millis()).unwrap_or(u64::MAX),
            message: if ended.ok() { ended.stderr } else { ended.reason() },
        },
        Err(error) => {
            Firewall { ran: false, ok: false, millis: 0, message: format!("could not be started: {error}") }
        }
    }
}
