//! The rows of design §12 that can be measured in a minute, each with its raw command.

use super::measure::{Outcome, pairs, timed};
use super::scene::Scene;
use crate::build::{self, cargo};
use crate::run::Cmd;
use crate::stage::WORKFLOW;
use crate::target::Target;

/// One budget.
pub(super) struct Row {
    pub(super) name: &'static str,
    pub(super) budget: f64,
    pub(super) measure: fn(&Scene, usize) -> anyhow::Result<Outcome>,
}

const fn row(name: &'static str, budget: f64, measure: fn(&Scene, usize) -> anyhow::Result<Outcome>) -> Row {
    Row { name, budget, measure }
}

pub(super) fn all() -> Vec<Row> {
    vec![
        row("push, all three files", 0.65, |scene, count| push(scene, count, &["workflow", "assets"])),
        row("push, one file", 0.6, |scene, count| push(scene, count, &["workflow"])),
        row("push, nothing changed", 0.35, nothing_changed),
        row("exec, ms over docker exec", 10.0, exec),
        row("up to first exec", 1.6, up_to_first_exec),
        row("up, already running", 1.0, up_warm),
        row("stop, ms", 500.0, stop),
        row("down, ms", 500.0, down),
        row("image, nothing changed", 2.0, image),
        row("firewall from scratch, ms", 400.0, firewall_from_scratch),
        row("firewall again, 500 names, ms", 400.0, firewall_again),
        row("xtask itself", 1.3, itself),
        row("workflow released, MB", 4.0, size),
    ]
}

/// Ours: one staged copy and one exec. Raw: an inspect, three copies to the final places, one run of the firewall script.
fn push(scene: &Scene, count: usize, parts: &[&str]) -> anyhow::Result<Outcome> {
    let id = scene.id()?;
    let all = parts.contains(&"assets");
    let fixed = scene.folder()?.join("a");
    let ours = || {
        let release = scene.next_release()?;
        let binary = release.join("workflow");
        let root = if all { &release } else { &fixed };
        scene.xtask_with(root, &["sandbox-update", "--binary", binary.as_str()])
    };
    let raw = || naive(scene, &id);
    Ok(Outcome::of_pairs(&pairs(count, ours, raw)?))
}

fn naive(scene: &Scene, id: &str) -> anyhow::Result<()> {
    let release = scene.folder()?.join("a");
    let (rootfs, to) = (release.join("sandbox-assets/rootfs"), |path: &str| format!("{id}:/tmp/{path}"));
    scene.docker(&["inspect", id])?;
    scene.docker(&["cp", release.join("workflow").as_str(), &to("workflow")])?;
    scene.docker(&["cp", rootfs.join("opt/entrypoint.sh").as_str(), &to("entrypoint.sh")])?;
    scene.docker(&["cp", rootfs.join("opt/init-firewall.sh").as_str(), &to("init-firewall.sh")])?;
    scene.docker(&["exec", "--user", "root", id, "/opt/init-firewall.sh"]).map(drop)
}

fn nothing_changed(scene: &Scene, count: usize) -> anyhow::Result<Outcome> {
    let id = scene.id()?;
    let release = scene.folder()?.join("a");
    let binary = release.join("workflow");
    let ours = || scene.xtask_with(&release, &["sandbox-update", "--binary", binary.as_str()]);
    Ok(Outcome::of_pairs(&pairs(count, ours, || naive(scene, &id))?))
}

fn exec(scene: &Scene, count: usize) -> anyhow::Result<Outcome> {
    let id = scene.id()?;
    let raw = || scene.docker(&["exec", "--interactive", "--user", "agent", &id, "true"]).map(drop);
    Ok(Outcome::of_excess(&pairs(count, || scene.xtask(&["sandbox-exec", ".", "true"]), raw)?))
}

/// Ours: from nothing to the first command. Raw: `docker run` of the same image, asleep, to the first command.
fn up_to_first_exec(scene: &Scene, count: usize) -> anyhow::Result<Outcome> {
    let mut times = vec![];
    for _ in 0..count {
        scene.xtask(&["sandbox-down"])?;
        let ours = timed(|| {
            scene.xtask(&["sandbox-up"]).and_then(|()| scene.xtask(&["sandbox-exec", ".", "true"]))
        })?;
        let image = scene.docker(&["inspect", "--format", "{{.Image}}", &scene.id()?])?;
        let mut id = String::new();
        let raw = timed(|| {
            id = scene.docker(&[
                "run",
                "--detach",
                "--label",
                "ao.bench=true",
                "--entrypoint",
                "sleep",
                &image,
                "600",
            ])?;
            scene.docker(&["exec", &id, "true"]).map(drop)
        })?;
        scene.docker(&["rm", "--force", &id])?;
        times.push((ours, raw));
    }
    Ok(Outcome::of_pairs(&times))
}

fn up_warm(scene: &Scene, count: usize) -> anyhow::Result<Outcome> {
    let id = scene.id()?;
    let raw = || (0..3).try_for_each(|_| scene.docker(&["inspect", &id]).map(drop));
    Ok(Outcome::of_pairs(&pairs(count, || scene.xtask(&["sandbox-up"]), raw)?))
}

