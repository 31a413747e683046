#!/bin/sh
# Installs Debian packages and leaves nothing behind that the image does not need: install-packages.sh PACKAGE...
set -eu

export DEBIAN_FRONTEND=noninteractive
here=/usr/share/ao-sandbox

# A copied file has the mode that it had on the host, whatever its umask was.
chmod 0644 /etc/dpkg/dpkg.cfg.d/ao-sandbox /etc/apt/apt.conf.d/90ao-sandbox
chmod 0755 /usr/sbin/policy-rc.d

sh "$here/trust-ca.sh"
apt-get update -q
apt-get install -q -y --no-install-recommends "$@"
sh "$here/trust-ca.sh"

# `no-new-privileges` makes these bits void in a sandbox; without them they are void elsewhere too.
find / -xdev -type f -perm /6000 -exec chmod ug-s {} +

apt-get clean
rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin /var/cache/debconf/*-old /var/cache/ldconfig/* \
    /var/lib/dpkg/*-old /tmp/*
find /var/log -type f -delete
