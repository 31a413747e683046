//! `image`: the image of the sandboxes, built from the same stage that an update pushes, so that a new container and an updated
//! one hold the same bytes.
//!
//! Two labels tell whether it is fresh, without asking the builder: `ao.image`, the digest of what the slow layers are made of,
//! and `ao.release`, the name of the release in the last layer. Containers inherit an image's labels, so `ao.sandbox`, which marks a
//! sandbox, is not among them.

use std::fs;

use anyhow::Context as _;
use camino::{Utf8Path, Utf8PathBuf};
use serde::Serialize;
use toml::{Table, Value};

use crate::base;
use crate::ca;
use crate::config::Config;
use crate::config::keys::Settings;
use crate::context::Context;
use crate::digest::sha256_of;
use crate::docker::Image;
use crate::flags;
use crate::interrupt::TempFolder;
use crate::manifest::short;
use crate::sizes;
use crate::stage::Stage;
use crate::target::Target;

/// Where the image keeps the manifest of the release in it.
const INSTALLED: &str = "/var/lib/ao-sandbox/manifest.json";
/// Raised where this file labels or builds images in another way, so that older ones count as stale.
const FORM: &str = "2";
/// The parts of `sandbox-assets/` that the slow layers are made of.
const INPUTS: [&str; 3] = ["Dockerfile", "image", "home-skeleton"];

/// An image that is there and fresh.
#[derive(Debug, Serialize)]
pub(crate) struct Ready {
    pub(crate) name: String,
    /// The engine's id; the name may be given to another image at any moment.
    pub(crate) id: String,
    /// The label `ao.image`.
    pub(crate) digest: String,
    #[serde(skip)]
    pub(crate) target: Target,
    /// It was there and fresh already.
    unchanged: bool,
}

/// How a build differs from the plain one.
#[derive(Default)]
struct Manner {
    platform: Option<Target>,
    no_cache: bool,
    dry_run: bool,
}

impl flags::Image {
    pub(crate) fn run(self, cx: &Context) -> anyhow::Result<()> {
        let platform = self.platform.as_deref().map(Target::parse).transpose()?;
        let manner = Manner { platform, no_cache: self.no_cache, dry_run: self.dry_run };
        let texts = [("base", self.base), ("image", self.tag), ("ca-bundle", self.ca_bundle)];
        let given =
            texts.into_iter().filter_map(|(key, value)| Some((key.to_owned(), Value::String(value?))));
        let settings = Config::load(cx, None, given.collect::<Table>())?;
        let (ready, _) = ensure_as(cx, &settings, &manner)?;
        if ready.unchanged {
            cx.ui.say(format!("image `{}` is up to date", ready.name));
        }
        if cx.ui.json() { cx.ui.data_json(&ready) } else { Ok(()) }
    }
}

/// Makes sure that the image of a configuration is there and fresh; gives the stage that is in it.
pub(crate) fn ensure(cx: &Context, settings: &Settings) -> anyhow::Result<(Ready, Stage)> {
    ensure_as(cx, settings, &Manner::default())
}

fn ensure_as(cx: &Context, settings: &Settings, manner: &Manner) -> anyhow::Result<(Ready, Stage)> {
    let target = manner.platform.unwrap_or_else(Target::host);
    // The question to the engine and the build do not need each other.
    let (image, stage) = std::thread::scope(|scope| {
        let image = scope.spawn(|| cx.docker().image(&settings.image));
        let stage = Stage::build(cx, target, &settings.profile);
        (image.join(), stage)
    });
    let image = image.unwrap_or_else(|_| anyhow::bail!("the engine could not be asked"))?;
    let stage = stage?;
    let digest = inputs_digest(cx, settings, target)?;
    let fresh = image.as_ref().is_some_and(|image| is_fresh(image, &digest, &stage));
    let id = image.map(|image| image.id).unwrap_or_default();
    let ready =
        Ready { name: settings.image.clone(), id, digest, target, unchanged: fresh && !manner.no_cache };
    if ready.unchanged {
        return Ok((ready, stage));
    }
    if manner.dry_run {
        cx.ui.say(format!(
            "would build image `{}` with release {}",
            ready.name,
            short(&stage.manifest.release)
        ));
        return Ok((ready, stage));
    }
    stage.check_scripts(|_| true)?;
    let ready = build_alone(cx, settings, manner, ready, &stage)?;
    Ok((ready, stage))
}

/// Builds, unless another `xtask` has just done so.
fn build_alone(
    cx: &Context,
    settings: &Settings,
    manner: &Manner,
    ready: Ready,
    stage: &Stage,
) -> anyhow::Result<Ready> {
    let _lock = cx.state.lock("image", || cx.ui.say("another command builds an image; waiting for it"))?;
    let old = cx.docker().image(&settings.image)?;
    if let Some(image) =
        old.as_ref().filter(|image| !manner.no_cache && is_fresh(image, &ready.digest, stage))
    {
        return Ok(Ready { id: image.id.clone(), ..ready });
    }
    let id = build(cx, settings, manner, &ready, stage)?;
    if let Some(old) = old.filter(|old| old.id != id) {
        remove_replaced(cx, &old);
    }
    Ok(Ready { id, ..ready })
}

fn is_fresh(image: &Image, digest: &str, stage: &Stage) -> bool {
    image.label("ao.image") == Some(digest) && image.label("ao.release") == Some(&stage.manifest.release)
}

