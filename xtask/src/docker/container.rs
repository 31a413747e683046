//! A container as the engine describes it; every state has a name.

use std::collections::BTreeMap;

use serde::Deserialize;

/// The states that the engine documents for a container.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(from = "String")]
pub(crate) enum Status {
    Created,
    Running,
    Paused,
    Restarting,
    Removing,
    Exited,
    Dead,
    /// A word that we do not know, as the engine wrote it.
    Unknown(String),
}

impl From<String> for Status {
    fn from(word: String) -> Self {
        match word.as_str() {
            "created" | "configured" | "initialized" => Status::Created,
            "running" => Status::Running,
            "paused" => Status::Paused,
            "restarting" => Status::Restarting,
            "removing" => Status::Removing,
            "exited" | "stopped" => Status::Exited,
            "dead" => Status::Dead,
            _ => Status::Unknown(word),
        }
    }
}

impl std::fmt::Display for Status {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Status::Created => "created",
            Status::Running => "running",
            Status::Paused => "paused",
            Status::Restarting => "restarting",
            Status::Removing => "removing",
            Status::Exited => "exited",
            Status::Dead => "dead",
            Status::Unknown(word) => word,
        })
    }
}

/// `docker container inspect`, as far as we ask.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Container {
    pub(crate) id: String,
    name: String,
    pub(crate) state: State,
    pub(crate) config: Config,
    #[serde(default)]
    pub(crate) created: String,
    #[serde(default)]
    pub(crate) restart_count: u32,
    #[serde(default)]
    pub(crate) network_settings: NetworkSettings,
    #[serde(default)]
    pub(crate) mounts: Vec<Mount>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct State {
    pub(crate) status: Status,
    #[serde(default)]
    pub(crate) exit_code: i64,
    #[serde(default)]
    pub(crate) started_at: String,
    #[serde(default, rename = "OOMKilled")]
    pub(crate) oom_killed: bool,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Config {
    #[serde(default)]
    pub(crate) hostname: String,
    #[serde(default)]
    pub(crate) image: String,
    #[serde(default)]
    labels: Option<BTreeMap<String, String>>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct NetworkSettings {
    #[serde(default)]
    pub(crate) ports: Option<BTreeMap<String, Option<Vec<HostPort>>>>,
}

#[derive(Clone, Debug, Deserialize, serde::Serialize)]
pub(crate) struct HostPort {
    #[serde(rename(deserialize = "HostIp"), default)]
    pub(crate) host_ip: String,
    #[serde(rename(deserialize = "HostPort"), default)]
    pub(crate) host_port: String,
}

#[derive(Clone, Debug, Deserialize, serde::Serialize)]
pub(crate) struct Mount {
    #[serde(rename(deserialize = "Type"), default)]
    pub(crate) kind: String,
    #[serde(rename(deserialize = "Name"), default)]
    pub(crate) volume: String,
    #[serde(rename(deserialize = "Source"), default)]
    pub(crate) source: String,
    #[serde(rename(deserialize = "Destination"), default)]
    pub(crate) destination: String,
    #[serde(rename(deserialize = "RW"), default)]
    pub(crate) writable: bool,
}

impl Container {
    pub(crate) fn label(&self, name: &str) -> Option<&str> {
        self.config.labels.as_ref()?.get(name).map(String::as_str)
    }

    /// The name without the slash that the engine puts before it.
    pub(crate) fn name(&self) -> &str {
        self.name.trim_start_matches('/')
    }

    pub(crate) fn is_running(&self) -> bool {
        self.state.status == Status::Running
    }

    pub(crate) fn is_ours(&self) -> bool {
        self.label("ao.sandbox") == Some("true")
    }
}

/// A line of `docker ps`.
#[derive(Clone, Debug, Deserialize, serde::Serialize)]
pub(crate) struct Listed {
    pub(crate) id: String,
    pub(crate) name: String,
    #[serde(rename(serialize = "state", deserialize = "state"))]
    pub(crate) state: String,
    /// The engine's words for the state and since when.
    pub(crate) status: String,
    pub(crate) workspace: String,
    pub(crate) ports: String,
    pub(crate) image: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_of_the_engine_is_read() {
        let text = r#"{"Id":"abc","Name":"/ao-sandbox-app","State":{"Status":"exited","ExitCode":3},
            "Config":{"Hostname":"ao-sandbox-app","Labels":{"ao.sandbox":"true"}},
            "NetworkSettings":{"Ports":{"3000/tcp":[{"HostIp":"127.0.0.1","HostPort":"3000"}],"1/tcp":null}}}"#;
        let container: Container = serde_json::from_str(text).unwrap();
        assert_eq!(container.name(), "ao-sandbox-app");
        assert_eq!(container.state.status, Status::Exited);
        assert!(container.is_ours() && !container.is_running());
    }

    #[test]
    fn an_unknown_state_keeps_its_word() {
        assert_eq!(Status::from("melting".to_owned()).to_string(), "melting");
    }

    #[test]
    fn labels_may_be_null() {
        let config: Config = serde_json::from_str(r#"{"Labels":null}"#).unwrap();
        assert_eq!(config.labels, None);
    }
}
