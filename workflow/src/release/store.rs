//! Where things are: the paths of our state under a root folder, the lock, and the claim of what was pushed.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result, anyhow, bail, ensure};

use super::files;
use super::manifest::{Manifest, is_digest};
use crate::error::WithHint;

/// A push that was not installed for so long was given up.
const ABANDONED: Duration = Duration::from_secs(600);
/// A manifest of 4 MiB has some 20,000 files.
const MANIFEST_LIMIT: u64 = 4 << 20;

/// The file system of a sandbox, or a folder that stands for one.
#[derive(Debug)]
pub(crate) struct Store {
    root: PathBuf,
    state: PathBuf,
    /// The uid and gid that installed files get: 0 where we are root, else our own.
    pub(crate) owner: Option<u32>,
}

/// The lock on the store; it ends with this value, and with the process.
#[derive(Debug)]
pub(crate) struct Lock(#[expect(dead_code, reason = "the open file is the lock")] File);

impl Store {
    /// The store under `root`. Under `/` only root may use it.
    pub(crate) fn open(root: &Path) -> Result<Self> {
        let is_root = rustix::process::geteuid().is_root();
        let root = fs::canonicalize(root).with_context(|| format!("failed to find `{}`", root.display()))?;
        if root == Path::new("/") && !is_root {
            return Err(anyhow!("releases belong to root")).hint("run it with `docker exec --user root`");
        }
        let state = root.join("var/lib/ao-sandbox");
        Ok(Self { root, state, owner: is_root.then_some(0) })
    }

    /// Whether this is the running system itself and no folder that stands for it.
    pub(crate) fn is_system(&self) -> bool {
        self.root == Path::new("/")
    }

    /// The root folder.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Where the file of `path`, absolute within the sandbox, is.
    pub(crate) fn place(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }

    /// A path among our state.
    pub(crate) fn state(&self, name: &str) -> PathBuf {
        self.state.join(name)
    }

    /// The file of `path` within `folder`, which holds files of a release.
    pub(crate) fn within(folder: &Path, path: &str) -> PathBuf {
        folder.join("files").join(path.trim_start_matches('/'))
    }

    /// The release before, as installed files replaced it.
    pub(crate) fn previous(&self) -> PathBuf {
        self.state("previous")
    }

    /// The future [`Store::previous`] while an install is under way.
    pub(crate) fn previous_new(&self) -> PathBuf {
        self.state("previous-new")
    }

    /// The manifest of the installed release.
    pub(crate) fn manifest_path(&self) -> PathBuf {
        self.state("manifest.json")
    }

    /// Whether the sandbox has started: home and firewall stand.
    pub(crate) fn is_ready(&self) -> bool {
        self.root.join("run/ao-sandbox/ready").exists()
    }

    /// The manifest in `folder`; none where there is no such file.
    pub(crate) fn manifest_in(&self, folder: &Path) -> Result<Option<Manifest>> {
        let path = folder.join("manifest.json");
        if fs::symlink_metadata(&path).is_err_and(|error| error.kind() == ErrorKind::NotFound) {
            return Ok(None);
        }
        files::read_plain(&path, MANIFEST_LIMIT)
            .and_then(|json| Manifest::parse(&json))
            .map(Some)
            .with_context(|| format!("`{}` is refused", path.display()))
    }

    /// The manifest of the installed release; none in a container that never had one.
    pub(crate) fn installed(&self) -> Result<Option<Manifest>> {
        self.manifest_in(&self.state)
    }

    /// Takes the lock, waiting at most `limit`.
    pub(crate) fn lock(&self, limit: Duration) -> Result<Lock> {
        self.own_state().context("failed to create the state folder")?;
        let path = self.state("lock");
        let options = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path);
        let file = options.with_context(|| format!("failed to open `{}`", path.display()))?;
        let ends = Instant::now() + limit;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Lock(file)),
                Err(TryLockError::Error(error)) => return Err(error).context("failed to take the lock"),
                Err(TryLockError::WouldBlock) if Instant::now() >= ends => {
                    let error = anyhow!("another update is running, for more than {} s", limit.as_secs());
                    return Err(error).hint("try again when it is done");
                }
                Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(10)),
            }
        }
    }

    /// `docker cp` creates the folder for everyone to read where it is missing; it is root's alone.
    fn own_state(&self) -> std::io::Result<()> {
        files::create_folders(&self.state)?;
        let mode = fs::metadata(&self.state)?.mode() & 0o7777;
        if mode == 0o700 {
            Ok(())
        } else {
            fs::set_permissions(&self.state, fs::Permissions::from_mode(0o700))
        }
    }

    /// Whether someone holds the lock now.
    pub(crate) fn is_locked(&self) -> bool {
        let file = File::open(self.state("lock"));
        file.is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
    }

    /// Takes what was pushed for `release` out of the reach of further pushes; under the lock. Returns the
    /// folder; none when nothing was pushed.
    pub(crate) fn claim(&self, release: &str) -> Result<Option<PathBuf>> {
        ensure!(is_digest(release), "`{release}` is not a release: 64 hexadecimal digits in lower case");
        let (incoming, work) = (self.state("incoming").join(release), self.state("work").join(release));
        match fs::symlink_metadata(&incoming) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).context("failed to look for what was pushed"),
            Ok(meta) if !meta.is_dir() => bail!("`{}` is not a folder", incoming.display()),
            Ok(_) => {}
        }
        files::create_folders(&self.state("work"))?;
        files::move_folder(&incoming, &work).context("failed to claim what was pushed")?;
        Ok(Some(work))
    }

    /// Removes what broken-off installs and given-up pushes left; under the lock.
    pub(crate) fn sweep(&self) -> Result<()> {
        files::remove_folder(&self.state("work")).context("failed to remove the work folder")?;
        for name in ["manifest.json", "journal.json"] {
            files::remove(&files::temporary(&self.state(name)))?;
        }
        let Ok(pushes) = fs::read_dir(self.state("incoming")) else { return Ok(()) };
        for push in pushes.flatten().filter(|push| is_abandoned(&push.path())) {
            files::remove_folder(&push.path()).context("failed to remove an old push")?;
        }
        Ok(())
    }
}

/// Another client may be pushing right now, without the lock; only what is old is nobody's any more.
fn is_abandoned(push: &Path) -> bool {
    let modified = push.metadata().and_then(|meta| meta.modified());
    modified.is_ok_and(|time| SystemTime::now().duration_since(time).is_ok_and(|age| age > ABANDONED))
}
