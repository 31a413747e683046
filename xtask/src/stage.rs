//! The stage: all assets and the `workflow` binary exactly as they are to land, with their manifest.
//!
//! Knows files, modes and digests, and has never heard of Docker. A stage is held in memory: a few small files and one binary of
//! 3 MB, so there is no temporary folder that an interruption could leave behind. `cargo xtask stage --out` writes one.

use std::fs;

use anyhow::{Context as _, bail};
use camino::{Utf8Path, Utf8PathBuf};

use crate::build;
use crate::context::Context;
use crate::digest::sha256;
use crate::elf;
use crate::failure::{Exit, Failure};
use crate::flags;
use crate::manifest::{Entry, Manifest, short};
use crate::registries;
use crate::render::table;
use crate::run::{Cmd, on_path};
use crate::sizes;
use crate::target::Target;

/// Where the binary lands.
pub(crate) const WORKFLOW: &str = "/usr/local/bin/workflow";
/// Where the firewall reads which registries the presets stand for.
const REGISTRIES: &str = "/etc/ao-sandbox/registries.json";

/// Everything of one release: the manifest and the content of each of its files, in the manifest's order.
#[derive(Debug)]
pub(crate) struct Stage {
    pub(crate) manifest: Manifest,
    contents: Vec<Vec<u8>>,
}

impl flags::Stage {
    pub(crate) fn run(self, cx: &Context) -> anyhow::Result<()> {
        let target = self.target.as_deref().map_or(Ok(Target::host()), Target::parse)?;
        let stage = match &self.binary {
            Some(path) => Stage::with_binary(cx, &cx.cwd.join(path), target)?,
            None => Stage::build(cx, target, &self.profile)?,
        };
        stage.check_scripts(|_| true)?;
        if let Some(out) = &self.out {
            stage.write(&cx.cwd.join(out))?;
            cx.ui.say(format!("written to `{out}`"));
        }
        if cx.ui.json() {
            return cx.ui.data_json(&stage.manifest);
        }
        let rows = stage.manifest.files.iter().map(|file| {
            vec![
                format!("{:04o}", file.mode),
                sizes::shown(file.size),
                short(&file.sha256).to_owned(),
                file.path.clone(),
            ]
        });
        table(&rows.collect::<Vec<_>>()).iter().for_each(|line| cx.ui.data(line));
        cx.ui.data(format!("release {}", stage.manifest.release));
        Ok(())
    }
}

impl Stage {
    /// Builds `workflow` and stages it with the assets.
    pub(crate) fn build(cx: &Context, target: Target, profile: &str) -> anyhow::Result<Self> {
        let built = build::build(cx, target, profile)?;
        Stage::new(cx, built.bytes, target)
    }

    /// Stages an executable that somebody built.
    pub(crate) fn with_binary(cx: &Context, path: &Utf8Path, target: Target) -> anyhow::Result<Self> {
        let bytes = fs::read(path).with_context(|| format!("failed to read `{path}`"))?;
        Stage::new(cx, bytes, target).with_context(|| format!("cannot use `{path}`"))
    }

    /// Stages a given executable with the assets.
    pub(crate) fn new(cx: &Context, workflow: Vec<u8>, target: Target) -> anyhow::Result<Self> {
        elf::check(&workflow, target).context("refused the `workflow` binary")?;
        let rootfs = cx.assets().join("rootfs");
        let mut files = vec![(WORKFLOW.to_owned(), workflow)];
        collect(&rootfs, &rootfs, &mut files)?;
        if !files.iter().any(|(path, _)| path == REGISTRIES) {
            files.push((REGISTRIES.to_owned(), registries::staged(cx)?));
        }
        files.sort_by(|a, b| a.0.cmp(&b.0));
        let entries =
            files.iter().map(|(path, content)| entry(path, content)).collect::<anyhow::Result<_>>()?;
        Ok(Stage {
            manifest: Manifest::new(entries),
            contents: files.into_iter().map(|(_, content)| content).collect(),
        })
    }

