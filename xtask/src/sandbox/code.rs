//! `sandbox-code`: VS Code attached to the sandbox's container (its Dev Containers extension).

use super::running;
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::flags;
use crate::run::{Cmd, on_path};
use crate::workspace::Workspace;

impl flags::SandboxCode {
    pub(crate) fn run(self, cx: &Context) -> anyhow::Result<()> {
        let workspace = Workspace::locate(cx, Some(&self.path))?;
        let container = running(cx, &workspace)?;
        let uri = folder_uri(container.name(), workspace.path.as_str());
        let cmd = Cmd::new("code").args(["--folder-uri", &uri]);
        if self.dry_run {
            cx.ui.data(cmd.shown());
            return Ok(());
        }
        if !on_path("code") {
            return Err(Failure::new(Exit::Failed, "the command `code` of VS Code is not installed")
                .hint(format!(
                    "install VS Code with the Dev Containers extension, or open this folder in it: {uri}"
                ))
                .into());
        }
        cmd.run()
    }
}

/// The URI of a folder in a container: the authority is the hexadecimal form of the container's name, as the extension wants it.
fn folder_uri(container: &str, folder: &str) -> String {
    let name = format!("/{container}");
    let hex: String = name.bytes().map(|byte| format!("{byte:02x}")).collect();
    let path = folder.split('/').map(percent_encoded).collect::<Vec<_>>().join("/");
    format!("vscode-remote://attached-container+{hex}{path}")
}

fn percent_encoded(part: &str) -> String {
    let encode = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    part.bytes().map(encode).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_uri_names_container_and_folder() {
        assert_eq!(folder_uri("ab", "/w/my app"), "vscode-remote://attached-container+2f6162/w/my%20app");
    }
}
