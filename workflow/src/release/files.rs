//! What an install does to single files, each so that a kill leaves the old one, the new one, or a temporary
//! that is never mistaken for either.
//!
//! Nothing is synced to disk: a killed process, container or engine loses nothing of the page cache. After a
//! power failure every file is checked against its digest by the next install, which then repairs it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use rustix::fs::OFlags;
use sha2::{Digest, Sha256};

use super::fault::step;
use super::manifest::{Entry, TEMPORARY};

const CHUNK: usize = 128 * 1024;

/// The SHA-256 of a file in lower-case hex.
pub(crate) fn sha256(path: &Path) -> io::Result<String> {
    let mut hasher = Sha256::new();
    let mut file = File::open(path)?;
    let mut chunk = vec![0; CHUNK];
    loop {
        match file.read(&mut chunk)? {
            0 => return Ok(format!("{:x}", hasher.finalize())),
            read => hasher.update(&chunk[..read]),
        }
    }
}

/// The name under which a file is written beside its place.
pub(crate) fn temporary(place: &Path) -> PathBuf {
    let name = place.file_name().unwrap_or_default().display();
    place.with_file_name(format!(".{name}{TEMPORARY}"))
}

/// Copies `from` to the new file `to` with the mode of `entry` and `owner`, and checks size and digest of
/// exactly the bytes that were written: whoever still writes to `from` cannot change them afterwards.
pub(crate) fn copy_checked(from: &Path, to: &Path, entry: &Entry, owner: Option<u32>) -> Result<()> {
    let source = open_plain(from).with_context(|| format!("failed to open the pushed `{}`", entry.path))?;
    let (size, sha256) = copy_hashing(source, to, entry.size, entry.mode, owner)
        .with_context(|| format!("failed to write `{}`", to.display()))?;
    ensure!(
        size == entry.size,
        "`{}` has a size of {size} bytes, the manifest says {}",
        entry.path,
        entry.size
    );
    ensure!(
        sha256 == entry.sha256,
        "`{}` has the digest {sha256}, the manifest says {}",
        entry.path,
        entry.sha256
    );
    Ok(())
}

fn copy_hashing(
    source: File,
    to: &Path,
    size: u64,
    mode: u32,
    owner: Option<u32>,
) -> io::Result<(u64, String)> {
    remove(to)?;
    let mut target = OpenOptions::new().write(true).create_new(true).mode(0o600).open(to)?;
    let mut hasher = Sha256::new();
    let (mut total, mut chunk) = (0, vec![0; CHUNK]);
    // One byte more than promised is read, which tells a longer file without reading all of it.
    let mut source = source.take(size.saturating_add(1));
    loop {
        let read = source.read(&mut chunk)?;
        if read == 0 {
            break;
        }
        hasher.update(&chunk[..read]);
        target.write_all(&chunk[..read])?;
        total += read as u64;
        step();
    }
    fchown(&target, owner, owner)?;
    target.set_permissions(fs::Permissions::from_mode(mode))?;
    Ok((total, format!("{:x}", hasher.finalize())))
}

/// Opens a regular file and nothing else: no link is followed, no pipe waited for.
fn open_plain(path: &Path) -> Result<File> {
    let flags = i32::try_from((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits())?;
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    ensure!(file.metadata()?.is_file(), "it is not a regular file");
    Ok(file)
}

/// Reads a small regular file, at most `limit` bytes.
pub(crate) fn read_plain(path: &Path, limit: u64) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open_plain(path)?.take(limit + 1).read_to_end(&mut bytes)?;
    ensure!(bytes.len() as u64 <= limit, "it is larger than {limit} bytes");
    Ok(bytes)
}

/// Writes `bytes` beside `place` and renames it there.
pub(crate) fn write(place: &Path, bytes: &[u8]) -> io::Result<()> {
    let beside = temporary(place);
    write_new(&beside, bytes)?;
    step();
    fs::rename(&beside, place)
}

/// Writes a file that only root may read, in place of whatever temporary was there.
pub(crate) fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    remove(path)?;
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?.write_all(bytes)
}

/// Gives `file` a second name; where the file systems differ, a copy with the same mode and owner.
pub(crate) fn keep(file: &Path, kept: &Path) -> io::Result<()> {
    create_folders(kept.parent().unwrap_or(kept))?;
    match fs::hard_link(file, kept) {
        Err(error) if matches!(error.kind(), ErrorKind::CrossesDevices | ErrorKind::PermissionDenied) => {
            let beside = temporary(kept);
            copy_whole(file, &beside)?;
            step();
            fs::rename(&beside, kept)
        }
        linked => linked,
    }
}

