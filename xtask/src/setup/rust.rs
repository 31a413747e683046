//! The Rust side: the musl targets and the linker that comes with the toolchain.

use std::time::Duration;

use camino::Utf8PathBuf;

use super::{Check, Mend};
use crate::context::Context;
use crate::run::{Cmd, on_path};
use crate::target::Target;

/// A download that takes longer is stuck.
const LIMIT: Duration = Duration::from_secs(300);

/// Whether `workflow` can be built for this machine and for the other one.
pub(super) fn checks() -> Vec<Check> {
    let host = target(Target::host());
    let other = Target::ALL.into_iter().find(|other| *other != Target::host()).map(|other| {
        let check = target(other);
        // Only a sandbox on the other machine type needs it.
        if check.mend.is_empty() { check } else { Check { level: super::Level::Warn, mend: vec![], ..check } }
    });
    std::iter::once(host).chain(other).chain([linker()]).collect()
}

fn target(target: Target) -> Check {
    let triple = target.triple();
    let name = if target == Target::host() { "target" } else { "other" };
    if has_target(triple) {
        return Check::ok(name, format!("{triple} is installed"));
    }
    let check = Check::fail(name, format!("the Rust target {triple} is not installed"));
    if on_path("rustup") {
        check.remedy(format!("rustup target add {triple}")).mend(Mend::RustTargets(vec![triple.to_owned()]))
    } else {
        check.remedy("install Rust with rustup, whose toolchains can bring the musl targets")
    }
}

/// The toolchain has the standard library of this target.
pub(crate) fn has_target(triple: &str) -> bool {
    let asked = Cmd::new("rustc").args(["--print", "target-libdir", "--target", triple]).stdout();
    asked.is_ok_and(|folder| Utf8PathBuf::from(folder).is_dir())
}

fn linker() -> Check {
    let sysroot = Cmd::new("rustc").args(["--print", "sysroot"]).stdout().map(Utf8PathBuf::from);
    let host = Cmd::new("rustc").args(["--print", "host-tuple"]).stdout();
    let (Ok(sysroot), Ok(host)) = (sysroot, host) else {
        return Check::fail("linker", "`rustc` does not answer").remedy("install Rust with rustup");
    };
    let path = sysroot
        .join("lib/rustlib")
        .join(host)
        .join("bin")
        .join(format!("rust-lld{}", std::env::consts::EXE_SUFFIX));
    if path.is_file() || on_path("rust-lld") {
        return Check::ok("linker", "rust-lld of the toolchain");
    }
    Check::fail("linker", "the toolchain has no rust-lld").remedy("rustup toolchain install stable")
}

/// `rustup target add`, with a time limit.
pub(super) fn add_targets(cx: &Context, triples: &[String]) -> anyhow::Result<()> {
    let step = cx.ui.step(format!("adding the Rust targets {}", triples.join(", ")));
    let cmd = Cmd::new("rustup").args(["target", "add"]).args(triples).limit(LIMIT);
    cx.ui.detail(format!("+ {}", cmd.shown()));
    cmd.run()?;
    drop(step);
    Ok(())
}
