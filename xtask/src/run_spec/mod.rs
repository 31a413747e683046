//! The options with which a sandbox's container is created: typed, turned into `docker run` arguments, and digested, so that a
//! running container can be compared with what would be created today (design §4).

mod parse;

use std::collections::BTreeMap;

use camino::{Utf8Path, Utf8PathBuf};

use crate::config::keys::Settings;
use crate::digest::sha256;
use crate::docker::environment;
use crate::sizes;
use crate::workspace::{OwnPlace, Workspace};
use parse::{Extra, Port, extra, limit, port, usage};

/// What the entrypoint needs: the packet rules, and a change of user. `agent` holds none of them.
const CAPABILITIES: [&str; 7] = ["NET_ADMIN", "CHOWN", "DAC_OVERRIDE", "FOWNER", "SETUID", "SETGID", "KILL"];

/// The agents whose logins are kept in a volume each, and where that stands.
const VOLUMES: [(&str, &str); 4] = [
    ("claude", "/home/agent/.claude"),
    ("codex", "/home/agent/.codex"),
    ("opencode", "/home/agent/.local/share/opencode"),
    ("pi", "/home/agent/.pi"),
];

/// The names of the login volumes, `ao-sandbox-claude-creds` and so on, with their places. `AO_SANDBOX_VOLUME_PREFIX` gives tests
/// volumes of their own.
pub(crate) fn volumes() -> Vec<(String, &'static str)> {
    let prefix = std::env::var("AO_SANDBOX_VOLUME_PREFIX").unwrap_or_else(|_| "ao-sandbox-".to_owned());
    VOLUMES.iter().map(|(agent, place)| (format!("{prefix}{agent}-creds"), *place)).collect()
}

/// The run options, apart from name, labels and image.
#[derive(Clone, Debug)]
pub(crate) struct RunSpec {
    own: Vec<OwnPlace>,
    extra: Vec<Extra>,
    workdir: Utf8PathBuf,
    uid: u32,
    gid: u32,
    env: BTreeMap<String, String>,
    memory: Option<String>,
    cpus: Option<String>,
    pids: u32,
    ports: Vec<Port>,
    allow: Vec<String>,
    network: String,
    dns: Vec<String>,
    runtime: String,
}

impl RunSpec {
    /// The options for a workspace; every value that the engine would refuse late is refused here.
    pub(crate) fn new(workspace: &Workspace, settings: &Settings) -> anyhow::Result<Self> {
        if settings.network == "host" || settings.network.starts_with("container:") {
            return Err(usage(format!(
                "`network = {}` would share another's firewall and rewrite its rules",
                settings.network
            ))
            .hint("use `bridge` or the name of a Docker network")
            .into());
        }
        Ok(RunSpec {
            own: workspace.mounts(settings.protect_git)?,
            extra: settings
                .mounts
                .iter()
                .map(|text| extra(text, workspace))
                .collect::<anyhow::Result<_>>()?,
            workdir: workspace.path.clone(),
            uid: workspace.uid,
            gid: workspace.gid,
            env: settings.env.clone(),
            memory: limit("memory", &settings.memory, sizes::bytes, sizes::auto_memory)?,
            cpus: limit("cpus", &settings.cpus, sizes::cpus, sizes::auto_cpus)?,
            pids: settings.pids,
            ports: settings.ports.iter().map(|text| port(text)).collect::<anyhow::Result<_>>()?,
            allow: settings.allow.clone(),
            network: settings.network.clone(),
            dns: settings.dns.clone(),
            runtime: settings.runtime.clone(),
        })
    }

    /// The options one by one, for the label by which a difference can be told. Values of variables are digested: a label is
    /// read by anyone who may ask the engine.
    pub(crate) fn described(&self) -> BTreeMap<String, String> {
        let mounts = self.own.iter().map(|place| shown(&place.path, place.read_only));
        let extra = self
            .extra
            .iter()
            .map(|e| shown(Utf8Path::new(&format!("{}:{}", e.source, e.target)), e.read_only));
        let env = self.env.iter().map(|(name, value)| format!("{name}#{}", &sha256(value)[..8]));
        let ports = self.ports.iter().map(|port| format!("{}:{}", port.host, port.inside));
        let text = |list: Vec<String>| list.join(" ");
        BTreeMap::from([
            ("mounts".into(), text(mounts.chain(extra).collect())),
            ("owner".into(), format!("{}:{}", self.uid, self.gid)),
            ("env".into(), text(env.collect())),
            ("memory".into(), self.memory.clone().unwrap_or_default()),
            ("cpus".into(), self.cpus.clone().unwrap_or_default()),
            ("pids".into(), self.pids.to_string()),
            ("ports".into(), text(ports.collect())),
            ("allow".into(), text(self.allow.clone())),
            ("network".into(), self.network.clone()),
            ("dns".into(), text(self.dns.clone())),
            ("runtime".into(), self.runtime.clone()),
            ("form".into(), "1".into()),
        ])
    }

