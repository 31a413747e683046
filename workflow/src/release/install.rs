//! `release install` and `rollback`: the story of an install, and its promises.
//!
//! 1. Under the lock, what a killed install left is undone, and what was pushed is claimed by a rename.
//! 2. The manifest is checked, and compared with the disk. Until here, and until 4, a failure is a refusal.
//! 3. The journal is written. New files are written beside their places under temporary names, their digests
//!    checked on the bytes as they are written; old files get a second name in `previous-new/`.
//! 4. Each new file is renamed into place: a reader sees the old one or the new one. From here on a failure
//!    is rolled back. Then the firewall runs if it is concerned, and the installed binary is asked who it is.
//! 5. The manifest is renamed into place, and last the journal away, which commits the install.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Error, Result, anyhow, bail};

use super::Limits;
use super::answer::{Answer, Status};
use super::build_id;
use super::fault::step;
use super::files;
use super::firewall::{self, Apply};
use super::journal::{Journal, remove_empty_folders};
use super::manifest::{Manifest, is_digest};
use super::plan::Plan;
use super::recover::recover;
use super::store::Store;
use crate::error::WithHint;

/// What is to be installed.
#[derive(Debug)]
pub(crate) enum Source<'a> {
    /// What a client pushed for this release.
    Pushed {
        /// The release.
        release: &'a str,
        /// What the client believes to be installed; only explains a mismatch.
        base: Option<&'a str>,
    },
    /// The release before.
    Previous,
}

/// Installs, and answers in every case.
pub(crate) fn install(store: &Store, source: &Source<'_>, limits: &Limits) -> (Answer, Option<Error>) {
    let mut answer = Answer::refused(if let Source::Pushed { release, .. } = source { release } else { "" });
    let done = store.lock(limits.lock).and_then(|_lock| {
        let done = recover(store, limits).and_then(|_| under_lock(store, source, limits, &mut answer));
        // What was claimed is never needed again. What cannot be removed now, the next recovery will.
        store.sweep().ok();
        done
    });
    let error = done.err();
    answer.error = error.as_ref().map(|error| format!("{error:#}"));
    (answer, error)
}

fn under_lock(store: &Store, source: &Source<'_>, limits: &Limits, answer: &mut Answer) -> Result<()> {
    let from = store.installed()?;
    answer.previous = from.as_ref().map(|from| from.release.clone());
    let (folder, to) = match source {
        Source::Previous => previous(store)?,
        Source::Pushed { release, .. } => pushed(store, release, from.as_ref())?,
    };
    answer.release.clone_from(&to.release);
    let plan = Plan::make(store, from, to, &folder)?;
    answer.missing = plan.missing();
    if !answer.missing.is_empty() {
        answer.status = Status::BaseMismatch;
        return Err(mismatch(source, answer));
    }
    if plan.is_done() {
        answer.status = Status::Unchanged;
        answer.files = plan.results();
        return Ok(());
    }
    carry_out(store, &plan, limits, answer)
}

fn previous(store: &Store) -> Result<(PathBuf, Manifest)> {
    let folder = store.previous();
    let Some(manifest) = store.manifest_in(&folder)? else {
        return Err(anyhow!("there is no previous release"))
            .hint("push one with `cargo xtask sandbox-update`");
    };
    Ok((folder, manifest))
}

/// What was pushed. Another client may have pushed and installed the same release a moment ago, and taken our
/// files with it: what is installed then is what was asked for.
fn pushed(store: &Store, release: &str, from: Option<&Manifest>) -> Result<(PathBuf, Manifest)> {
    let folder = store.claim(release)?;
    step();
    let manifest = folder.as_deref().map(|folder| store.manifest_in(folder)).transpose()?.flatten();
    let Some(manifest) = manifest.or_else(|| from.filter(|from| from.release == release).cloned()) else {
        return Err(anyhow!("no manifest was pushed for release `{release}`"))
            .hint("push it with `cargo xtask sandbox-update`");
    };
    if manifest.release != release {
        bail!("the pushed manifest is of release `{}`, not of `{release}`", manifest.release);
    }
    Ok((folder.unwrap_or_else(|| store.state("work")), manifest))
}