fn stop(scene: &Scene, count: usize) -> anyhow::Result<Outcome> {
    let mut times = vec![];
    for _ in 0..count {
        times.push(timed(|| scene.xtask(&["sandbox-stop"]))?.as_secs_f64() * 1e3);
        scene.xtask(&["sandbox-up"])?;
    }
    Ok(Outcome::of_amounts(times))
}

fn down(scene: &Scene, count: usize) -> anyhow::Result<Outcome> {
    let mut times = vec![];
    for _ in 0..count {
        times.push(timed(|| scene.xtask(&["sandbox-down"]))?.as_secs_f64() * 1e3);
        scene.xtask(&["sandbox-up"])?;
    }
    Ok(Outcome::of_amounts(times))
}

/// Raw: a cached build of three lines in a context as large as `workflow`.
fn image(scene: &Scene, count: usize) -> anyhow::Result<Outcome> {
    let context = scene.folder()?.join("context");
    std::fs::create_dir_all(&context)?;
    std::fs::copy(scene.folder()?.join("a/workflow"), context.join("workflow"))?;
    let image = scene.docker(&["inspect", "--format", "{{.Image}}", &scene.id()?])?;
    std::fs::write(context.join("Dockerfile"), format!("FROM {image}\nCOPY workflow /tmp/\nENV A=b\n"))?;
    let raw = || scene.docker(&["build", "--quiet", context.as_str()]).map(drop);
    let outcome = Outcome::of_pairs(&pairs(count, || scene.xtask(&["image"]), raw)?);
    let built = scene.docker(&["build", "--quiet", context.as_str()])?;
    scene.docker(&["image", "rm", &built])?;
    Ok(outcome)
}

/// Takes rules and daemons away inside, as at the start of a container, and times the script there.
const FROM_SCRATCH: &str = "
nft delete table inet ao_sandbox
for service in /run/service/*/; do s6-svc -wD -d \"$service\"; done
start=$(date +%s%N); /opt/init-firewall.sh >&2; end=$(date +%s%N)
echo $(((end - start) / 1000000))";

fn firewall_from_scratch(scene: &Scene, count: usize) -> anyhow::Result<Outcome> {
    let id = scene.id()?;
    let once = || scene.docker(&["exec", "--user", "root", &id, "sh", "-c", FROM_SCRATCH]);
    let times = (0..count).map(|_| Ok(once()?.trim().parse()?)).collect::<anyhow::Result<_>>()?;
    Ok(Outcome::of_amounts(times))
}

fn firewall_again(scene: &Scene, count: usize) -> anyhow::Result<Outcome> {
    let id = scene.id()?;
    let script = "seq -f 'name%g.example.com' 500 >/var/lib/ao-sandbox/allowlist";
    scene.docker(&["exec", "--user", "root", &id, "sh", "-c", script])?;
    let again = || scene.docker(&["exec", "--user", "root", &id, "/opt/init-firewall.sh"]).map(drop);
    again()?;
    let times = (0..count).map(|_| Ok(timed(again)?.as_secs_f64() * 1e3)).collect::<anyhow::Result<_>>()?;
    scene.docker(&["exec", "--user", "root", &id, "rm", "/var/lib/ao-sandbox/allowlist"])?;
    again()?;
    Ok(Outcome::of_amounts(times))
}

/// Raw: the same `xtask` alone in a workspace, so that what is measured is what our workspace adds.
fn itself(scene: &Scene, count: usize) -> anyhow::Result<Outcome> {
    let alone = scene.folder()?.join("alone");
    std::fs::create_dir_all(&alone)?;
    let root = &scene.cx.root;
    for part in ["xtask", ".cargo", "Cargo.lock"] {
        Cmd::new("cp").args(["-a", root.join(part).as_str(), alone.as_str()]).run()?;
    }
    let manifest = std::fs::read_to_string(root.join("Cargo.toml"))?;
    let others = |line: &&str| !line.starts_with("default-members");
    let manifest = manifest.replace(r#"members = ["xtask", "workflow", "tests"]"#, r#"members = ["xtask"]"#);
    std::fs::write(alone.join("Cargo.toml"), manifest.lines().filter(others).collect::<Vec<_>>().join("\n"))?;
    let help = |folder: &camino::Utf8Path| {
        cargo().args(["xtask", "--help"]).env_remove("CARGO_TARGET_DIR").dir(folder).run()
    };
    Ok(Outcome::of_pairs(&pairs(count, || help(root), || help(&alone))?))
}

fn size(scene: &Scene, _count: usize) -> anyhow::Result<Outcome> {
    let built = build::build(scene.cx, Target::host(), "release")?;
    let path = built.path.as_str();
    // Small is worth nothing if it does not run.
    Cmd::new(path).arg("version").run()?;
    let id = scene.id()?;
    scene.docker(&["exec", "--user", "agent", &id, WORKFLOW, "version"])?;
    Ok(Outcome::of_amounts(vec![built.bytes.len() as f64 / 1e6]))
}
