//! The workspace: which folder it is, who owns it, and which parts of its git data the sandbox may not write.

use std::fs;

use anyhow::Context as _;
use camino::{Utf8Path, Utf8PathBuf};

use crate::context::{Context, home};
use crate::failure::{Exit, Failure};

/// Folders that would lay the host open, or hide the sandbox's own files, if they were mounted.
const REFUSED: [&str; 19] = [
    "/", "/bin", "/boot", "/dev", "/etc", "/home", "/lib", "/opt", "/proc", "/root", "/run", "/sys", "/usr",
    "/var", "/mnt", "/media", "/srv", "/tmp", "/Users",
];

/// A folder that an agent works on.
#[derive(Clone, Debug)]
pub(crate) struct Workspace {
    /// The canonical absolute path, the same on both sides.
    pub(crate) path: Utf8PathBuf,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}

/// A folder or file of the host that stands at the same path in the sandbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OwnPlace {
    pub(crate) path: Utf8PathBuf,
    pub(crate) read_only: bool,
}

impl Workspace {
    /// The workspace that the person means; without a path, the current folder.
    pub(crate) fn locate(cx: &Context, path: Option<&Utf8Path>) -> anyhow::Result<Self> {
        let asked = cx.cwd.join(path.unwrap_or(Utf8Path::new(".")));
        let shown = path.unwrap_or(&cx.cwd);
        let real = fs::canonicalize(&asked)
            .map_err(|error| Failure::new(Exit::Usage, format!("no workspace at `{shown}`: {error}")))?;
        let path = Utf8PathBuf::try_from(real).map_err(|error| {
            Failure::new(Exit::Usage, format!("the workspace's path is not UTF-8: {error}"))
        })?;
        let path = without_verbatim_prefix(path);
        refuse_unsuitable(&path)?;
        let (uid, gid) = owner(&path)?;
        Ok(Workspace { path, uid, gid })
    }

    /// The mounts of the workspace and of its git data, outermost first.
    ///
    /// `.git/hooks` and `.git/config` are read-only, because git on the host would run what they name. `.git` is mounted
    /// over itself: a folder that is a mount point cannot be renamed away to make place for another with hooks of its own.
    pub(crate) fn mounts(&self, protect_git: bool) -> anyhow::Result<Vec<OwnPlace>> {
        let mut mounts = vec![OwnPlace { path: self.path.clone(), read_only: false }];
        let dot_git = self.path.join(".git");
        refuse_link(&dot_git)?;
        if dot_git.is_dir() {
            mounts.extend(git_folder(&dot_git, protect_git)?);
        } else if dot_git.is_file() {
            let common = common_folder_of_worktree(&dot_git).filter(|common| !common.starts_with(&self.path));
            mounts.push(OwnPlace { path: dot_git, read_only: protect_git });
            if let Some(common) = common {
                mounts.extend(git_folder(&common, protect_git)?);
            }
        }
        Ok(mounts)
    }
}

fn git_folder(folder: &Utf8Path, protect: bool) -> anyhow::Result<Vec<OwnPlace>> {
    let mut mounts = vec![OwnPlace { path: folder.to_owned(), read_only: false }];
    if !protect {
        return Ok(mounts);
    }
    let hooks = folder.join("hooks");
    if !hooks.exists() {
        // An absent folder could be made by the agent; an empty one that it cannot write changes nothing for git.
        fs::create_dir(&hooks).with_context(|| format!("failed to create `{hooks}`"))?;
    }
    let guarded = [hooks, folder.join("config"), folder.join("config.worktree")];
    guarded.iter().try_for_each(|path| refuse_link(path))?;
    let there = guarded.into_iter().filter(|path| path.exists());
    mounts.extend(there.map(|path| OwnPlace { path, read_only: true }));
    Ok(mounts)
}

/// What a symbolic link leads to would be mounted in its place, and an agent can make one that leads anywhere on the host.
fn refuse_link(path: &Utf8Path) -> anyhow::Result<()> {
    if !path.is_symlink() {
        return Ok(());
    }
    Err(Failure::new(
        Exit::Usage,
        format!("`{path}` is a symbolic link, and what it leads to would be mounted"),
    )
    .hint("find out who made it; remove it, or put the real file or folder in its place")
    .into())
}

/// The common git folder of a linked worktree. An agent can write the `.git` file of a workspace that was mounted unprotected,
/// so the way back is checked too: `<common>/worktrees/<name>/gitdir` must name this very file, as git itself wrote it.
fn common_folder_of_worktree(dot_git: &Utf8Path) -> Option<Utf8PathBuf> {
    let text = fs::read_to_string(dot_git).ok()?;
    let git_dir = dot_git.parent()?.join(text.strip_prefix("gitdir:")?.trim()).canonicalize_utf8().ok()?;
    let back = fs::read_to_string(git_dir.join("gitdir")).ok()?;
    let back = git_dir.join(back.trim()).canonicalize_utf8().ok()?;
    let worktrees = git_dir.parent()?;
    let odd = git_dir.as_str().chars().any(char::is_control);
    if odd || back != dot_git.canonicalize_utf8().ok()? || worktrees.file_name() != Some("worktrees") {
        return None;
    }
    let common = worktrees.parent()?.to_owned();
    common.join("HEAD").is_file().then_some(common)
}

