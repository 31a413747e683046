//! `release status`: what is installed, and with `--verify` whether the files on disk are it.

use anyhow::Result;

use super::answer::Installed;
use super::check::{OnDisk, on_disk};
use super::journal::Journal;
use super::manifest::{Manifest, VERSION};
use super::store::Store;

/// Reads what is installed; takes no lock and changes nothing.
pub(crate) fn status(store: &Store, verify: bool) -> Result<Installed> {
    let manifest = store.installed()?;
    let previous = store.manifest_in(&store.previous())?.map(|previous| previous.release);
    let differing =
        verify.then(|| manifest.as_ref().map(|manifest| differing(store, manifest)).unwrap_or_default());
    let interrupted = !matches!(Journal::open(store), Ok(None)) && !store.is_locked();
    Ok(Installed {
        version: VERSION,
        ok: differing.as_ref().map(|paths| paths.is_empty() && manifest.is_some()),
        differing,
        previous,
        interrupted,
        release: manifest.as_ref().map(|manifest| manifest.release.clone()),
        files: manifest.map(|manifest| manifest.files).unwrap_or_default(),
    })
}

/// The paths that are not on disk as `manifest` has them; whatever cannot be read is not.
fn differing(store: &Store, manifest: &Manifest) -> Vec<String> {
    let differs = |path| !matches!(on_disk(store, path), Ok(OnDisk::Same));
    manifest.files.iter().filter(|entry| differs(entry)).map(|entry| entry.path.clone()).collect()
}
