//! The check of a built `workflow`: an ELF executable of the right machine type that needs nothing from where it lands.
//!
//! "Statically linked" in the output of `file` is no proof; what counts is that there is no interpreter and no needed library.

use anyhow::{Context as _, bail};
use object::read::elf::{Dyn as _, ElfFile64, FileHeader as _, ProgramHeader as _};
use object::{Endianness, elf};

use crate::target::Target;

/// Fails with the reason where these bytes are not a static executable for the target.
pub(crate) fn check(bytes: &[u8], target: Target) -> anyhow::Result<()> {
    let file = ElfFile64::<Endianness>::parse(bytes).context("it is not a 64-bit ELF file")?;
    let endian = file.endian();
    let header = file.elf_header();
    let machine = header.e_machine(endian);
    let wanted = match target {
        Target::X86_64 => elf::EM_X86_64,
        Target::Aarch64 => elf::EM_AARCH64,
    };
    if machine != wanted {
        bail!("it is built for ELF machine {machine}, and the sandbox wants {wanted} ({})", target.triple());
    }
    for segment in header.program_headers(endian, bytes).context("its program headers cannot be read")? {
        if let Some(path) = segment.interpreter(endian, bytes).context("its interpreter cannot be read")? {
            bail!(
                "it is a dynamic executable: it asks for the interpreter `{}`",
                String::from_utf8_lossy(path)
            );
        }
        if let Some(entries) = segment.dynamic(endian, bytes).context("its dynamic section cannot be read")? {
            let needed = entries.iter().filter(|entry| entry.tag32(endian) == Some(elf::DT_NEEDED)).count();
            if needed > 0 {
                bail!("it is a dynamic executable: it needs {needed} shared libraries");
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dynamic_executable_is_refused() {
        // The test binary itself is one on the usual hosts (glibc, or a Mach-O or PE file, which is no ELF at all).
        let own = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let error = check(&own, Target::host()).unwrap_err();
        assert!(
            format!("{error:#}").contains("dynamic") || format!("{error:#}").contains("ELF"),
            "{error:#}"
        );
    }

    #[test]
    fn rubbish_and_scripts_are_refused() {
        for bytes in [&b""[..], b"#!/bin/sh\n", b"\x7fELF", &[0x7f; 4096]] {
            assert!(check(bytes, Target::X86_64).is_err());
        }
    }
}
