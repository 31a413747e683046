//! What an install has to do: the release compared with the disk and with what was pushed. Changes nothing.

use std::path::{Path, PathBuf};

use anyhow::Result;

use super::answer::{Action, FileResult};
use super::check::{OnDisk, is_within, on_disk};
use super::firewall::Apply;
use super::manifest::{DATA, ENTRYPOINT, Entry, FIREWALL, Manifest, WORKFLOW};
use super::store::Store;

/// The difference between what is installed and what is to be.
#[derive(Debug)]
pub(crate) struct Plan {
    /// The release to install.
    pub(crate) to: Manifest,
    /// The release that is installed.
    pub(crate) from: Option<Manifest>,
    /// Where the new files are.
    pub(crate) source: PathBuf,
    /// Files to write, and whether something is in their place already.
    pub(crate) written: Vec<(Entry, bool)>,
    /// Files that stay.
    unchanged: Vec<Entry>,
    /// Files on disk that only the old release has.
    pub(crate) removed: Vec<Entry>,
    /// Files that neither are on disk nor were pushed.
    missing: Vec<String>,
}

impl Plan {
    /// Compares. `source` is the folder that holds what was pushed, or the previous release.
    pub(crate) fn make(store: &Store, from: Option<Manifest>, to: Manifest, source: &Path) -> Result<Self> {
        let (mut written, mut unchanged, mut missing) = (Vec::new(), Vec::new(), Vec::new());
        for entry in &to.files {
            match on_disk(store, entry)? {
                OnDisk::Same => unchanged.push(entry.clone()),
                state if is_within(source, &entry.path)? => {
                    written.push((entry.clone(), state == OnDisk::Differs));
                }
                _ => missing.push(entry.path.clone()),
            }
        }
        let removed = removed(store, from.as_ref(), &to);
        Ok(Self { to, from, source: source.to_owned(), written, unchanged, removed, missing })
    }

    /// Whether everything is as it should be already.
    pub(crate) fn is_done(&self) -> bool {
        self.written.is_empty() && self.removed.is_empty() && self.from.as_ref() == Some(&self.to)
    }

    /// When a file is neither on disk nor pushed: every path that one more push has to bring. What this one
    /// brought is thrown away, so it is among them.
    pub(crate) fn missing(&self) -> Vec<String> {
        let mut paths = self.missing.clone();
        if !paths.is_empty() {
            paths.extend(self.written.iter().map(|(entry, _)| entry.path.clone()));
            paths.sort();
        }
        paths
    }

    /// How the firewall has to follow. Its script and its data: it is applied. `workflow` renders the policy, and changes with
    /// every edit of the inner loop: the script then renders and compares, which costs a tenth of applying.
    pub(crate) fn firewall(&self) -> Option<Apply> {
        if self.changed_paths().any(|path| path == FIREWALL || path.starts_with(DATA)) {
            return Some(Apply::Always);
        }
        self.changed_paths().any(|path| path == WORKFLOW).then_some(Apply::IfChanged)
    }

    /// Whether PID 1 will be another program at the next start.
    pub(crate) fn concerns_entrypoint(&self) -> bool {
        self.changed_paths().any(|path| path == ENTRYPOINT)
    }

    fn changed_paths(&self) -> impl Iterator<Item = &str> {
        let written = self.written.iter().map(|(entry, _)| entry.path.as_str());
        written.chain(self.removed.iter().map(|entry| entry.path.as_str()))
    }

    /// One line per file, sorted by path.
    pub(crate) fn results(&self) -> Vec<FileResult> {
        let result =
            |action| move |entry: &Entry| FileResult { path: entry.path.clone(), action, size: entry.size };
        let mut results: Vec<_> =
            self.written.iter().map(|(entry, _)| entry).map(result(Action::Pushed)).collect();
        results.extend(self.unchanged.iter().map(result(Action::Unchanged)));
        results.extend(self.removed.iter().map(result(Action::Removed)));
        results.sort_by(|a, b| a.path.cmp(&b.path));
        results
    }
}

fn removed(store: &Store, from: Option<&Manifest>, to: &Manifest) -> Vec<Entry> {
    let old = from.map(|from| from.files.as_slice()).unwrap_or_default();
    let gone = old.iter().filter(|entry| to.entry(&entry.path).is_none());
    gone.filter(|entry| store.place(&entry.path).symlink_metadata().is_ok()).cloned().collect()
}
