//! Asks the installed binary which build it is, as the user that will run it: a file that is there but cannot
//! be executed by `agent`, or that is another one than the manifest says, does not pass.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::answer::Build;
use super::manifest::{Manifest, WORKFLOW};
use super::store::Store;
use crate::process::Job;

/// The build that the installed binary names, if it is the one of `manifest`.
pub(crate) fn verify(store: &Store, manifest: &Manifest, limit: Duration) -> Result<Build> {
    let mut job = Job::new(store.place(WORKFLOW), &["version", "--json"], limit);
    job.user = agent(store)?;
    let ended = job.run().with_context(|| format!("failed to start `{WORKFLOW}`"))?;
    ensure!(ended.ok(), "`{WORKFLOW} version --json` {}", ended.reason());
    let build: Build = serde_json::from_slice(&ended.stdout)
        .with_context(|| format!("`{WORKFLOW} version --json` did not answer with a build"))?;
    let expected = manifest.entry(WORKFLOW).map_or("", |entry| entry.sha256.as_str());
    ensure!(build.build == expected, "`{WORKFLOW}` says it is build `{}`, not `{expected}`", build.build);
    Ok(build)
}

/// Uid and gid of `agent`. None where we may not change the user, and in a folder without users.
fn agent(store: &Store) -> Result<Option<(u32, u32)>> {
    if store.owner.is_none() {
        return Ok(None);
    }
    let users = fs::read_to_string(store.place("/etc/passwd")).unwrap_or_default();
    let found = users.lines().find_map(parse_agent);
    ensure!(found.is_some() || !store.is_system(), "there is no user `agent`");
    Ok(found)
}

fn parse_agent(line: &str) -> Option<(u32, u32)> {
    let mut fields = line.split(':');
    let (name, uid, gid) = (fields.next()?, fields.nth(1)?, fields.next()?);
    (name == "agent").then_some((uid.parse().ok()?, gid.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_agent_is_found_in_the_users() {
        assert_eq!(parse_agent("root:x:0:0:root:/root:/bin/sh"), None);
        assert_eq!(parse_agent("agent-2:x:1:1::/:/bin/sh"), None);
        assert_eq!(parse_agent("agent:x"), None);
        assert_eq!(parse_agent("agent:x:1000:1001::/home/agent:/bin/zsh"), Some((1000, 1001)));
    }
}