    /// The digest of the options: the label `ao.spec`.
    pub(crate) fn digest(&self) -> String {
        sha256(format!("{:?}", self.described()))
    }

    /// The arguments of `docker run` up to the image.
    pub(crate) fn arguments(&self, name: &str, labels: &[(&str, &str)]) -> Vec<String> {
        let mut args: Vec<String> =
            ["run", "--detach", "--name", name, "--hostname", name].map(str::to_owned).to_vec();
        let mut add = |flag: &str, value: String| args.extend([flag.to_owned(), value]);
        for (label, value) in labels {
            add("--label", format!("{label}={value}"));
        }
        add("--cap-drop", "ALL".into());
        for capability in CAPABILITIES {
            add("--cap-add", capability.into());
        }
        add("--security-opt", "no-new-privileges".into());
        add("--restart", "unless-stopped".into());
        add("--tmpfs", "/run:mode=0755,exec".into());
        add("--workdir", self.workdir.to_string());
        self.add_limits(&mut add);
        self.add_mounts(&mut add);
        self.add_environment(&mut add);
        self.add_network(&mut add);
        args
    }

    fn add_limits(&self, add: &mut impl FnMut(&str, String)) {
        if let Some(memory) = &self.memory {
            add("--memory", memory.clone());
            // Without this the container may use as much swap again.
            add("--memory-swap", memory.clone());
        }
        if let Some(cpus) = &self.cpus {
            add("--cpus", cpus.clone());
        }
        add("--pids-limit", self.pids.to_string());
        if !self.runtime.is_empty() {
            add("--runtime", self.runtime.clone());
        }
    }

    fn add_mounts(&self, add: &mut impl FnMut(&str, String)) {
        for (volume, target) in volumes() {
            add(
                "--mount",
                format!("type=volume,source={volume},target={target},volume-label=ao.sandbox=true"),
            );
        }
        let own = self.own.iter().map(|place| bind(&place.path, &place.path, place.read_only));
        let extra = self.extra.iter().map(|mount| bind(&mount.source, &mount.target, mount.read_only));
        own.chain(extra).for_each(|mount| add("--mount", mount));
    }

    fn add_environment(&self, add: &mut impl FnMut(&str, String)) {
        let folders = self.own.iter().filter(|place| !place.read_only).map(|place| place.path.as_str());
        let ports = self.ports.iter().map(|port| port.inside.to_string());
        for (name, value) in [
            ("AO_SANDBOX_UID", self.uid.to_string()),
            ("AO_SANDBOX_GID", self.gid.to_string()),
            ("AO_SANDBOX_WORKSPACE", self.workdir.to_string()),
            ("AO_SANDBOX_WRITE_ACL", folders.collect::<Vec<_>>().join("\n")),
            ("AO_SANDBOX_ALLOW", self.allow.join("\n")),
            ("AO_SANDBOX_PORTS", ports.collect::<Vec<_>>().join(" ")),
        ] {
            add("--env", format!("{name}={value}"));
        }
        for (name, value) in &self.env {
            add("--env", environment::by_name(name, value));
        }
    }

    /// The values of the variables that the arguments give by name only; they belong in the client's environment.
    pub(crate) fn environment(&self) -> impl Iterator<Item = (String, String)> {
        self.env
            .iter()
            .filter(|(name, _)| !environment::is_clients_own(name))
            .map(|(name, value)| (name.clone(), value.clone()))
    }

    fn add_network(&self, add: &mut impl FnMut(&str, String)) {
        add("--network", self.network.clone());
        add("--add-host", "host.docker.internal:host-gateway".into());
        for address in &self.dns {
            add("--dns", address.clone());
        }
        for port in &self.ports {
            add("--publish", format!("127.0.0.1:{}:{}", port.host, port.inside));
        }
    }
}

