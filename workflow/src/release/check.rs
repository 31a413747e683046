//! What is on disk where a file of a release belongs.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path};

use anyhow::{Context, Result, bail, ensure};

use super::files;
use super::manifest::Entry;
use super::store::Store;

/// What is at a file's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OnDisk {
    /// Nothing.
    Absent,
    /// The very file: content, mode, and owner where we are root.
    Same,
    /// A file that is not it.
    Differs,
}

/// Compares the place of `entry` with it; only a file that agrees in everything else is read.
///
/// # Errors
/// When the place is no regular file, or a folder on the way to it is a link: neither is written through.
pub(crate) fn on_disk(store: &Store, entry: &Entry) -> Result<OnDisk> {
    plain_parents(store.root(), &entry.path)?;
    let place = store.place(&entry.path);
    let meta = match fs::symlink_metadata(&place) {
        Ok(meta) => meta,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(OnDisk::Absent),
        Err(error) => return Err(error).with_context(|| format!("failed to look at `{}`", entry.path)),
    };
    ensure!(meta.is_file(), "`{}` is on disk, but not as a regular file", entry.path);
    let owned = store.owner.is_none_or(|owner| (meta.uid(), meta.gid()) == (owner, owner));
    if !owned || meta.mode() & 0o7777 != entry.mode || meta.len() != entry.size {
        return Ok(OnDisk::Differs);
    }
    let sha256 = files::sha256(&place).with_context(|| format!("failed to read `{}`", entry.path))?;
    Ok(if sha256 == entry.sha256 { OnDisk::Same } else { OnDisk::Differs })
}

/// Whether `folder`, files of a release, has a regular file for `path`.
pub(crate) fn is_within(folder: &Path, path: &str) -> Result<bool> {
    plain_parents(&folder.join("files"), path)?;
    match fs::symlink_metadata(Store::within(folder, path)) {
        Ok(meta) if meta.is_file() => Ok(true),
        Ok(_) => bail!("the pushed `{path}` is not a regular file"),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error).with_context(|| format!("failed to look at the pushed `{path}`")),
    }
}

/// Refuses when a folder between `base` and the file `path` below it is anything but a real folder.
fn plain_parents(base: &Path, path: &str) -> Result<()> {
    let mut folder = base.to_path_buf();
    let parents = Path::new(path).parent().unwrap_or(Path::new(""));
    for name in parents.components().filter(|part| matches!(part, Component::Normal(_))) {
        folder.push(name);
        match fs::symlink_metadata(&folder) {
            Ok(meta) => {
                ensure!(meta.is_dir(), "`{}`, on the way to `{path}`, is not a folder", folder.display())
            }
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(error) => {
                return Err(error).with_context(|| format!("failed to look at `{}`", folder.display()));
            }
        }
    }
    Ok(())
}
