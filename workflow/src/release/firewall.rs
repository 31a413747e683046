//! Runs `/opt/init-firewall.sh`, which applies the network policy and keeps the old one when it fails.

use std::time::Duration;

use super::answer::Firewall;
use super::manifest::FIREWALL;
use super::store::Store;
use crate::process::Job;

/// Runs the installed script within `limit`. A script that cannot be started is a run that failed.
pub(crate) fn run(store: &Store, limit: Duration) -> Firewall {
    let mut job = Job::new(store.place(FIREWALL), &[], limit);
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