/// The options that differ between a container's label and today, as lines for a person.
pub(crate) fn differences(label: Option<&str>, today: &BTreeMap<String, String>) -> Vec<String> {
    let then: BTreeMap<String, String> =
        label.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    let shown = |text: Option<&String>| match text.map(String::as_str) {
        None | Some("") => "nothing".to_owned(),
        Some(text) => format!("`{text}`"),
    };
    let differs = today.iter().filter(|(name, value)| then.get(*name) != Some(value));
    differs
        .map(|(name, value)| {
            format!("{name}: {} at its creation, {} today", shown(then.get(name)), shown(Some(value)))
        })
        .collect()
}

fn shown(path: &Utf8Path, read_only: bool) -> String {
    if read_only { format!("{path}:ro") } else { path.to_string() }
}

/// A `--mount` value. It is one line of CSV, so a field with a comma or a quote is quoted.
fn bind(source: &Utf8Path, target: &Utf8Path, read_only: bool) -> String {
    let field = |key: &str, path: &Utf8Path| {
        let text = format!("{key}={path}");
        if text.contains([',', '"']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
    };
    let end = if read_only { ",readonly" } else { "" };
    format!("type=bind,{},{}{end}", field("source", source), field("target", target))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(change: impl FnOnce(&mut Settings)) -> anyhow::Result<RunSpec> {
        let text = crate::config::keys::KEYS.map(|key| format!("{} = {}", key.name, key.default)).join("\n");
        let mut settings: Settings = toml::from_str(&text).unwrap();
        change(&mut settings);
        let workspace = Workspace { path: "/w/a, \"b\"".into(), uid: 1001, gid: 1002 };
        RunSpec::new(&workspace, &settings)
    }

    #[test]
    fn the_arguments_hold_the_contract() {
        let args = spec(|_| ()).unwrap().arguments("ao-sandbox-app", &[("ao.sandbox", "true")]);
        let line = args.join(" ");
        for part in [
            "--name ao-sandbox-app --hostname ao-sandbox-app",
            "--label ao.sandbox=true",
            "--cap-drop ALL",
            "--security-opt no-new-privileges",
            "source=ao-sandbox-claude-creds,target=/home/agent/.claude",
            "AO_SANDBOX_UID=1001",
            "--pids-limit 4096",
        ] {
            assert!(line.contains(part), "{part} in {line}");
        }
        assert!(!line.contains("NET_RAW") && !line.contains("SYS_ADMIN"));
    }

    #[test]
    fn a_path_with_comma_and_quote_survives_the_csv() {
        let args = spec(|_| ()).unwrap().arguments("n", &[]);
        assert!(
            args.contains(&r#"type=bind,"source=/w/a, ""b""","target=/w/a, ""b""""#.to_owned()),
            "{args:?}"
        );
    }

    #[test]
    fn what_the_engine_would_refuse_late_is_refused_here() {
        let refused = |change: fn(&mut Settings)| spec(change).is_err();
        assert!(refused(|s| s.memory = "lots".into()));
        assert!(refused(|s| s.cpus = "0".into()));
        assert!(refused(|s| s.ports = vec!["http".into()]));
        assert!(refused(|s| s.mounts = vec!["/no/such/place".into()]));
        assert!(refused(|s| s.mounts = vec!["/tmp:relative".into()]));
        assert!(refused(|s| s.network = "host".into()));
        assert!(refused(|s| s.network = "container:x".into()));
    }

    #[test]
    fn differences_are_told_and_secrets_are_not() {
        let old = spec(|s| drop(s.env.insert("TOKEN".into(), "old-secret".into()))).unwrap();
        let new = spec(|s| {
            drop(s.env.insert("TOKEN".into(), "new-secret".into()));
            s.pids = 7;
        });
        let new = new.unwrap();
        assert_ne!(old.digest(), new.digest());
        let label = serde_json::to_string(&old.described()).unwrap();
        let lines = differences(Some(&label), &new.described());
        assert_eq!(lines.len(), 2, "{lines:?}");
        assert!(lines.contains(&"pids: `4096` at its creation, `7` today".to_owned()), "{lines:?}");
        assert!(!label.contains("secret"));
    }
}
