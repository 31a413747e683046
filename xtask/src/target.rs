//! The machine types that a sandbox can have, in the words of cargo, of the engine and of ELF.

use crate::failure::{Exit, Failure};

/// A machine type for which `workflow` is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    X86_64,
    Aarch64,
}

impl Target {
    pub(crate) const ALL: [Target; 2] = [Target::X86_64, Target::Aarch64];

    /// This machine's own.
    pub(crate) fn host() -> Self {
        if cfg!(target_arch = "aarch64") { Target::Aarch64 } else { Target::X86_64 }
    }

    /// From a triple, an architecture or a platform in any of the usual spellings.
    pub(crate) fn parse(text: &str) -> anyhow::Result<Self> {
        let word = text.strip_prefix("linux/").unwrap_or(text).split(['-', '/']).next().unwrap_or_default();
        match word {
            "x86_64" | "amd64" | "x64" => Ok(Target::X86_64),
            "aarch64" | "arm64" => Ok(Target::Aarch64),
            _ => Err(Failure::new(Exit::Usage, format!("no `workflow` for machine type `{text}`"))
                .hint("the machine types are x86_64 (amd64) and aarch64 (arm64)")
                .into()),
        }
    }

    pub(crate) fn triple(self) -> &'static str {
        match self {
            Target::X86_64 => "x86_64-unknown-linux-musl",
            Target::Aarch64 => "aarch64-unknown-linux-musl",
        }
    }

    /// The engine's word.
    pub(crate) fn platform(self) -> &'static str {
        match self {
            Target::X86_64 => "linux/amd64",
            Target::Aarch64 => "linux/arm64",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_is_understood_and_others_are_refused() {
        for text in ["x86_64-unknown-linux-musl", "amd64", "linux/amd64", "x86_64"] {
            assert_eq!(Target::parse(text).unwrap(), Target::X86_64);
        }
        assert_eq!(Target::parse("linux/arm64/v8").unwrap(), Target::Aarch64);
        assert!(Target::parse("riscv64").is_err());
        assert!(Target::parse("").is_err());
    }
}
