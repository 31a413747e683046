//! The hosts that apt is configured to fetch from, read from its source files in both of their formats.

use std::fs;
use std::path::{Path, PathBuf};

use super::entry::Entry;

/// The entries for `sources.list` and `sources.list.d/` below `folder`, each once, in the order of the files.
/// What cannot be read as the address of a web server (`file:`, `cdrom:`, a bad name) is left out.
pub(crate) fn entries(folder: &Path) -> Vec<Entry> {
    let mut files = vec![folder.join("sources.list")];
    files.extend(listed(&folder.join("sources.list.d")));
    let mut found: Vec<Entry> = Vec::new();
    for text in files.iter().filter_map(|file| fs::read_to_string(file).ok()) {
        for entry in text.lines().flat_map(addresses).filter_map(host) {
            if !found.contains(&entry) {
                found.push(entry);
            }
        }
    }
    found
}

fn listed(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    files.retain(|path| path.extension().is_some_and(|end| end == "list" || end == "sources"));
    files.sort();
    files
}

/// The words of a line that may be addresses: of `deb ...` in the one format, of `URIs:` in the other.
fn addresses(line: &str) -> impl Iterator<Item = &str> {
    let mut words = line.split_whitespace();
    let first = words.next().unwrap_or_default();
    let relevant = ["deb", "deb-src"].contains(&first) || first.eq_ignore_ascii_case("uris:");
    words.filter(move |_| relevant)
}

fn host(address: &str) -> Option<Entry> {
    let rest = address.strip_prefix("http://").or_else(|| address.strip_prefix("https://"))?;
    let authority = rest.split('/').next()?;
    let host = authority.rsplit('@').next()?.to_ascii_lowercase();
    host.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_formats_are_read_and_what_is_no_web_server_is_not() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("sources.list.d")).unwrap();
        let write = |name: &str, text: &str| fs::write(dir.path().join(name), text).unwrap();
        write(
            "sources.list",
            "# deb http://comment.example x\ndeb [signed-by=/k arch=amd64] HTTP://no.example/ x\n\
             deb http://One.example/debian trixie main\ndeb file:/srv x\ndeb-src https://two.example:8443/x y z\n",
        );
        write(
            "sources.list.d/a.sources",
            "Types: deb\nURIs: http://user:pw@three.example/debian http://one.example/\nSuites: x\n",
        );
        write("sources.list.d/b.bak", "deb http://backup.example/ x\n");
        let shown: Vec<String> = entries(dir.path()).iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["one.example", "two.example:8443", "three.example"]);
        assert!(entries(Path::new("/nonexistent")).is_empty());
    }
}