/// The digest of what the slow layers are built from: the files, the base, the agents, the CA bundle.
pub(crate) fn inputs_digest(cx: &Context, settings: &Settings, target: Target) -> anyhow::Result<String> {
    let mut parts: Vec<Vec<u8>> = vec![FORM.into()];
    for name in INPUTS {
        let mut files = vec![];
        list(&cx.assets().join(name), &mut files)?;
        files.sort();
        for file in files {
            let inside = file.strip_prefix(cx.assets()).unwrap_or(&file).as_str().replace('\\', "/");
            parts.push(inside.into_bytes());
            parts.push(fs::read(&file).with_context(|| format!("failed to read `{file}`"))?);
        }
    }
    parts.push(settings.base.clone().into_bytes());
    parts.push(settings.agents.join(" ").into_bytes());
    parts.push(target.platform().into());
    parts.push(ca::bundle(cx, &settings.ca_bundle)?);
    Ok(sha256_of(parts.iter().map(Vec::as_slice)))
}

fn list(path: &Utf8Path, files: &mut Vec<Utf8PathBuf>) -> anyhow::Result<()> {
    if !path.is_dir() {
        files.extend(path.is_file().then(|| path.to_owned()));
        return Ok(());
    }
    for entry in path.read_dir_utf8().with_context(|| format!("failed to read `{path}`"))? {
        list(entry?.path(), files)?;
    }
    Ok(())
}

fn build(
    cx: &Context,
    settings: &Settings,
    manner: &Manner,
    ready: &Ready,
    stage: &Stage,
) -> anyhow::Result<String> {
    let base = base::ensure(cx, &settings.base)?;
    let folder = TempFolder::new()?;
    let (context, id_file) = (folder.path()?.join("context"), folder.path()?.join("id"));
    fs::create_dir(&context).with_context(|| format!("failed to create `{context}`"))?;
    fill_context(cx, settings, &context, stage)?;
    let args = arguments(settings, manner, ready, &base, stage);
    let step = cx.ui.step(format!("building image `{}`", ready.name));
    let once = || {
        let cmd = cx.docker().cmd(&args).args(["--iidfile", id_file.as_str(), context.as_str()]);
        cmd.follow(|line| {
            cx.ui.detail(line);
            step.note(line);
        })
    };
    // An image that was removed meanwhile may have been a cached layer of ours; the second build makes it anew.
    let lost_its_cache = |error: &anyhow::Error| error.to_string().contains("unknown parent image");
    let built = once().or_else(|error| if lost_its_cache(&error) { once() } else { Err(error) });
    built.with_context(|| format!("failed to build image `{}`", ready.name))?;
    drop(step);
    let id =
        fs::read_to_string(&id_file).with_context(|| format!("the builder wrote no id to `{id_file}`"))?;
    let size = cx.docker().image(id.trim())?.map_or(0, |image| image.size);
    let release = short(&stage.manifest.release);
    cx.ui.say(format!("image `{}` holds release {release} ({})", ready.name, sizes::shown(size)));
    Ok(id.trim().to_owned())
}

/// The folder that the builder gets: the slow parts as files, the release as one tar whose headers carry owner and mode.
fn fill_context(cx: &Context, settings: &Settings, context: &Utf8Path, stage: &Stage) -> anyhow::Result<()> {
    for name in INPUTS {
        copy_tree(&cx.assets().join(name), &context.join(name))?;
    }
    let bundle = ca::bundle(cx, &settings.ca_bundle)?;
    if !bundle.is_empty() {
        let from =
            if settings.ca_bundle == "auto" { ca::found().map(|path| format!(" `{path}`")) } else { None };
        cx.ui.say(format!(
            "the image trusts this machine's CA bundle{} (`--ca-bundle none` leaves it out)",
            from.unwrap_or_default()
        ));
    }
    write(&context.join("ca-bundle.crt"), &bundle)?;
    write(&context.join("release.tar"), &stage.tar("", INSTALLED, |_| true)?)
}

fn arguments(settings: &Settings, manner: &Manner, ready: &Ready, base: &str, stage: &Stage) -> Vec<String> {
    let mut args: Vec<String> = vec!["build".into(), "--tag".into(), ready.name.clone()];
    for label in [
        "ao.sandbox.image=true".to_owned(),
        format!("ao.image={}", ready.digest),
        format!("ao.release={}", stage.manifest.release),
    ] {
        args.extend(["--label".into(), label]);
    }
    for argument in [format!("BASE={base}"), format!("SANDBOX_AGENTS={}", settings.agents.join(" "))] {
        args.extend(["--build-arg".into(), argument]);
    }
    if let Some(platform) = manner.platform.filter(|platform| *platform != Target::host()) {
        args.extend(["--platform".into(), platform.platform().into()]);
    }
    args.extend(manner.no_cache.then(|| "--no-cache".into()));
    args
}

/// The image that had the name before is ours and useless now, unless a container still runs from it: then the engine refuses. Its
/// parents stay: the classic builder's cache, of which another build may be making use.
fn remove_replaced(cx: &Context, old: &Image) {
    if old.label("ao.sandbox.image") == Some("true")
        && let Ok(output) = cx.docker().cmd(["image", "rm", "--no-prune", &old.id]).probe()
        && !output.success()
    {
        cx.ui.detail(format!("the replaced image stays: {}", output.stderr.trim()));
    }
}

fn copy_tree(from: &Utf8Path, to: &Utf8Path) -> anyhow::Result<()> {
    if !from.is_dir() {
        return match fs::copy(from, to) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            result => result.map(drop).with_context(|| format!("failed to copy `{from}`")),
        };
    }
    fs::create_dir_all(to).with_context(|| format!("failed to create `{to}`"))?;
    for entry in from.read_dir_utf8().with_context(|| format!("failed to read `{from}`"))? {
        let entry = entry?;
        copy_tree(entry.path(), &to.join(entry.file_name()))?;
    }
    Ok(())
}

fn write(path: &Utf8Path, bytes: &[u8]) -> anyhow::Result<()> {
    fs::write(path, bytes).with_context(|| format!("failed to write `{path}`"))
}
