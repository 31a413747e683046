//! Every key of the configuration: its form, its default, how layers combine, and whether a workspace's own file may set it.

use serde::Deserialize;
use std::collections::BTreeMap;

/// The form of a key's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Text,
    Number,
    Flag,
    /// A list; later layers add to it.
    List,
    /// A list; a later layer takes the place of the earlier one.
    Choice,
    /// Names with values; later layers add and override.
    Map,
}

/// One key.
#[derive(Debug)]
pub(crate) struct Key {
    pub(crate) name: &'static str,
    pub(crate) form: Form,
    /// The default, written as TOML.
    pub(crate) default: &'static str,
    pub(crate) about: &'static str,
}

const fn key(name: &'static str, form: Form, default: &'static str, about: &'static str) -> Key {
    Key { name, form, default, about }
}

/// All keys, in the order in which `config` shows them.
pub(crate) const KEYS: [Key; 16] = [
    key("image", Form::Text, "'ao-sandbox:latest'", "name and tag of the image"),
    key(
        "base",
        Form::Text,
        "'debian:trixie-slim'",
        "the image under ours; built from packages where no image registry answers",
    ),
    key("agents", Form::Choice, "['claude']", "agents in the image: claude, codex, opencode, pi, bun"),
    key("profile", Form::Text, "'quick'", "cargo profile of `workflow`: quick or release"),
    key("memory", Form::Text, "'auto'", "memory limit, as `4g`; auto: three quarters of this machine's"),
    key("cpus", Form::Text, "'auto'", "CPU limit, as `1.5`; auto: nine tenths of this machine's"),
    key("pids", Form::Number, "4096", "limit of processes"),
    key("env", Form::Map, "{}", "environment variables of the sandbox"),
    key("mounts", Form::List, "[]", "further folders: `PATH`, `SOURCE:TARGET`, with `:ro` for read-only"),
    key("ports", Form::List, "[]", "published ports, on loopback: `3000`, `8080:3000`"),
    key("allow", Form::List, "[]", "names the sandbox may reach, besides the allowlist asset"),
    key("network", Form::Text, "'bridge'", "Docker network"),
    key("dns", Form::List, "[]", "upstream resolvers, by address"),
    key("runtime", Form::Text, "''", "OCI runtime, where not the engine's default"),
    key("protect-git", Form::Flag, "true", "mount .git/hooks and .git/config read-only"),
    key("ca-bundle", Form::Text, "'auto'", "CA bundle for image and sandbox: a path, auto, or none"),
];

/// The key of this name.
pub(crate) fn find(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.name == name)
}

/// The names of all keys, for the error about an unknown one.
pub(crate) fn names() -> String {
    KEYS.map(|key| format!("`{}`", key.name)).join(", ")
}

/// The whole configuration, validated in form.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Settings {
    pub(crate) image: String,
    pub(crate) base: String,
    pub(crate) agents: Vec<String>,
    pub(crate) profile: String,
    pub(crate) memory: String,
    pub(crate) cpus: String,
    pub(crate) pids: u32,
    pub(crate) env: BTreeMap<String, String>,
    pub(crate) mounts: Vec<String>,
    pub(crate) ports: Vec<String>,
    pub(crate) allow: Vec<String>,
    pub(crate) network: String,
    pub(crate) dns: Vec<String>,
    pub(crate) runtime: String,
    pub(crate) protect_git: bool,
    pub(crate) ca_bundle: String,
}
