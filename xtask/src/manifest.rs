//! The manifest of a release: which files it lays, with digest, size and mode. `workflow` reads the same format.

use serde::{Deserialize, Serialize};

use crate::digest::sha256;

/// One file of a release, at its absolute path in the container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    pub(crate) path: String,
    /// SHA-256 of the content, 64 hexadecimal digits.
    pub(crate) sha256: String,
    /// Bytes.
    pub(crate) size: u64,
    /// Permission bits: 0755 or 0644.
    pub(crate) mode: u32,
}

/// The list of a release's files, sorted by path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Manifest {
    pub(crate) version: u32,
    /// The digest of the list: the release's name.
    pub(crate) release: String,
    pub(crate) files: Vec<Entry>,
}

impl Manifest {
    pub(crate) fn new(mut files: Vec<Entry>) -> Self {
        files.sort_by(|a, b| a.path.cmp(&b.path));
        let line = |file: &Entry| format!("{}\0{}\0{}\0{:o}\n", file.path, file.sha256, file.size, file.mode);
        let release = sha256(files.iter().map(line).collect::<String>());
        Manifest { version: 1, release, files }
    }

    pub(crate) fn file(&self, path: &str) -> Option<&Entry> {
        self.files.iter().find(|file| file.path == path)
    }

    /// The files that `installed` does not hold with the same content and mode.
    pub(crate) fn changed_since<'a>(&'a self, installed: Option<&Manifest>) -> Vec<&'a Entry> {
        let same = |file: &&Entry| installed.and_then(|old| old.file(&file.path)) == Some(*file);
        self.files.iter().filter(|file| !same(file)).collect()
    }

    /// The paths that `installed` holds and this one does not.
    pub(crate) fn removed_since(&self, installed: Option<&Manifest>) -> Vec<String> {
        let old = installed.map(|manifest| manifest.files.as_slice()).unwrap_or_default();
        let gone = old.iter().filter(|file| self.file(&file.path).is_none());
        gone.map(|file| file.path.clone()).collect()
    }
}

/// The first 12 digits of a digest: enough for a person.
pub(crate) fn short(digest: &str) -> &str {
    digest.get(..12).unwrap_or(digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(path: &str, digest: &str) -> Entry {
        Entry { path: path.into(), sha256: digest.into(), size: 1, mode: 0o644 }
    }

    #[test]
    fn the_release_depends_on_content_and_mode_but_not_on_order() {
        let a = Manifest::new(vec![entry("/a", "1"), entry("/b", "2")]);
        assert_eq!(a, Manifest::new(vec![entry("/b", "2"), entry("/a", "1")]));
        assert_ne!(a.release, Manifest::new(vec![entry("/a", "1"), entry("/b", "3")]).release);
        let executable = Entry { mode: 0o755, ..entry("/b", "2") };
        assert_ne!(a.release, Manifest::new(vec![entry("/a", "1"), executable]).release);
    }

    #[test]
    fn changes_are_told_apart() {
        let old = Manifest::new(vec![entry("/a", "1"), entry("/gone", "9")]);
        let new = Manifest::new(vec![entry("/a", "1"), entry("/b", "2")]);
        assert_eq!(new.changed_since(Some(&old)), [&entry("/b", "2")]);
        assert_eq!(new.removed_since(Some(&old)), ["/gone"]);
        assert_eq!(new.changed_since(None).len(), 2);
    }
}