    /// Refuses scripts that the sandbox's bash would reject. `wanted` chooses by path: one that was installed before with
    /// the same digest has passed already.
    pub(crate) fn check_scripts(&self, wanted: impl Fn(&str) -> bool) -> anyhow::Result<()> {
        if !on_path("bash") {
            return Ok(());
        }
        let scripts = self.files().filter(|(entry, content)| is_shell_script(content) && wanted(&entry.path));
        for (entry, content) in scripts {
            let output = Cmd::new("bash").args(["-n", "-s"]).stdin(content.to_vec()).probe()?;
            if !output.success() {
                let said = output.stderr.replace("bash: ", "").trim_end().to_owned();
                return Err(refused(&entry.path, format!("bash rejects it: {said}")));
            }
        }
        Ok(())
    }

    /// Each file with its content.
    pub(crate) fn files(&self) -> impl Iterator<Item = (&Entry, &[u8])> {
        self.manifest.files.iter().zip(self.contents.iter().map(Vec::as_slice))
    }

    /// A tar stream that lays the chosen files below `prefix`, with owner root and the manifest's modes in its headers; the
    /// manifest itself goes to `manifest_path`.
    pub(crate) fn tar(
        &self,
        prefix: &str,
        manifest_path: &str,
        chosen: impl Fn(&Entry) -> bool,
    ) -> anyhow::Result<Vec<u8>> {
        let mut tar = tar::Builder::new(vec![]);
        for (entry, content) in self.files().filter(|(entry, _)| chosen(entry)) {
            append(&mut tar, &format!("{prefix}{}", entry.path), content, entry.mode)?;
        }
        append(&mut tar, manifest_path, &serde_json::to_vec_pretty(&self.manifest)?, 0o644)?;
        tar.into_inner().context("failed to write the tar stream")
    }

    fn write(&self, out: &Utf8Path) -> anyhow::Result<()> {
        for (entry, content) in self.files() {
            let path = Utf8PathBuf::from(format!("{out}/rootfs{}", entry.path));
            fs::create_dir_all(path.parent().unwrap_or(out))
                .with_context(|| format!("failed to create `{out}`"))?;
            fs::write(&path, content).with_context(|| format!("failed to write `{path}`"))?;
            set_mode(&path, entry.mode)?;
        }
        crate::state::write_json(&out.join("manifest.json"), &self.manifest)
    }
}

/// All regular files below a folder, at the paths at which they are to land.
fn collect(rootfs: &Utf8Path, folder: &Utf8Path, files: &mut Vec<(String, Vec<u8>)>) -> anyhow::Result<()> {
    for entry in folder.read_dir_utf8().with_context(|| format!("failed to read `{folder}`"))? {
        let path = entry?.into_path();
        let kind = path.symlink_metadata().with_context(|| format!("failed to read `{path}`"))?.file_type();
        if kind.is_dir() {
            collect(rootfs, &path, files)?;
        } else if kind.is_file() {
            let inside = path
                .strip_prefix(rootfs)?
                .components()
                .map(|part| part.as_str())
                .collect::<Vec<_>>()
                .join("/");
            files.push((
                format!("/{inside}"),
                fs::read(&path).with_context(|| format!("failed to read `{path}`"))?,
            ));
        } else {
            bail!(refused(path.as_str(), "an asset is a regular file, not a link or a device".to_owned()));
        }
    }
    Ok(())
}

fn entry(path: &str, content: &[u8]) -> anyhow::Result<Entry> {
    let executable = content.starts_with(b"\x7fELF") || content.starts_with(b"#!");
    if content.starts_with(b"#!")
        && let Some(line) = content.split(|byte| *byte == b'\n').position(|line| line.ends_with(b"\r"))
    {
        return Err(refused(
            path,
            format!("line {} ends in CR LF, which the kernel and bash do not take", line + 1),
        ));
    }
    // Owner and mode never depend on the host: its checkout may have lost the executable bit, or be on Windows.
    let mode = if executable { 0o755 } else { 0o644 };
    Ok(Entry { path: path.to_owned(), sha256: sha256(content), size: content.len() as u64, mode })
}

