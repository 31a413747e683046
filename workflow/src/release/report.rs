//! Answers as people read them.

use super::answer::{Action, Answer, Installed, Status};
use super::recover::Recovered;

/// The answer of an install: a line per file, the firewall, the build, and how it ended.
pub(crate) fn answer(answer: &Answer) -> String {
    let mut lines: Vec<String> = Vec::new();
    for file in &answer.files {
        let action = match file.action {
            Action::Pushed => "pushed",
            Action::Unchanged => "unchanged",
            Action::Removed => "removed",
        };
        lines.push(format!("{action:<10} {} ({} bytes)", file.path, file.size));
    }
    if let Some(run) = &answer.firewall {
        lines.push(format!("{:<10} {} ms", if run.ok { "firewall" } else { "no firewall" }, run.millis));
    }
    if let Some(build) = &answer.build {
        lines.push(format!("{:<10} {}", "build", build.build));
    }
    if answer.entrypoint_changed && answer.status == Status::Installed {
        lines.push("the changed entrypoint takes effect at the next restart".to_owned());
    }
    lines.push(format!("{:<10} {}", word(answer.status), answer.release).trim_end().to_owned());
    lines.join("\n")
}

fn word(status: Status) -> &'static str {
    match status {
        Status::Installed => "installed",
        Status::Unchanged => "unchanged",
        Status::RolledBack => "rolled back",
        Status::Refused => "refused",
        Status::BaseMismatch => "mismatch",
    }
}

/// What is installed.
pub(crate) fn installed(installed: &Installed) -> String {
    let mut lines = vec![format!("release    {}", installed.release.as_deref().unwrap_or("none"))];
    lines.push(format!("previous   {}", installed.previous.as_deref().unwrap_or("none")));
    for file in &installed.files {
        let differs = installed.differing.as_ref().is_some_and(|paths| paths.contains(&file.path));
        lines.push(format!(
            "{:<10} {} ({} bytes)",
            if differs { "differs" } else { "file" },
            file.path,
            file.size
        ));
    }
    if installed.interrupted {
        lines.push(
            "an install was broken off; the next one, or `workflow release recover`, undoes it".to_owned(),
        );
    }
    lines.join("\n")
}

/// What a recovery did; nothing where there was nothing to do.
pub(crate) fn recovered(recovered: &Recovered) -> Option<String> {
    match recovered {
        Recovered::Nothing => None,
        Recovered::Undone { to, firewall: None } => Some(format!("undid the broken-off install of `{to}`")),
        Recovered::Undone { to, firewall: Some(reason) } => {
            Some(format!("undid the broken-off install of `{to}`, but the firewall {reason}"))
        }
        Recovered::Finished { to } => Some(format!("finished the install of `{to}`")),
        Recovered::Unreadable(reason) => Some(format!("dropped a journal that cannot be read: {reason}")),
    }
}
