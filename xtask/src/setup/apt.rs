//! Debian and Ubuntu: whether this is one, its mirror, and installing its packages.

use std::fs;
use std::time::Duration;

use anyhow::Context as _;

use crate::context::Context;
use crate::run::{Cmd, on_path};

/// Longer than this, a mirror is not going to answer.
const LIMIT: Duration = Duration::from_secs(900);

/// Packages can be installed here: Debian's tools are there, and we are root or may become it.
pub(crate) fn usable() -> bool {
    on_path("apt-get") && (is_root() || on_path("sudo"))
}

pub(crate) fn is_root() -> bool {
    Cmd::new("id").arg("-u").stdout().is_ok_and(|uid| uid == "0")
}

/// A command with root's rights; `sudo` asks where it must.
pub(crate) fn as_root(program: &str) -> Cmd {
    if is_root() { Cmd::new(program) } else { Cmd::new("sudo").arg(program) }
}

/// The line that a person would type to install packages.
pub(crate) fn remedy(packages: &[&str]) -> String {
    let sudo = if is_root() { "" } else { "sudo " };
    format!("{sudo}apt-get install --no-install-recommends {}", packages.join(" "))
}

/// Installs packages of the distribution.
pub(crate) fn install(cx: &Context, packages: &[String]) -> anyhow::Result<()> {
    let step = cx.ui.step(format!("installing {}", packages.join(", ")));
    apt_get(cx, &["update"])?;
    let mut args = vec!["install", "--yes", "--no-install-recommends"];
    args.extend(packages.iter().map(String::as_str));
    apt_get(cx, &args).with_context(|| format!("failed to install {}", packages.join(", ")))?;
    drop(step);
    Ok(())
}

fn apt_get(cx: &Context, args: &[&str]) -> anyhow::Result<()> {
    // Through `env`, because `sudo` does not hand on our environment.
    let cmd =
        as_root("env").args(["DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq"]).args(args).limit(LIMIT);
    cx.ui.detail(format!("+ {}", cmd.shown()));
    cmd.run()
}

/// The mirror from which this machine's own Debian comes; none elsewhere (Ubuntu's mirrors have no Debian).
pub(crate) fn debian_mirror() -> Option<String> {
    let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
    if !release.lines().any(|line| line == "ID=debian") {
        return None;
    }
    let mut texts = vec![fs::read_to_string("/etc/apt/sources.list").unwrap_or_default()];
    let files = fs::read_dir("/etc/apt/sources.list.d").into_iter().flatten().filter_map(Result::ok);
    texts.extend(files.map(|file| fs::read_to_string(file.path()).unwrap_or_default()));
    texts.iter().find_map(|text| mirror_in(text))
}

/// The first mirror of Debian's main archive in a sources file, in either of its two forms.
fn mirror_in(text: &str) -> Option<String> {
    let deb822 = |line: &str| line.strip_prefix("URIs:").map(str::to_owned);
    let one_line = |line: &str| line.strip_prefix("deb ").map(str::to_owned);
    let candidates = text.lines().filter_map(|line| deb822(line.trim()).or_else(|| one_line(line.trim())));
    let urls = candidates.flat_map(|line| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>());
    urls.into_iter()
        .filter(|word| word.contains("://"))
        .find(|url| url.trim_end_matches('/').ends_with("/debian"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mirror_is_found_in_both_forms_and_security_is_not_taken_for_it() {
        let deb822 = "Types: deb\nURIs: http://s.example/debian-security\n\nTypes: deb\nURIs: http://m.example/debian/\nSuites: x\n";
        assert_eq!(mirror_in(deb822).as_deref(), Some("http://m.example/debian/"));
        let one_line =
            "# deb http://no.example/debian x\ndeb [signed-by=/k] http://m.example/debian trixie main\n";
        assert_eq!(mirror_in(one_line).as_deref(), Some("http://m.example/debian"));
        assert_eq!(mirror_in("deb http://u.example/ubuntu noble main"), None);
    }
}
