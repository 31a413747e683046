//! What is measured on: a workspace and a sandbox of the benchmark's own, and two releases that differ in every file.

use std::cell::Cell;
use std::fs;

use anyhow::Context as _;
use camino::{Utf8Path, Utf8PathBuf};

use crate::build;
use crate::context::Context;
use crate::interrupt::TempFolder;
use crate::run::Cmd;
use crate::sandbox;
use crate::target::Target;
use crate::workspace::Workspace;

/// The files that the naive way copies one by one.
const COPIED: [&str; 2] = ["opt/entrypoint.sh", "opt/init-firewall.sh"];

pub(super) struct Scene<'a> {
    pub(super) cx: &'a Context,
    folder: TempFolder,
    turn: Cell<u32>,
}

impl<'a> Scene<'a> {
    pub(super) fn new(cx: &'a Context) -> anyhow::Result<Self> {
        let scene = Scene { cx, folder: TempFolder::new()?, turn: Cell::new(0) };
        fs::create_dir_all(scene.workspace()?)?;
        let binary = build::build(cx, Target::host(), "quick")?.bytes;
        for letter in ["a", "b"] {
            scene.lay_release(letter, &binary)?;
        }
        scene.xtask(&["sandbox-up"])?;
        Ok(scene)
    }

    /// Assets and binary that differ from the other letter's in each of the three files.
    fn lay_release(&self, letter: &str, binary: &[u8]) -> anyhow::Result<()> {
        let root = self.folder.path()?.join(letter);
        fs::create_dir_all(&root)?;
        Cmd::new("cp").args(["-a", self.cx.assets().as_str(), root.as_str()]).run()?;
        for file in COPIED {
            let path = root.join("sandbox-assets/rootfs").join(file);
            let text = fs::read_to_string(&path).with_context(|| format!("failed to read `{path}`"))?;
            fs::write(&path, format!("{text}# {letter}\n"))?;
        }
        // Bytes behind the end of an ELF file are not read when it runs.
        let mut binary = binary.to_vec();
        binary.extend_from_slice(letter.as_bytes());
        let path = root.join("workflow");
        fs::write(&path, binary)?;
        Cmd::new("chmod").args(["755", path.as_str()]).run()
    }

    /// A's and B's turn by turn.
    pub(super) fn next_release(&self) -> anyhow::Result<Utf8PathBuf> {
        self.turn.set(self.turn.get() + 1);
        Ok(self.folder.path()?.join(if self.turn.get().is_multiple_of(2) { "a" } else { "b" }))
    }

    pub(super) fn workspace(&self) -> anyhow::Result<Utf8PathBuf> {
        Ok(self.folder.path()?.join("bench"))
    }

    pub(super) fn folder(&self) -> anyhow::Result<&Utf8Path> {
        self.folder.path()
    }

    /// The id of the sandbox's container.
    pub(super) fn id(&self) -> anyhow::Result<String> {
        let workspace = Workspace::locate(self.cx, Some(&self.workspace()?))?;
        Ok(sandbox::existing(self.cx, &workspace)?.id)
    }

    /// This very program, as a person would start it.
    pub(super) fn xtask(&self, args: &[&str]) -> anyhow::Result<()> {
        self.own(&self.cx.assets())?.args(args).run()
    }

    /// The same with other assets.
    pub(super) fn xtask_with(&self, root: &Utf8Path, args: &[&str]) -> anyhow::Result<()> {
        self.own(&root.join("sandbox-assets"))?.args(args).run()
    }

    fn own(&self, assets: &Utf8Path) -> anyhow::Result<Cmd> {
        let own = std::env::current_exe().context("failed to find this program")?;
        Ok(Cmd::new(own).dir(self.workspace()?).env("AO_SANDBOX_ASSETS", assets))
    }

    pub(super) fn docker(&self, args: &[&str]) -> anyhow::Result<String> {
        self.cx.docker().run(args)
    }
}

impl Drop for Scene<'_> {
    fn drop(&mut self) {
        if let Err(error) = self.xtask(&["sandbox-down"]) {
            self.cx.ui.warn(format!("{error:#}"));
        }
    }
}
