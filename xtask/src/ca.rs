//! A company's certificate authority (design §11): where TLS is intercepted, image and sandbox must trust what this machine trusts.

use std::fs;

use anyhow::Context as _;
use camino::{Utf8Path, Utf8PathBuf};

use crate::context::Context;
use crate::failure::{Exit, Failure};

/// Variables by which programs are told of another CA bundle than the system's.
const VARIABLES: [&str; 5] =
    ["SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "CARGO_HTTP_CAINFO"];
/// Where Debian, Ubuntu, Alpine and Arch, then Red Hat keep the system's bundle.
const BUNDLES: [&str; 2] = ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt"];
/// Where an administrator adds authorities.
const ADDED: [&str; 2] = ["/usr/local/share/ca-certificates", "/etc/pki/ca-trust/source/anchors"];

/// The bundle that image and sandbox are to trust besides their own; empty where none is needed.
pub(crate) fn bundle(cx: &Context, setting: &str) -> anyhow::Result<Vec<u8>> {
    match setting {
        "none" => Ok(vec![]),
        "auto" => Ok(found().and_then(|path| fs::read(path).ok()).unwrap_or_default()),
        path => {
            let path = cx.cwd.join(path);
            let bytes = fs::read(&path).with_context(|| format!("failed to read the CA bundle `{path}`"))?;
            if !bytes.windows(27).any(|window| window == b"-----BEGIN CERTIFICATE-----") {
                return Err(
                    Failure::new(Exit::Usage, format!("`{path}` holds no certificate in PEM form")).into()
                );
            }
            Ok(bytes)
        }
    }
}

/// The bundle of this machine, where something says that its network needs one.
pub(crate) fn found() -> Option<Utf8PathBuf> {
    let named = VARIABLES.iter().filter_map(|name| std::env::var(name).ok()).map(Utf8PathBuf::from);
    let added = ADDED.iter().any(|folder| has_certificate(Utf8Path::new(folder)));
    let system = BUNDLES.iter().filter(|_| added).map(Utf8PathBuf::from);
    named.chain(system).find(|path| path.is_file())
}

fn has_certificate(folder: &Utf8Path) -> bool {
    let Ok(entries) = folder.read_dir_utf8() else { return false };
    entries.filter_map(Result::ok).any(|entry| matches!(entry.path().extension(), Some("crt" | "pem")))
}
