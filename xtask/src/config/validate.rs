//! What the form of a key cannot say: which agents there are, which names a variable can have.

use super::keys::Settings;
use super::usage;
use crate::sizes::bytes;

/// Below these the firewall's programs do not start.
const FEWEST_PROCESSES: u32 = 64;
const LEAST_MEMORY: u64 = 128 << 20;

const AGENTS: [&str; 5] = ["claude", "codex", "opencode", "pi", "bun"];

/// Refuses settings that have the right form and make no sense.
pub(super) fn validate(settings: &Settings) -> anyhow::Result<()> {
    if let Some(agent) = settings.agents.iter().find(|agent| !AGENTS.contains(&agent.as_str())) {
        return Err(usage(format!("unknown agent `{agent}`; the agents are {}", AGENTS.join(", "))));
    }
    if !["quick", "release"].contains(&settings.profile.as_str()) {
        return Err(usage(format!(
            "unknown profile `{}`; the profiles are quick and release",
            settings.profile
        )));
    }
    if settings.pids < FEWEST_PROCESSES {
        return Err(usage(format!(
            "`pids` wants at least {FEWEST_PROCESSES}: the sandbox's own programs need some"
        )));
    }
    if bytes(&settings.memory).is_some_and(|memory| memory < LEAST_MEMORY) {
        return Err(usage(format!("`memory` wants at least 128m, not `{}`", settings.memory)));
    }
    for name in settings.env.keys() {
        let word = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if name.is_empty() || !word || name.starts_with(|c: char| c.is_ascii_digit()) {
            return Err(usage(format!("`{name}` cannot be the name of an environment variable")));
        }
        if name.starts_with("AO_SANDBOX_") {
            return Err(usage(format!(
                "`{name}` is our own: variables that begin with `AO_SANDBOX_` cannot be set in the sandbox"
            )));
        }
    }
    for address in &settings.dns {
        if address.parse::<std::net::IpAddr>().is_err() {
            return Err(usage(format!("`dns` wants addresses, not `{address}`")));
        }
    }
    Ok(())
}