fn is_shell_script(content: &[u8]) -> bool {
    let first = content.split(|byte| *byte == b'\n').next().unwrap_or_default();
    first.starts_with(b"#!") && first.ends_with(b"sh")
        || first.starts_with(b"#!") && first.windows(4).any(|word| word == b"bash")
}

fn refused(path: &str, why: String) -> anyhow::Error {
    Failure::new(Exit::Failed, format!("refused the asset `{path}`: {why}"))
        .hint("nothing was sent; mend the file under `sandbox-assets/rootfs/` and run the command again")
        .into()
}

fn append(tar: &mut tar::Builder<Vec<u8>>, path: &str, content: &[u8], mode: u32) -> anyhow::Result<()> {
    let mut header = tar::Header::new_gnu();
    header.set_size(content.len() as u64);
    header.set_mode(mode);
    header.set_uid(0);
    header.set_gid(0);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    // A time of 0 would show as 1970 in the container.
    header.set_mtime(now.map_or(0, |time| time.as_secs()));
    tar.append_data(&mut header, path.trim_start_matches('/'), content)
        .with_context(|| format!("failed to put `{path}` into the tar stream"))
}

#[cfg(unix)]
fn set_mode(path: &Utf8Path, mode: u32) -> anyhow::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
        .with_context(|| format!("failed to set the mode of `{path}`"))
}

#[cfg(not(unix))]
fn set_mode(_path: &Utf8Path, _mode: u32) -> anyhow::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mode_comes_from_the_content() {
        assert_eq!(entry("/a", b"#!/bin/bash\n").unwrap().mode, 0o755);
        assert_eq!(entry("/a", b"\x7fELF...").unwrap().mode, 0o755);
        assert_eq!(entry("/a", b"data").unwrap().mode, 0o644);
    }

    #[test]
    fn a_script_with_windows_line_ends_is_refused_with_its_line() {
        let error = entry("/opt/x.sh", b"#!/bin/bash\necho a\r\n").unwrap_err().to_string();
        assert!(error.contains("/opt/x.sh") && error.contains("line 2"), "{error}");
        assert!(entry("/etc/ao-sandbox/data", b"a\r\n").is_ok());
    }

    #[test]
    fn a_broken_script_is_refused_with_its_name_and_line() {
        let content = b"#!/bin/bash\nif true\n".to_vec();
        let stage = Stage {
            manifest: Manifest::new(vec![entry("/opt/x.sh", &content).unwrap()]),
            contents: vec![content],
        };
        let error = stage.check_scripts(|_| true).unwrap_err().to_string();
        assert!(error.contains("/opt/x.sh") && error.contains("line 3"), "{error}");
        assert!(stage.check_scripts(|_| false).is_ok());
    }

    #[test]
    fn the_tar_stream_carries_owner_and_mode() {
        let content = b"#!/bin/bash\n".to_vec();
        let stage = Stage {
            manifest: Manifest::new(vec![entry("/opt/x.sh", &content).unwrap()]),
            contents: vec![content],
        };
        let bytes = stage.tar("/in", "/in/manifest.json", |_| true).unwrap();
        let mut archive = tar::Archive::new(bytes.as_slice());
        let mut found = vec![];
        for file in archive.entries().unwrap() {
            let file = file.unwrap();
            let header = file.header();
            assert_eq!((header.uid().unwrap(), header.gid().unwrap()), (0, 0));
            found.push((file.path().unwrap().display().to_string(), header.mode().unwrap()));
        }
        assert_eq!(found, [("in/opt/x.sh".to_owned(), 0o755), ("in/manifest.json".to_owned(), 0o644)]);
    }
}
