//! Programs besides Rust and the engine: git for everyone, and what only the tests need.

use super::{Check, Mend, apt, rust};
use crate::run::on_path;

/// Programs that the tests start, and the packages that bring them.
const FOR_TESTS: [(&str, &str); 3] =
    [("shellcheck", "shellcheck"), ("python3", "python3"), ("setfacl", "acl")];
/// Hosts for which `xtask` is type-checked.
pub(crate) const OTHER_HOSTS: [&str; 2] = ["x86_64-apple-darwin", "x86_64-pc-windows-gnu"];

pub(super) fn git() -> Check {
    program("git", "git")
}

/// What `cargo xtask ci` needs besides.
pub(super) fn for_tests() -> Vec<Check> {
    let mut checks: Vec<Check> = FOR_TESTS.map(|(command, package)| program(command, package)).to_vec();
    let missing: Vec<String> = OTHER_HOSTS
        .iter()
        .copied()
        .chain(crate::target::Target::ALL.map(|target| target.triple()))
        .filter(|triple| !rust::has_target(triple))
        .map(str::to_owned)
        .collect();
    if !missing.is_empty() {
        let check = Check::fail("targets", format!("not installed: {}", missing.join(", ")));
        checks.push(
            check.remedy(format!("rustup target add {}", missing.join(" "))).mend(Mend::RustTargets(missing)),
        );
    }
    checks
}

fn program(command: &'static str, package: &'static str) -> Check {
    if on_path(command) {
        return Check::ok(command, "installed");
    }
    let check = Check::fail(command, "not installed");
    if apt::usable() {
        check.remedy(apt::remedy(&[package])).mend(Mend::Packages(vec![package.to_owned()]))
    } else {
        check.remedy(format!("install `{package}`"))
    }
}
