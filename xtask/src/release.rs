//! What `workflow release …` answers inside the sandbox: the other half of the release protocol (design §5).

use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::manifest::Manifest;

/// How an install ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Status {
    Installed,
    Unchanged,
    RolledBack,
    Refused,
    /// Files that were not pushed are not there either; `missing` names them.
    BaseMismatch,
}

/// A file and what was done with it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct FileAction {
    pub(crate) path: String,
    pub(crate) action: String,
    #[serde(default)]
    pub(crate) size: u64,
}

/// How the firewall took the new files.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Firewall {
    pub(crate) ran: bool,
    pub(crate) ok: bool,
    #[serde(default)]
    pub(crate) millis: u64,
    #[serde(default)]
    pub(crate) message: String,
}

/// The answer to `release install` and `release rollback`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Answer {
    pub(crate) status: Status,
    pub(crate) release: String,
    #[serde(default)]
    pub(crate) previous: Option<String>,
    #[serde(default)]
    pub(crate) files: Vec<FileAction>,
    #[serde(default)]
    pub(crate) firewall: Option<Firewall>,
    /// What the installed binary said of itself (`workflow version --json`).
    #[serde(default)]
    pub(crate) build: Option<Value>,
    #[serde(default)]
    pub(crate) entrypoint_changed: bool,
    #[serde(default)]
    pub(crate) missing: Vec<String>,
    #[serde(default)]
    pub(crate) error: Option<String>,
}

/// The answer to `release status --verify`.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Installed {
    #[serde(flatten)]
    pub(crate) manifest: Manifest,
    /// The files are what the manifest says.
    #[serde(default)]
    pub(crate) ok: bool,
    #[serde(default)]
    pub(crate) differing: Vec<String>,
    #[serde(default)]
    pub(crate) previous: Option<String>,
    #[serde(default)]
    pub(crate) interrupted: bool,
}

/// Reads an answer from the last line of an output.
pub(crate) fn parse<T: for<'a> Deserialize<'a>>(stdout: &str) -> anyhow::Result<T> {
    let start = stdout.find('{').unwrap_or(0);
    serde_json::from_str(stdout[start..].trim())
        .with_context(|| format!("the sandbox's `workflow` answered what we cannot read: {}", stdout.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_and_rubbish_is_refused() {
        let answer: Answer =
            parse(r#"{"status":"rolled-back","release":"r","error":"the firewall failed"}"#).unwrap();
        assert_eq!(
            (answer.status, answer.error.as_deref()),
            (Status::RolledBack, Some("the firewall failed"))
        );
        assert!(parse::<Answer>("").is_err());
        assert!(parse::<Answer>("{\"status\":\"melted\",\"release\":\"r\"}").is_err());
    }
}