fn refuse_unsuitable(path: &Utf8Path) -> anyhow::Result<()> {
    let refuse =
        |why: &str| Err(Failure::new(Exit::Usage, format!("`{path}` cannot be a workspace: {why}")).into());
    if !path.is_dir() {
        return refuse("it is not a folder");
    }
    if is_shared(path) {
        return refuse("everybody may write there; name a project's folder");
    }
    if path.as_str().chars().any(char::is_control) {
        return refuse("its path has control characters");
    }
    if REFUSED.contains(&path.as_str()) || home().as_deref() == Some(path) {
        return refuse("mounting it would lay the host open; name a project's folder");
    }
    Ok(())
}

/// The sticky bit marks folders such as `/tmp`, in which everybody keeps files.
#[cfg(unix)]
fn is_shared(path: &Utf8Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o1000 != 0)
}

#[cfg(not(unix))]
fn is_shared(_path: &Utf8Path) -> bool {
    false
}

#[cfg(unix)]
fn owner(path: &Utf8Path) -> anyhow::Result<(u32, u32)> {
    use std::os::unix::fs::MetadataExt as _;
    let metadata = fs::metadata(path).with_context(|| format!("failed to read `{path}`"))?;
    Ok((metadata.uid(), metadata.gid()))
}

/// Docker Desktop presents mounted files as owned by whoever asks.
#[cfg(not(unix))]
fn owner(_path: &Utf8Path) -> anyhow::Result<(u32, u32)> {
    Ok((1000, 1000))
}

/// Windows gives canonical paths as `\\?\C:\…`, which Docker does not take.
fn without_verbatim_prefix(path: Utf8PathBuf) -> Utf8PathBuf {
    path.as_str().strip_prefix(r"\\?\").map_or(path.clone(), Utf8PathBuf::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(dir: &tempfile::TempDir) -> Utf8PathBuf {
        Utf8Path::from_path(dir.path()).unwrap().canonicalize_utf8().unwrap()
    }

    fn workspace(path: Utf8PathBuf) -> Workspace {
        Workspace { path, uid: 1000, gid: 1000 }
    }

    #[test]
    fn hooks_and_config_are_read_only_and_missing_hooks_are_made() {
        let dir = tempfile::tempdir().unwrap();
        let git = at(&dir).join(".git");
        fs::create_dir(&git).unwrap();
        fs::write(git.join("config"), "").unwrap();
        let mounts = workspace(at(&dir)).mounts(true).unwrap();
        let shown: Vec<_> =
            mounts.iter().map(|m| (m.path.strip_prefix(at(&dir)).unwrap().as_str(), m.read_only)).collect();
        assert_eq!(shown, [("", false), (".git", false), (".git/hooks", true), (".git/config", true)]);
        assert_eq!(workspace(at(&dir)).mounts(false).unwrap().len(), 2);
    }

    #[test]
    fn a_git_file_that_points_elsewhere_brings_no_mount() {
        let dir = tempfile::tempdir().unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        fs::write(elsewhere.path().join("HEAD"), "ref: refs/heads/main").unwrap();
        fs::write(at(&dir).join(".git"), format!("gitdir: {}\n", at(&elsewhere))).unwrap();
        let mounts = workspace(at(&dir)).mounts(true).unwrap();
        assert_eq!(mounts.len(), 2, "the workspace, and the file itself, read-only: {mounts:?}");
        assert!(mounts[1].read_only);
    }

    #[test]
    fn a_symbolic_link_in_a_guarded_place_is_refused() {
        for name in [".git", ".git/config.worktree", ".git/hooks", ".git/config"] {
            let dir = tempfile::tempdir().unwrap();
            if name != ".git" {
                fs::create_dir(at(&dir).join(".git")).unwrap();
            }
            std::os::unix::fs::symlink("/etc", at(&dir).join(name)).unwrap();
            assert!(workspace(at(&dir)).mounts(true).is_err(), "{name}");
        }
    }

    #[test]
    fn a_common_folder_inside_the_workspace_is_no_worktrees() {
        let dir = tempfile::tempdir().unwrap();
        let own = at(&dir).join("fake/worktrees/w");
        fs::create_dir_all(&own).unwrap();
        fs::write(at(&dir).join("fake/HEAD"), "ref: refs/heads/main").unwrap();
        fs::write(at(&dir).join(".git"), format!("gitdir: {own}\n")).unwrap();
        fs::write(own.join("gitdir"), format!("{}\n", at(&dir).join(".git"))).unwrap();
        assert_eq!(workspace(at(&dir)).mounts(true).unwrap().len(), 2);
    }

    #[test]
    fn a_worktree_brings_the_common_folder() {
        let dir = tempfile::tempdir().unwrap();
        let (tree, common) = (at(&dir).join("tree"), at(&dir).join("main/.git"));
        let own = common.join("worktrees/tree");
        for folder in [&tree, &own, &common.join("hooks")] {
            fs::create_dir_all(folder).unwrap();
        }
        fs::write(tree.join(".git"), format!("gitdir: {own}\n")).unwrap();
        fs::write(own.join("gitdir"), format!("{}\n", tree.join(".git"))).unwrap();
        fs::write(common.join("HEAD"), "ref: refs/heads/main").unwrap();
        let mounts = workspace(tree).mounts(true).unwrap();
        assert!(mounts.contains(&OwnPlace { path: common.join("hooks"), read_only: true }), "{mounts:?}");
        assert!(mounts.contains(&OwnPlace { path: common, read_only: false }), "{mounts:?}");
    }
}
