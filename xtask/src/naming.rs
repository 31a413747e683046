//! The name of a sandbox: derived from its workspace's folder, given once, kept.

use camino::Utf8Path;

use crate::digest::sha256;
use crate::failure::{Exit, Failure};
use crate::state::State;

/// What every name begins with.
pub(crate) const PREFIX: &str = "ao-sandbox-";
/// The longest hostname label (RFC 1035).
const LONGEST: usize = 63;

/// The name of a workspace's sandbox: the one asked for, else the one it was given before, else a new one. `taken` says
/// whether a container of another workspace holds a name.
pub(crate) fn name_for(
    state: &State,
    workspace: &Utf8Path,
    wanted: Option<&str>,
    taken: impl Fn(&str) -> bool,
) -> anyhow::Result<String> {
    let others: Vec<String> = state
        .all()
        .into_iter()
        .filter(|known| known.workspace != workspace.as_str() && Utf8Path::new(&known.workspace).exists())
        .filter_map(|known| known.name)
        .collect();
    let free = |name: &str| !taken(name) && !others.iter().any(|other| other == name);
    if let Some(wanted) = wanted {
        let name = checked(wanted)?;
        if !free(&name) {
            return Err(Failure::new(Exit::Usage, format!("another workspace holds the name `{name}`"))
                .hint("`cargo xtask sandbox-ls` lists them; choose another `--name`")
                .into());
        }
        return Ok(name);
    }
    if let Some(name) = state.load(workspace).name {
        return Ok(name);
    }
    let plain = format!("{PREFIX}{}", slug(workspace, LONGEST - PREFIX.len()));
    Ok(if free(&plain) { plain } else { with_digest(workspace) })
}

/// A name that a person chose, with our prefix added where it is missing.
fn checked(wanted: &str) -> anyhow::Result<String> {
    let rest = wanted.strip_prefix(PREFIX).unwrap_or(wanted);
    let allowed = rest.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    let edges = rest.starts_with('-') || rest.ends_with('-');
    if rest.is_empty() || !allowed || edges || PREFIX.len() + rest.len() > LONGEST {
        let reason =
            "a name has a-z, 0-9 and inner `-` only, at most 63 characters with the prefix `ao-sandbox-`";
        return Err(
            Failure::new(Exit::Usage, format!("`{wanted}` cannot be a sandbox's name: {reason}")).into()
        );
    }
    Ok(format!("{PREFIX}{rest}"))
}

/// The name with 6 hex digits of the path's SHA-256, where another workspace holds the plain one.
pub(crate) fn with_digest(workspace: &Utf8Path) -> String {
    let digest = &sha256(workspace.as_str())[..6];
    format!("{PREFIX}{}-{digest}", slug(workspace, LONGEST - PREFIX.len() - 7))
}

/// The folder's name in `[a-z0-9-]`; a name without one such character becomes `workspace`.
fn slug(workspace: &Utf8Path, longest: usize) -> String {
    let name = workspace.file_name().unwrap_or_default().to_lowercase();
    let mut slug = String::new();
    for c in name.chars() {
        if c.is_ascii_alphanumeric() {
            slug.push(c);
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    slug.truncate(longest);
    let slug = slug.trim_end_matches('-');
    if slug.is_empty() { "workspace".to_owned() } else { slug.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state() -> (tempfile::TempDir, State) {
        let dir = tempfile::tempdir().unwrap();
        let state = State::at(Utf8Path::from_path(dir.path()).unwrap());
        (dir, state)
    }

    #[test]
    fn odd_folder_names_become_hostnames() {
        for (folder, name) in [
            ("/w/My App_2", "my-app-2"),
            ("/w/приложение", "workspace"),
            ("/w/--x--", "x"),
            ("/w/Größe app", "gr-e-app"),
        ] {
            assert_eq!(slug(Utf8Path::new(folder), 52), name, "{folder}");
        }
        let long = format!("/w/{}", "a".repeat(200));
        let (_dir, state) = state();
        assert_eq!(name_for(&state, Utf8Path::new(&long), None, |_| false).unwrap().len(), 63);
        assert_eq!(name_for(&state, Utf8Path::new(&long), None, |_| true).unwrap().len(), 63);
    }

    #[test]
    fn a_second_workspace_of_that_name_gets_digits_and_a_name_once_given_stays() {
        let (dir, state) = state();
        let first = Utf8Path::from_path(dir.path()).unwrap().join("a/app");
        let second = Utf8Path::from_path(dir.path()).unwrap().join("b/app");
        std::fs::create_dir_all(&first).unwrap();
        state.update(&first, |known| known.name = Some("ao-sandbox-app".into())).unwrap();
        let name = name_for(&state, &second, None, |_| false).unwrap();
        assert!(name.starts_with("ao-sandbox-app-") && name.len() == "ao-sandbox-app-".len() + 6, "{name}");
        assert_eq!(name_for(&state, &first, None, |_| true).unwrap(), "ao-sandbox-app");
    }

    #[test]
    fn a_bad_or_taken_wish_is_refused() {
        let (_dir, state) = state();
        let path = Utf8Path::new("/w/app");
        for bad in ["", "A", "-a", "a_b", "ао", &"a".repeat(60)] {
            assert!(name_for(&state, path, Some(bad), |_| false).is_err(), "{bad}");
        }
        assert!(name_for(&state, path, Some("x"), |_| true).is_err());
        assert_eq!(name_for(&state, path, Some("x"), |_| false).unwrap(), "ao-sandbox-x");
    }
}
