#!/bin/sh
# Installs npm, points npm and pip at the registries, and notes which those are: install-npm.sh VERSION NPM_REGISTRY PIP_INDEX
# (the last two may be empty: then the clients' own defaults stand).
set -eu

version=$1 npm_registry=$2 pip_index=$3
here=/usr/share/ao-sandbox

# corepack, which comes with Debian's nodejs, fetches the first npm. It puts a slash of its own behind the registry.
if [ -n "$npm_registry" ]; then
    export COREPACK_NPM_REGISTRY="${npm_registry%/}" npm_config_registry="$npm_registry"
fi
export HOME=/tmp/home COREPACK_HOME=/tmp/corepack COREPACK_ENABLE_DOWNLOAD_PROMPT=0
corepack "npm@$version" install --global --prefix /usr/local --no-fund --no-audit --loglevel error "npm@$version"

# npm's built-in settings, which survive `npm install -g npm`. Without a prefix it would install beside node, in /usr.
{
    printf 'prefix=/usr/local\nupdate-notifier=false\nfund=false\n'
    if [ -n "$npm_registry" ]; then printf 'registry=%s\n' "$npm_registry"; fi
} > /usr/local/lib/node_modules/npm/npmrc

# There is no system Python to protect from pip in a sandbox: what `agent` installs goes to ~/.local anyway.
{
    printf '[global]\nbreak-system-packages = true\n'
    if [ -n "$pip_index" ]; then printf 'index-url = %s\n' "$pip_index"; fi
} > /etc/pip.conf

npm --version
python3 "$here/registries.py" > "$here/registries.json"

rm -rf /usr/local/lib/node_modules/npm/docs /usr/local/lib/node_modules/npm/man /tmp/*
