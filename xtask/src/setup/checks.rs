//! Everything that is looked at, in the order in which it matters.

use std::net::{TcpStream, ToSocketAddrs as _};
use std::time::Duration;

use super::engine::{self, Info};
use super::{Check, Level, Mend, apt, rust, tools};
use crate::base;
use crate::ca;
use crate::config::Config;
use crate::config::keys::Settings;
use crate::context::Context;
use crate::image;
use crate::run::{Cmd, on_path};
use crate::sandbox;
use crate::sizes;
use crate::stage::WORKFLOW;
use crate::target::Target;
use crate::workspace::Workspace;

/// Image, layers while building, and a sandbox's own writes.
const ROOM: u64 = 5_000_000_000;
/// Where the default base comes from.
const IMAGE_REGISTRY: &str = "registry-1.docker.io:443";

/// What must be right before anything can be built or started.
pub(super) fn ground(cx: &Context, settings: &Settings) -> Vec<Check> {
    let info = Info::ask(cx);
    let mut checks = rust::checks();
    checks.push(tools::git());
    checks.push(engine::check(cx, info.as_ref()));
    checks.extend(info.as_ref().and_then(engine::clock));
    checks.extend(disk(info.as_ref()));
    checks.push(base_image(cx, settings, info.is_some()));
    checks.push(authority());
    checks
}

/// What stands on it: image, sandboxes, the sandbox of this workspace.
pub(super) fn standing(cx: &Context, workspace: &Workspace, settings: &Settings) -> Vec<Check> {
    let mut checks = vec![image_check(cx, settings)];
    checks.push(match cx.docker().list() {
        Ok(all) => {
            let running = all.iter().filter(|entry| entry.state == "running").count();
            Check::ok("sandboxes", format!("{} on this engine, {running} running", all.len()))
        }
        Err(error) => Check::fail("sandboxes", error.to_string()),
    });
    checks.extend(inside(cx, workspace));
    checks
}

fn disk(info: Option<&Info>) -> Option<Check> {
    let root =
        info.map(|info| info.docker_root_dir.as_str()).filter(|root| std::path::Path::new(root).is_dir());
    let text = Cmd::new("df").args(["-Pk", root.unwrap_or("/")]).stdout().ok()?;
    let free: u64 = text.lines().nth(1)?.split_whitespace().nth(3)?.parse::<u64>().ok()? * 1024;
    Some(if free >= ROOM {
        Check::ok("disk", format!("{} free", sizes::shown(free)))
    } else {
        Check::warn(
            "disk",
            format!("{} free, and an image needs up to {}", sizes::shown(free), sizes::shown(ROOM)),
        )
        .remedy("free some space: `docker system df` shows what the engine holds")
    })
}

fn base_image(cx: &Context, settings: &Settings, engine: bool) -> Check {
    let present = |name: &str| engine && cx.docker().image(name).is_ok_and(|image| image.is_some());
    if present(&settings.base) {
        return Check::ok("base", format!("`{}` is here", settings.base));
    }
    if present(base::IMPORTED) {
        return Check::ok("base", format!("`{}`, built from Debian packages", base::IMPORTED));
    }
    if reachable(IMAGE_REGISTRY) {
        return Check::ok("base", format!("`{}` comes from the image registry", settings.base));
    }
    if on_path("mmdebstrap") {
        return Check::ok("base", "no image registry answers; it will be built from Debian packages");
    }
    let check = Check::fail(
        "base",
        "no image registry answers, and `mmdebstrap` is not there to build a base from packages",
    );
    if apt::usable() {
        check.remedy(apt::remedy(&["mmdebstrap"])).mend(Mend::Packages(vec!["mmdebstrap".into()]))
    } else {
        check.remedy("bring an image of Debian trixie: `docker load`, then set `base`")
    }
}

fn reachable(address: &str) -> bool {
    let Ok(addresses) = address.to_socket_addrs() else { return false };
    addresses.take(2).any(|address| TcpStream::connect_timeout(&address, Duration::from_secs(2)).is_ok())
}

fn authority() -> Check {
    match ca::found() {
        Some(path) => Check::ok("CA", format!("image and sandbox will trust this machine's bundle `{path}`")),
        None => Check::ok("CA", "nothing says that this network needs an authority of its own"),
    }
}

fn image_check(cx: &Context, settings: &Settings) -> Check {
    let name = &settings.image;
    let build = "cargo xtask image";
    match (cx.docker().image(name), image::inputs_digest(cx, settings, Target::host())) {
        (Ok(None), _) => Check::warn("image", format!("`{name}` is not built")).remedy(build),
        (Ok(Some(image)), Ok(today)) if image.label("ao.image") == Some(&today) => Check::ok(
            "image",
            format!("`{name}` is fresh ({}, {})", image.architecture, sizes::shown(image.size)),
        ),
        (Ok(Some(_)), Ok(_)) => {
            Check::warn("image", format!("`{name}` was built from other files than today's")).remedy(build)
        }
        (Err(error), _) | (_, Err(error)) => Check::fail("image", error.to_string()),
    }
}

/// What the sandbox of this workspace says of itself: logins, network policy, tools.
fn inside(cx: &Context, workspace: &Workspace) -> Vec<Check> {
    let container = match sandbox::find(cx, workspace) {
        Ok(Some(container)) if container.is_running() => container,
        Ok(Some(container)) => {
            let detail = format!("`{}` is not running (state: {})", container.name(), container.state.status);
            return vec![Check::warn("sandbox", detail).remedy("cargo xtask sandbox-up")];
        }
        Ok(None) => {
            return vec![Check::warn("sandbox", "none for this workspace").remedy("cargo xtask sandbox-up")];
        }
        Err(error) => return vec![Check::fail("sandbox", error.to_string())],
    };
    let docker = cx.docker();
    let args = [
        "exec",
        "--user",
        "agent",
        "--workdir",
        workspace.path.as_str(),
        &container.id,
        WORKFLOW,
        "doctor",
        "--json",
    ];
    let answer = docker.answer(docker.cmd(args).limit(Duration::from_secs(60)));
    let mut checks = vec![Check::ok("sandbox", format!("`{}` is running", container.name()))];
    match answer.and_then(|output| crate::release::parse::<serde_json::Value>(&output.text())) {
        Ok(value) => checks.extend(value["checks"].as_array().into_iter().flatten().map(from_inside)),
        Err(error) => {
            checks.push(Check::fail("inside", format!("{error:#}")).remedy("cargo xtask sandbox-update"))
        }
    }
    checks
}

fn from_inside(value: &serde_json::Value) -> Check {
    let level = match value["status"].as_str() {
        Some("ok") => Level::Ok,
        Some("warn") => Level::Warn,
        _ => Level::Fail,
    };
    let text = |key: &str| value[key].as_str().unwrap_or_default().to_owned();
    let check = Check::new("inside", level, format!("{}: {}", text("name"), text("detail")));
    Check { remedy: value["remedy"].as_str().map(str::to_owned), ..check }
}

/// The configuration where it can be read; a check that fails where it cannot.
pub(super) fn settings(cx: &Context, workspace: &Workspace) -> Result<Settings, Check> {
    Config::load(cx, Some(workspace), toml::Table::new())
        .map_err(|error| Check::fail("config", format!("{error:#}")).remedy("cargo xtask config"))
}
