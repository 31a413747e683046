//! `release recover`: what an install that was killed left is undone or finished. The entrypoint runs it
//! before anything else, and so does every install.

use anyhow::Result;
use serde::Serialize;

use super::Limits;
use super::fault::step;
use super::files;
use super::firewall;
use super::journal::Journal;
use super::store::Store;

/// What there was to do.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Recovered {
    /// Nothing.
    Nothing,
    /// An install of this release was undone; what the firewall said, if it failed then.
    Undone { to: String, firewall: Option<String> },
    /// An install of this release had succeeded and was tidied up.
    Finished { to: String },
    /// The journal could not be read; the next install compares every file anyway.
    Unreadable(String),
}

/// Leaves one whole release and nothing half-done; under the lock.
pub(crate) fn recover(store: &Store, limits: &Limits) -> Result<Recovered> {
    let recovered = match (Journal::open(store), Journal::committed(store)) {
        (Ok(Some(journal)), _) => undo(store, &journal, limits)?,
        (Ok(None), Ok(Some(journal))) => {
            journal.finish(store)?;
            Recovered::Finished { to: journal.to }
        }
        (Ok(None), Ok(None)) => Recovered::Nothing,
        (Err(error), _) | (_, Err(error)) => {
            Journal::discard(store)?;
            Recovered::Unreadable(format!("{error:#}"))
        }
    };
    step();
    files::remove_folder(&store.previous_new())?;
    store.sweep()?;
    Ok(recovered)
}

/// Before the start of the sandbox is complete the entrypoint applies the firewall anyway; afterwards the rules
/// of the undone release may be in force. A firewall that fails here is no reason to keep the journal: it
/// leaves the rules as they are, and the next install may be the one that mends it.
fn undo(store: &Store, journal: &Journal, limits: &Limits) -> Result<Recovered> {
    journal.undo(store)?;
    let rerun = (journal.firewall && store.is_ready())
        .then(|| firewall::run(store, firewall::Apply::Always, limits.firewall));
    step();
    Journal::drop_undone(store)?;
    let firewall = rerun.filter(|run| !run.ok).map(|run| run.message);
    Ok(Recovered::Undone { to: journal.to.clone(), firewall })
}
