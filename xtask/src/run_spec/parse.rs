//! Values of options as a person writes them: limits, ports, mounts.

use camino::Utf8PathBuf;

use crate::failure::{Exit, Failure};
use crate::workspace::Workspace;

/// A mount that the configuration asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Extra {
    pub(super) source: Utf8PathBuf,
    pub(super) target: Utf8PathBuf,
    pub(super) read_only: bool,
}

/// A published port: of the host's loopback, to the sandbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Port {
    pub(super) host: u16,
    pub(super) inside: u16,
}

/// `auto`, `none`, or an amount that `parse` takes.
pub(super) fn limit<T>(
    name: &str,
    text: &str,
    parse: impl Fn(&str) -> Option<T>,
    auto: impl Fn() -> Option<String>,
) -> anyhow::Result<Option<String>> {
    match text {
        "auto" => Ok(auto()),
        "none" => Ok(None),
        _ if parse(text).is_some() => Ok(Some(text.to_owned())),
        _ => Err(usage(format!(
            "`{name}` wants an amount such as `4g` or `1.5`, `auto` or `none`, not `{text}`"
        ))
        .into()),
    }
}

/// `3000` or `8080:3000`.
pub(super) fn port(text: &str) -> anyhow::Result<Port> {
    let (host, inside) = text.split_once(':').unwrap_or((text, text));
    match (host.parse(), inside.parse()) {
        (Ok(host), Ok(inside)) if inside != 0 => Ok(Port { host, inside }),
        _ => Err(usage(format!("`{text}` is no port: give `3000` or `8080:3000`")).into()),
    }
}

/// `PATH`, `SOURCE:TARGET`, each with `:ro` or `:rw`; `~` is the home folder, and a relative source starts at the workspace.
pub(super) fn extra(text: &str, workspace: &Workspace) -> anyhow::Result<Extra> {
    let (rest, read_only) = match text.strip_suffix(":ro") {
        Some(rest) => (rest, true),
        None => (text.strip_suffix(":rw").unwrap_or(text), false),
    };
    let (source, target) = rest.split_once(':').unwrap_or((rest, ""));
    let source = match source.strip_prefix("~/").zip(crate::context::home()) {
        Some((rest, home)) => home.join(rest),
        None => workspace.path.join(source),
    };
    let real = source
        .canonicalize_utf8()
        .map_err(|error| usage(format!("mount `{text}`: `{source}` cannot be used: {error}")))?;
    // An agent can put a link in the place of a folder of its workspace, and what that leads to would be mounted.
    if source.starts_with(&workspace.path) && !real.starts_with(&workspace.path) {
        return Err(
            usage(format!("mount `{text}`: `{source}` leads out of the workspace, to `{real}`")).into()
        );
    }
    let holds_socket = ["/run", "/var/run", "/var", "/"].contains(&real.as_str());
    if real.file_name() == Some("docker.sock") || holds_socket {
        return Err(usage(format!("mount `{text}`: the engine's socket is the host's root account")).into());
    }
    let source = if source.starts_with(&workspace.path) { real } else { source };
    let target = if target.is_empty() { source.clone() } else { Utf8PathBuf::from(target) };
    if !target.is_absolute() || target == "/" {
        return Err(
            usage(format!("mount `{text}`: the target must be an absolute path in the sandbox")).into()
        );
    }
    Ok(Extra { source, target, read_only })
}

/// A failure of wrong usage.
pub(super) fn usage(message: String) -> Failure {
    Failure::new(Exit::Usage, message)
}
