#!/bin/sh
# Makes the user `agent`, its home from the skeleton, and the folders whose owner and mode a volume or a release inherits.
set -eu

skeleton=/usr/share/ao-sandbox/home-skeleton
chmod -R u=rwX,go=rX /usr/share/ao-sandbox

# 1000:1000 is where it starts; the entrypoint gives it the numbers of the workspace's owner.
# A base may have a user of these numbers.
if other=$(getent passwd 1000); then userdel "${other%%:*}"; fi
groupadd --gid 1000 agent
useradd --uid 1000 --gid 1000 --home-dir /home/agent --no-create-home --shell /usr/bin/zsh agent
cp -R "$skeleton" /home/agent
# A fresh named volume takes content, owner and mode from the folder it is mounted on.
mkdir -p /home/agent/.cache /home/agent/.claude /home/agent/.codex /home/agent/.local/share/opencode /home/agent/.local/bin /home/agent/.pi/agent
chown -R 1000:1000 /home/agent
chmod 0750 /home/agent
chmod 0700 /home/agent/.claude /home/agent/.codex /home/agent/.local/share/opencode /home/agent/.pi

mkdir -p /etc/ao-sandbox /var/lib/ao-sandbox
chmod 0700 /var/lib/ao-sandbox

# A workspace may belong to somebody else than `agent` (to root, for instance). git's check protects a user from the
# repositories of others on the same machine; here there is one user, and the sandbox is the boundary.
git config --system safe.directory '*'
# No helper keeps a password: what comes in by the environment is gone with the process.
git config --system credential.helper ''
git config --system init.defaultBranch main
