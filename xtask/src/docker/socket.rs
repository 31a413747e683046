//! Where the engine's socket is, when neither the environment, nor a context, nor the usual place tells.

use camino::{Utf8Path, Utf8PathBuf};

use crate::context::home;

/// The usual place.
const DEFAULT: &str = "/var/run/docker.sock";

/// A `DOCKER_HOST` to use, or none where the command line finds its way by itself.
pub(crate) fn find() -> Option<String> {
    let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    if set("DOCKER_HOST") || set("DOCKER_CONTEXT") || Utf8Path::new(DEFAULT).exists() || has_context() {
        return None;
    }
    candidates().into_iter().find(|path| path.exists()).map(|path| format!("unix://{path}"))
}

/// Sockets of OrbStack, Colima, Docker Desktop, Rancher Desktop, rootless Docker and rootless podman.
pub(crate) fn candidates() -> Vec<Utf8PathBuf> {
    let in_home = [
        ".orbstack/run/docker.sock",
        ".colima/default/docker.sock",
        ".colima/docker.sock",
        ".docker/run/docker.sock",
        ".docker/desktop/docker.sock",
        ".rd/docker.sock",
    ];
    let mut all: Vec<Utf8PathBuf> =
        home().map(|home| in_home.iter().map(|path| home.join(path)).collect()).unwrap_or_default();
    if let Ok(runtime) = std::env::var("XDG_RUNTIME_DIR") {
        all.push(Utf8Path::new(&runtime).join("docker.sock"));
        all.push(Utf8Path::new(&runtime).join("podman/podman.sock"));
    }
    all
}

/// The person has chosen a context (`docker context use`).
fn has_context() -> bool {
    let folder = std::env::var("DOCKER_CONFIG").map(Utf8PathBuf::from).ok();
    let Some(folder) = folder.or_else(|| home().map(|home| home.join(".docker"))) else { return false };
    let text = std::fs::read_to_string(folder.join("config.json")).unwrap_or_default();
    let config: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
    config["currentContext"].as_str().is_some_and(|context| !context.is_empty() && context != "default")
}