fn mismatch(source: &Source<'_>, answer: &Answer) -> Error {
    let text = format!("files that were not pushed are not on disk either: {}", answer.missing.join(", "));
    let installed = answer.previous.as_deref().unwrap_or("none");
    match source {
        Source::Pushed { base: Some(base), .. } if *base != installed && is_digest(base) => {
            anyhow!("release `{base}` was expected, installed is `{installed}`").context(text)
        }
        _ => anyhow!(text),
    }
}

fn carry_out(store: &Store, plan: &Plan, limits: &Limits, answer: &mut Answer) -> Result<()> {
    let mut journal = Journal::begin(store, plan)?;
    step();
    if let Err(error) = prepare(store, plan, &journal) {
        return Err(undo(store, &journal, limits, error));
    }
    answer.files = plan.results();
    answer.entrypoint_changed = plan.concerns_entrypoint();
    if let Err(error) = switch(store, plan, &mut journal, limits, answer) {
        answer.status = Status::RolledBack;
        return Err(undo(store, &journal, limits, error));
    }
    answer.status = Status::Installed;
    step();
    // The release is installed; what is left over, the next recovery tidies up.
    journal.finish(store).ok();
    Ok(())
}

/// Everything that needs room on the disk or can find the release wanting, while nobody sees it yet.
fn prepare(store: &Store, plan: &Plan, journal: &Journal) -> Result<()> {
    journal.create_folders(store)?;
    for (entry, _) in &plan.written {
        let from = Store::within(&plan.source, &entry.path);
        files::copy_checked(&from, &files::temporary(&store.place(&entry.path)), entry, store.owner)?;
        step();
    }
    files::write_new(&files::temporary(&store.manifest_path()), &plan.to.text()?)
        .context("failed to write the manifest")?;
    step();
    keep_old(store, plan)
}

fn keep_old(store: &Store, plan: &Plan) -> Result<()> {
    let kept = store.previous_new();
    files::create_folders(&kept)?;
    let replaced = plan.written.iter().filter(|(_, existed)| *existed).map(|(entry, _)| entry);
    for entry in replaced.chain(&plan.removed) {
        files::keep(&store.place(&entry.path), &Store::within(&kept, &entry.path))
            .with_context(|| format!("failed to keep the old `{}`", entry.path))?;
        step();
    }
    if plan.from.is_some() {
        files::keep(&store.manifest_path(), &kept.join("manifest.json"))
            .context("failed to keep the manifest")?;
    }
    step();
    Ok(())
}

fn switch(
    store: &Store,
    plan: &Plan,
    journal: &mut Journal,
    limits: &Limits,
    answer: &mut Answer,
) -> Result<()> {
    for (entry, _) in &plan.written {
        rename_new(&store.place(&entry.path))
            .with_context(|| format!("failed to replace `{}`", entry.path))?;
    }
    for entry in &plan.removed {
        files::remove(&store.place(&entry.path))
            .with_context(|| format!("failed to remove `{}`", entry.path))?;
        step();
        remove_empty_folders(store, &entry.path);
    }
    if let Some(apply) = plan.firewall() {
        journal.note_firewall(store)?;
        step();
        let run = firewall::run(store, apply, limits.firewall);
        let (ok, message) = (run.ok, run.message.clone());
        answer.firewall = Some(run);
        anyhow::ensure!(ok, "the firewall {message}");
        step();
    }
    answer.build = Some(build_id::verify(store, &plan.to, limits.build)?);
    rename_new(&store.manifest_path()).context("failed to replace the manifest")?;
    Journal::commit(store)
}

fn rename_new(place: &Path) -> std::io::Result<()> {
    fs::rename(files::temporary(place), place)?;
    step();
    Ok(())
}

/// Brings the old files and the old rules back, and returns `error` with whatever went wrong on the way. Where
/// the undoing itself failed the journal stays, and the next recovery tries again.
fn undo(store: &Store, journal: &Journal, limits: &Limits, error: Error) -> Error {
    let undone = journal.undo(store).and_then(|()| {
        let rerun = journal.firewall.then(|| firewall::run(store, Apply::Always, limits.firewall));
        Journal::drop_undone(store)?;
        match rerun {
            Some(run) if !run.ok => bail!("the firewall, with the old files, {}", run.message),
            _ => Ok(()),
        }
    });
    match undone {
        Ok(()) => error,
        Err(second) => error.context(format!("undoing it was not complete: {second:#}")),
    }
}
