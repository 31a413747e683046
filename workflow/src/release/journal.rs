//! The journal: what an install is about to change, written before it changes anything, so that whoever comes
//! after a kill can undo it.
//!
//! While `journal.json` is there, the release before it is the true one, and [`Journal::undo`] brings it back:
//! every file that was replaced is in `previous-new/` from before the first replacement on, and a file that is
//! not there (any more) was not replaced (or is back already). So undoing can itself be killed and repeated.
//! The one step that commits an install is the rename of the journal into `previous-new/`; from then on
//! [`Journal::finish`] only tidies up, and can be repeated too.

use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::fault::step;
use super::files;
use super::manifest::DATA;
use super::plan::Plan;
use super::store::Store;

/// An install under way, or committed but not tidied up.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Journal {
    /// The release before.
    pub(crate) from: Option<String>,
    /// The release that is being installed.
    pub(crate) to: String,
    /// The files that are written or removed.
    changes: Vec<Change>,
    /// The folders that are created, parents first.
    folders: Vec<String>,
    /// Whether the firewall may have run with the new files.
    pub(crate) firewall: bool,
}

#[derive(Debug, Serialize, Deserialize)]
struct Change {
    path: String,
    existed: bool,
}

impl Journal {
    /// Writes down what `plan` will change.
    pub(crate) fn begin(store: &Store, plan: &Plan) -> Result<Self> {
        let written = plan.written.iter().map(|(entry, existed)| (entry, *existed));
        let removed = plan.removed.iter().map(|entry| (entry, true));
        let journal = Self {
            from: plan.from.as_ref().map(|from| from.release.clone()),
            to: plan.to.release.clone(),
            changes: written
                .chain(removed)
                .map(|(entry, existed)| Change { path: entry.path.clone(), existed })
                .collect(),
            folders: missing_folders(store, plan),
            firewall: false,
        };
        journal.write(store)?;
        Ok(journal)
    }

    /// Writes down that the firewall is about to run.
    pub(crate) fn note_firewall(&mut self, store: &Store) -> Result<()> {
        self.firewall = true;
        self.write(store)
    }

    fn write(&self, store: &Store) -> Result<()> {
        let json = serde_json::to_vec(self)?;
        files::write(&store.state("journal.json"), &json).context("failed to write the journal")
    }

    /// The journal of an install that is neither committed nor undone.
    pub(crate) fn open(store: &Store) -> Result<Option<Self>> {
        read(&store.state("journal.json"))
    }

    /// The journal of an install that is committed, but not tidied up.
    pub(crate) fn committed(store: &Store) -> Result<Option<Self>> {
        read(&marker(store))
    }

    /// Forgets a journal that cannot be read (a power failure may do that, a kill cannot).
    pub(crate) fn discard(store: &Store) -> Result<()> {
        files::remove(&store.state("journal.json"))?;
        files::remove(&marker(store))?;
        Ok(())
    }

    /// Creates the folders that the new release needs.
    pub(crate) fn create_folders(&self, store: &Store) -> Result<()> {
        for folder in &self.folders {
            let place = store.place(folder);
            create_folder(&place, store.owner).with_context(|| format!("failed to create `{folder}`"))?;
            step();
        }
        Ok(())
    }

    /// Brings every file of the release before back, and takes away what was new.
    pub(crate) fn undo(&self, store: &Store) -> Result<()> {
        for Change { path, existed } in &self.changes {
            put_back(store, path, *existed).with_context(|| format!("failed to bring `{path}` back"))?;
            step();
        }
        for folder in self.folders.iter().rev() {
            // Someone else's file may be in it by now; then it stays.
            fs::remove_dir(store.place(folder)).ok();
            step();
        }
        put_back_manifest(store, self.from.is_some()).context("failed to bring the manifest back")
    }

    /// Drops the journal after an undo: the release before is whole, and nothing of the new one remains.
    pub(crate) fn drop_undone(store: &Store) -> Result<()> {
        files::remove(&store.state("journal.json")).context("failed to remove the journal")?;
        step();
        files::remove_folder(&store.previous_new()).context("failed to remove the kept files")
    }

    /// The step that makes the new release the true one.
    pub(crate) fn commit(store: &Store) -> Result<()> {
        fs::rename(store.state("journal.json"), marker(store)).context("failed to commit the install")
    }

    /// Makes the kept files the previous release. A repair, which installs the release that is installed,
    /// leaves the previous one as it is.
    pub(crate) fn finish(&self, store: &Store) -> Result<()> {
        let (new, old) = (store.previous_new(), store.previous());
        if self.from.as_ref().is_none_or(|from| *from == self.to) {
            return files::remove_folder(&new).context("failed to remove the kept files");
        }
        files::remove_folder(&old).context("failed to remove the release before the previous one")?;
        step();
        files::move_folder(&new, &old).context("failed to keep the previous release")
    }
}

/// Removes the folders of `path` that became empty, within our data folder.
pub(crate) fn remove_empty_folders(store: &Store, path: &str) {
    let mut folder = path;
    while let Some((parent, _)) = folder.rsplit_once('/').filter(|(parent, _)| parent.starts_with(DATA)) {
        if fs::remove_dir(store.place(parent)).is_err() {
            return;
        }
        folder = parent;
    }
}

fn marker(store: &Store) -> PathBuf {
    store.previous_new().join("journal.json")
}

fn read(path: &Path) -> Result<Option<Journal>> {
    match fs::read(path) {
        Ok(json) => Ok(Some(serde_json::from_slice(&json).context("the journal is not valid")?)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).context("failed to read the journal"),
    }
}

fn put_back(store: &Store, path: &str, existed: bool) -> io::Result<()> {
    let (place, kept) = (store.place(path), Store::within(&store.previous_new(), path));
    files::remove(&files::temporary(&place))?;
    if !existed {
        return files::remove(&place);
    }
    if kept.symlink_metadata().is_err() {
        return Ok(());
    }
    create_parents(&place, store.owner)?;
    files::put_back(&kept, &place)
}

fn put_back_manifest(store: &Store, existed: bool) -> io::Result<()> {
    let kept = store.previous_new().join("manifest.json");
    if !existed {
        return files::remove(&store.manifest_path());
    }
    if kept.exists() { files::put_back(&kept, &store.manifest_path()) } else { Ok(()) }
}

fn missing_folders(store: &Store, plan: &Plan) -> Vec<String> {
    let mut folders: Vec<String> = Vec::new();
    for (entry, _) in &plan.written {
        for (end, _) in entry.path.match_indices('/').skip(1) {
            let folder = entry.path[..end].to_owned();
            if !folders.contains(&folder) && !store.place(&folder).exists() {
                folders.push(folder);
            }
        }
    }
    folders
}

fn create_parents(place: &Path, owner: Option<u32>) -> io::Result<()> {
    let missing: Vec<_> = place.ancestors().skip(1).take_while(|folder| !folder.exists()).collect();
    missing.into_iter().rev().try_for_each(|folder| create_folder(folder, owner))
}

/// A folder that everyone may read, whatever the umask.
fn create_folder(place: &Path, owner: Option<u32>) -> io::Result<()> {
    match fs::DirBuilder::new().mode(0o755).create(place) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => return Ok(()),
        created => created?,
    }
    chown(place, owner, owner)?;
    fs::set_permissions(place, fs::Permissions::from_mode(0o755))
}
