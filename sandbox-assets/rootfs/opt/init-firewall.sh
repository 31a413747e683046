#!/bin/bash
# Applies the network policy: renders it beside the one in force, lets each program check its part, loads the packet rules in
# one transaction, moves the daemons over, and proves by behaviour that it stands. Exit 0: it stands. Exit 1: it does not;
# the rules that were in force before are in force still (at the first run: none, and nothing gets out).
# With --if-changed, a policy that renders as the one in force is left alone.
set -eu
umask 022
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH

run=/run/ao-sandbox
new=$run/network.new
current=$run/network

die() {
    printf 'init-firewall: %s\n' "$1" >&2
    exit 1
}

# The kernel says whether this is the first run: files survive a restart where /run is no tmpfs, packet rules do not.
is_first() {
    ! nft list table inet ao_sandbox >/dev/null 2>&1
}

load() {
    nft -f "$1/ruleset.nft" || die 'nft refused the packet rules'
}

# Each program's own checker, side by side; what did not change was checked before.
check() {
    local jobs=() job
    nft -c -f "$new/ruleset.nft" & jobs+=($!)
    if ! cmp -s "$new/dnsmasq.conf" "$current/dnsmasq.conf" || ! cmp -s "$new/servers" "$current/servers"; then
        dnsmasq --test --conf-file="$new/dnsmasq.conf" --conf-file="$new/servers" 2>"$new/dnsmasq.said" & jobs+=($!)
    fi
    if ! cmp -s "$new/servers.cfg" "$current/servers.cfg" || ! cmp -s "$new/haproxy.cfg" "$current/haproxy.cfg"; then
        haproxy -c -q -f "$new/haproxy.cfg" -f "$new/servers.cfg" & jobs+=($!)
    fi
    for job in "${jobs[@]}"; do
        wait "$job" || { cat "$new"/*.said >&2; die 'a checker refused the new policy; the old one stays'; }
    done
}

# Back to the policy in force: its packet rules, then the proxy's maps. A policy that cannot be settled again still denies.
go_back() {
    [[ -e $current/ruleset.nft ]] || die 'the policy does not stand, and there is none to go back to'
    printf 'init-firewall: the new policy does not stand; going back to the one before\n' >&2
    load "$current"
    workflow network settle "$(readlink -f "$current")" || die 'the policy before does not stand either'
    exit 1
}

first_run() {
    load "$new"
    workflow network start "$new" || die 'a daemon of the network policy did not start'
    workflow network settle "$new" || die 'the network policy does not stand'
}

# New daemons are up before the rules point at them.
again() {
    check
    workflow network start "$new" || die 'a daemon of the new policy did not start; the old policy stays'
    load "$new"
    workflow network settle "$new" || go_back
}

# Without the lock: a run beside this one renders what is installed too.
if [[ ${1:-} == --if-changed ]]; then
    look=$run/network.look.$$
    if workflow network render --out "$look" 2>/dev/null && diff -r "$look" "$current/" >/dev/null; then
        rm -rf "$look"
        exit 0
    fi
    rm -rf "$look"
fi

mkdir -p "$run"
exec 9>"$run/network.lock"
flock -w 20 9 || die 'another run holds the lock'

if is_first; then
    rm -rf "$new" "$current" "$current".[12]
    workflow network render --out "$new" || exit 1
    first_run
else
    workflow network render --out "$new" || exit 1
    if ! diff -r "$new" "$current/" >/dev/null; then
        again
    else
        # The same policy was checked and has its daemons: rules that somebody changed are put right, and all is proved anew.
        load "$new"
        workflow network settle "$new" || again
    fi
fi
