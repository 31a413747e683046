//! What happens on SIGINT, SIGTERM and SIGHUP: temporary folders go away, a command inside a sandbox is told, and then we end as
//! the signal wants.

use std::sync::Mutex;

type Callback = Box<dyn Fn(i32) + Send>;

#[cfg_attr(not(unix), expect(dead_code, reason = "nobody reads duties where no signals come"))]
enum Duty {
    /// Remove this folder and end.
    Remove(std::path::PathBuf),
    /// Hand the signal on and go on waiting for the child.
    HandOn(Callback),
}

static DUTIES: Mutex<Vec<(u64, Duty)>> = Mutex::new(vec![]);

/// A duty that stands until this is dropped.
#[must_use]
pub(crate) struct Guard(u64);

impl Drop for Guard {
    fn drop(&mut self) {
        if let Ok(mut duties) = DUTIES.lock() {
            duties.retain(|(id, _)| *id != self.0);
        }
    }
}

/// A temporary folder that is removed when it is dropped, and on a signal.
pub(crate) struct TempFolder {
    folder: tempfile::TempDir,
    _guard: Guard,
}

impl TempFolder {
    pub(crate) fn new() -> anyhow::Result<Self> {
        use anyhow::Context as _;
        let folder = tempfile::Builder::new()
            .prefix("ao-sandbox-")
            .tempdir()
            .context("failed to make a temporary folder")?;
        let guard = add(Duty::Remove(folder.path().to_owned()));
        Ok(TempFolder { folder, _guard: guard })
    }

    pub(crate) fn path(&self) -> anyhow::Result<&camino::Utf8Path> {
        use anyhow::Context as _;
        camino::Utf8Path::from_path(self.folder.path()).context("the temporary folder's path is not UTF-8")
    }
}

/// Hands signals on for as long as the guard lives; we ourselves go on.
pub(crate) fn on_signal(hand_on: impl Fn(i32) + Send + 'static) -> Guard {
    add(Duty::HandOn(Box::new(hand_on)))
}

fn add(duty: Duty) -> Guard {
    static NEXT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(1);
    static INSTALLED: std::sync::Once = std::sync::Once::new();
    INSTALLED.call_once(install);
    let id = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    if let Ok(mut duties) = DUTIES.lock() {
        duties.push((id, duty));
    }
    Guard(id)
}

#[cfg(unix)]
fn install() {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    let Ok(mut signals) = signal_hook::iterator::Signals::new([SIGINT, SIGTERM, SIGHUP]) else { return };
    std::thread::spawn(move || {
        for signal in signals.forever() {
            if !carry_out(signal) {
                // Ends this process with the signal, so that a shell sees what happened.
                drop(signal_hook::low_level::emulate_default_handler(signal));
            }
        }
    });
}

/// Elsewhere the system ends us; temporary folders are left to the system's own cleaning.
#[cfg(not(unix))]
fn install() {}

/// True where the signal was handed on and we go on.
#[cfg(unix)]
fn carry_out(signal: i32) -> bool {
    let Ok(duties) = DUTIES.lock() else { return false };
    let mut handed_on = false;
    for (_, duty) in duties.iter() {
        match duty {
            Duty::Remove(folder) => drop(std::fs::remove_dir_all(folder)),
            Duty::HandOn(callback) => {
                callback(signal);
                handed_on = true;
            }
        }
    }
    handed_on
}
