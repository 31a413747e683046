//! How a variable is handed to a container without its value standing on a command line.

/// Variables go to the engine's client through its environment, so that `ps` does not show their values, except those that the
/// client itself would obey.
pub(crate) fn by_name(name: &str, value: &str) -> String {
    if is_clients_own(name) { format!("{name}={value}") } else { name.to_owned() }
}

/// A variable that changes what the engine's client does.
pub(crate) fn is_clients_own(name: &str) -> bool {
    ["PATH", "HOME", "SSH_AUTH_SOCK", "TMPDIR", "XDG_RUNTIME_DIR"].contains(&name)
        || ["DOCKER_", "LD_", "BUILDKIT_"].iter().any(|prefix| name.starts_with(prefix))
        || name.to_ascii_lowercase().ends_with("_proxy")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_stay_off_the_command_line_unless_the_client_would_obey_them() {
        assert_eq!(by_name("TOKEN", "s3cret"), "TOKEN");
        assert_eq!(by_name("PATH", "/x"), "PATH=/x");
        assert_eq!(by_name("https_proxy", "http://p"), "https_proxy=http://p");
    }
}
