//! A real engine: sandboxes for end-to-end tests, with names, image and volumes of their own, removed by id.

#![expect(clippy::print_stderr, reason = "what a test leaves behind is named")]

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use serde_json::Value;

use crate::process::{Finished, command, run, run_with};
use crate::xtask::{Person, repository};

/// The image that the tests build, beside the one that a person uses.
pub const IMAGE: &str = "ao-sandbox-e2e:latest";
/// Volumes of the tests begin so.
pub const VOLUMES: &str = "ao-sandbox-e2e-";

/// `docker …`, run to its end.
#[track_caller]
pub fn docker(args: &[&str]) -> Finished {
    run(command("docker").args(args))
}

/// Fails where no engine answers, and says how to get one: an end-to-end test never passes silently.
pub fn needed() {
    static ANSWERS: OnceLock<bool> = OnceLock::new();
    let answers = ANSWERS.get_or_init(|| docker(&["version", "--format", "{{.Server.Version}}"]).code == 0);
    assert!(*answers, "no engine answers; `cargo xtask onboard` installs and starts one");
}

/// A person with a real engine and a workspace, whose sandbox goes away at the end.
pub struct Sandbox {
    pub person: Person,
    pub workspace: PathBuf,
    image: String,
}

impl Sandbox {
    /// A person and a workspace of this name; no container yet.
    #[must_use]
    pub fn planned(name: &str) -> Self {
        Sandbox::planned_for(Person::new(), name)
    }

    /// The same for a person who may change assets.
    #[must_use]
    pub fn planned_with_own_assets(name: &str) -> Self {
        Sandbox::planned_for(Person::with_own_assets(), name)
    }

    fn planned_for(mut person: Person, name: &str) -> Self {
        needed();
        let own = person.folder.path().file_name().expect("a name").to_string_lossy().to_lowercase();
        let has_own_assets = person.assets.starts_with(person.folder.path());
        let image = if has_own_assets {
            format!("ao-sandbox-e2e:{}", own.trim_start_matches('.'))
        } else {
            IMAGE.to_owned()
        };
        person.set("AO_SANDBOX_IMAGE", image.as_str());
        person.set("AO_SANDBOX_VOLUME_PREFIX", VOLUMES);
        let workspace = person.workspace(name);
        Sandbox { person, workspace, image }
    }

    /// A running sandbox.
    #[track_caller]
    #[must_use]
    pub fn up(name: &str) -> Self {
        let sandbox = Sandbox::planned(name);
        sandbox.xtask(&["sandbox-up"]).ok();
        sandbox
    }

    /// `cargo xtask …` in the workspace.
    #[track_caller]
    pub fn xtask(&self, args: &[&str]) -> Finished {
        self.person.xtask(&self.workspace, args)
    }

    /// A shell command in the sandbox, as `agent`.
    #[track_caller]
    pub fn sh(&self, script: &str) -> Finished {
        self.xtask(&["sandbox-exec", "-w", self.workspace.to_str().expect("UTF-8"), "sh", "-c", script])
    }

    /// A shell command in the sandbox, as root.
    #[track_caller]
    pub fn root(&self, script: &str) -> Finished {
        self.xtask(&[
            "sandbox-exec",
            "--root",
            "-w",
            self.workspace.to_str().expect("UTF-8"),
            "sh",
            "-c",
            script,
        ])
    }

    /// What the engine says of the container.
    #[track_caller]
    pub fn inspect(&self) -> Value {
        let filter = format!("label=ao.workspace={}", self.workspace.display());
        let id = docker(&["ps", "--all", "--quiet", "--filter", &filter]).ok();
        let mut all = docker(&["container", "inspect", id.stdout.trim()]).ok().json();
        all[0].take()
    }

    /// The container's id.
    #[track_caller]
    pub fn id(&self) -> String {
        self.inspect()["Id"].as_str().expect("an id").to_owned()
    }

    /// The file of an asset that this person may change.
    pub fn asset(&self, path: &str) -> PathBuf {
        self.person.assets.join("rootfs").join(path)
    }

    /// Adds to the end of an asset.
    pub fn append(&self, asset: &str, text: &str) {
        let path = self.asset(asset);
        let old = std::fs::read_to_string(&path).expect("an asset");
        std::fs::write(&path, format!("{old}{text}")).expect("an asset");
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        let filter = format!("label=ao.workspace={}", self.workspace.display());
        let ids = docker(&["ps", "--all", "--quiet", "--filter", &filter]).stdout;
        for id in ids.split_whitespace() {
            // Leaving a test must not panic a second time; what stays is named.
            if docker(&["rm", "--force", id]).code != 0 {
                eprintln!("container {id} stays behind");
            }
        }
        if self.image != IMAGE && docker(&["image", "rm", "--no-prune", &self.image]).code != 0 {
            eprintln!("image {} stays behind", self.image);
        }
    }
}

/// The mock of the Messages API, which ends with this value.
pub struct Mock {
    child: std::process::Child,
    pub port: u16,
}

impl Mock {
    /// Starts it with these arguments on a free port of all of this machine's addresses.
    #[track_caller]
    #[must_use]
    pub fn start(args: &[&str]) -> Self {
        use std::io::BufRead as _;
        let script = repository().join("tests/mock/messages_api.py");
        let mut command = command("python3");
        command
            .arg(script)
            .args(["--host", "0.0.0.0", "--port", "0"])
            .args(args)
            .stderr(std::process::Stdio::null());
        let mut child = command.spawn().expect("python3 starts");
        let mut line = String::new();
        let pipe = child.stdout.take().expect("a pipe");
        std::io::BufReader::new(pipe).read_line(&mut line).expect("a line");
        let port = line
            .split_whitespace()
            .last()
            .and_then(|word| word.rsplit(':').next()?.trim_matches('/').parse().ok());
        Mock { child, port: port.unwrap_or_else(|| panic!("no port in `{line}`")) }
    }
}

impl Drop for Mock {
    fn drop(&mut self) {
        if let Err(error) = self.child.kill().and_then(|()| self.child.wait().map(drop)) {
            eprintln!("the mock stays behind: {error}");
        }
    }
}

/// Waits until something is so, at most this long.
#[track_caller]
pub fn eventually(what: &str, limit: Duration, mut so: impl FnMut() -> bool) {
    let started = std::time::Instant::now();
    while !so() {
        assert!(started.elapsed() < limit, "{what}: not within {limit:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A git command in a folder of the host.
#[track_caller]
pub fn git(folder: &Path, args: &[&str]) -> Finished {
    let mut all = vec!["-c", "user.name=t", "-c", "user.email=t@t"];
    all.extend(args);
    run_with(command("git").args(all).current_dir(folder), None, Duration::from_secs(60))
}