/// Moves `kept` over `place` in one step, also between file systems.
pub(crate) fn put_back(kept: &Path, place: &Path) -> io::Result<()> {
    match fs::rename(kept, place) {
        Err(error) if error.kind() == ErrorKind::CrossesDevices => {
            let beside = temporary(place);
            copy_whole(kept, &beside)?;
            step();
            fs::rename(&beside, place)?;
            step();
            remove(kept)
        }
        moved => moved,
    }
}

fn copy_whole(from: &Path, to: &Path) -> io::Result<()> {
    remove(to)?;
    fs::copy(from, to)?;
    let meta = from.metadata()?;
    std::os::unix::fs::chown(to, Some(meta.uid()), Some(meta.gid()))
        .or_else(|error| if rustix::process::geteuid().is_root() { Err(error) } else { Ok(()) })?;
    fs::set_permissions(to, meta.permissions())
}

/// Moves a folder of ours. A folder that came with an image (a saved sandbox) cannot be renamed on overlayfs
/// without `redirect_dir`; its files then move one by one.
pub(crate) fn move_folder(from: &Path, to: &Path) -> io::Result<()> {
    match fs::rename(from, to) {
        Err(error) if error.kind() == ErrorKind::CrossesDevices => {
            create_folders(to)?;
            for child in fs::read_dir(from)? {
                let child = child?;
                let target = to.join(child.file_name());
                if child.file_type()?.is_dir() {
                    move_folder(&child.path(), &target)?;
                } else {
                    put_back(&child.path(), &target)?;
                }
            }
            fs::remove_dir_all(from)
        }
        moved => moved,
    }
}

/// Creates a folder and its parents, for root alone.
pub(crate) fn create_folders(folder: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// Removes a file; one that is not there is no error.
pub(crate) fn remove(file: &Path) -> io::Result<()> {
    absent_is_fine(fs::remove_file(file))
}

/// Removes a folder with everything in it; one that is not there is no error.
pub(crate) fn remove_folder(folder: &Path) -> io::Result<()> {
    absent_is_fine(fs::remove_dir_all(folder))
}

/// Takes "there is no such file" for done.
pub(crate) fn absent_is_fine(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(content: &[u8]) -> Entry {
        let sha256 = format!("{:x}", Sha256::digest(content));
        Entry { path: "/opt/x".to_owned(), sha256, size: content.len() as u64, mode: 0o644 }
    }

    #[test]
    fn a_copy_that_is_longer_or_differs_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let (from, to) = (dir.path().join("from"), dir.path().join("to"));
        for (content, reason) in [("abcd", "a size of 4"), ("ab", "a size of 2"), ("abd", "has the digest")] {
            fs::write(&from, content).unwrap();
            let error = copy_checked(&from, &to, &entry(b"abc"), None).unwrap_err().to_string();
            assert!(error.contains(reason), "{error}");
        }
    }

    #[test]
    fn a_link_or_a_pipe_is_not_read() {
        let dir = tempfile::tempdir().unwrap();
        let (link, to) = (dir.path().join("link"), dir.path().join("to"));
        std::os::unix::fs::symlink("/etc/passwd", &link).unwrap();
        assert!(copy_checked(&link, &to, &entry(b"abc"), None).is_err());
        let pipe = dir.path().join("pipe");
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        let error = copy_checked(&pipe, &to, &entry(b"abc"), None).unwrap_err();
        assert!(format!("{error:#}").contains("not a regular file"), "{error:#}");
    }

    #[test]
    fn a_copy_has_exactly_the_mode_asked_for() {
        let dir = tempfile::tempdir().unwrap();
        let (from, to) = (dir.path().join("from"), dir.path().join("to"));
        fs::write(&from, "abc").unwrap();
        fs::set_permissions(&from, fs::Permissions::from_mode(0o4777)).unwrap();
        copy_checked(&from, &to, &entry(b"abc"), None).unwrap();
        assert_eq!(to.metadata().unwrap().mode() & 0o7777, 0o644);
        assert_eq!(fs::read(&to).unwrap(), b"abc");
    }

    #[test]
    fn what_was_kept_comes_back_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let (place, kept) = (dir.path().join("place"), dir.path().join("kept/place"));
        fs::write(&place, "old").unwrap();
        keep(&place, &kept).unwrap();
        put_back(&kept, &place).unwrap();
        assert_eq!(fs::read(&place).unwrap(), b"old");
        remove(&kept).unwrap();
        fs::write(&place, "new").unwrap();
        keep(&place, &kept).unwrap();
        fs::remove_file(&place).unwrap();
        put_back(&kept, &place).unwrap();
        assert_eq!(fs::read(&place).unwrap(), b"new");
    }
}
