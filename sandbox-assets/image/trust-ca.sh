#!/bin/sh
# Makes the image trust the certificates of ca-bundle.crt. An empty bundle: does nothing. May be repeated.
#
# The certificates that Debian does not have go, one to a file, where update-ca-certificates looks for local ones, so
# that every later run of it (an upgrade of ca-certificates, for instance) keeps them.
set -eu

bundle=/usr/share/ao-sandbox/ca-bundle.crt
merged=/etc/ssl/certs/ca-certificates.crt
local_folder=/usr/local/share/ca-certificates/ao-sandbox

[ -s "$bundle" ] || exit 0

rm -rf "$local_folder"
mkdir -p "$local_folder" "${merged%/*}"
set --
for file in /usr/share/ca-certificates/mozilla/*.crt; do
    if [ -e "$file" ]; then set -- "$@" "$file"; fi
done
awk -v bundle="$bundle" -v folder="$local_folder" '
    /-----BEGIN CERTIFICATE-----/ { body = ""; text = ""; inside = 1; next }
    /-----END CERTIFICATE-----/ {
        inside = 0
        if (FILENAME == bundle) seen++
        if (FILENAME == bundle && !(body in known)) {
            file = sprintf("%s/ao-sandbox-%03d.crt", folder, ++added)
            printf "-----BEGIN CERTIFICATE-----\n%s-----END CERTIFICATE-----\n", text > file
            close(file)
        }
        known[body]
        next
    }
    inside { gsub(/[ \t\r]/, ""); body = body $0; text = text $0 "\n" }
    END {
        if (!seen) { printf "error: `ca-bundle.crt` holds no PEM certificate\n" > "/dev/stderr"; exit 1 }
        printf "ca-bundle.crt: %d certificates, %d of them unknown to Debian\n", seen, added
    }
' "$@" "$bundle"

if command -v update-ca-certificates >/dev/null; then
    update-ca-certificates >/dev/null
else
    cp "$bundle" "$merged"
fi
