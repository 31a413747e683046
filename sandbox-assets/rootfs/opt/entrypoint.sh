#!/bin/bash
# PID 1 of a sandbox: makes `agent` fit the owner of the workspace, lays its home, applies the firewall, and only then says
# that the sandbox is ready. No firewall, no agent: where it fails, the container ends and says why. What lasts is s6-svscan,
# which supervises the daemons of the firewall, reaps, and ends at once on SIGTERM.
set -eu
umask 022
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH

run=/run/ao-sandbox
services=/run/service
home=/home/agent
state=/var/lib/ao-sandbox

say() {
    printf 'entrypoint: %s\n' "$*" >&2
}

# Whoever waits for the start reads the reason here; PID 1 ends with it.
fail() {
    say "$1"
    printf '%s\n' "$1" >"$run/error.txt"
    return 1
}

# A user that holds a number which `agent` needs moves away. For the daemons it matters: the packet rules tell the proxy and the
# resolver by their uid, and an `agent` of that uid would pass as one of them.
make_room() {
    local file=$1 number=$2 free=61000
    while grep -q "^[^:]*:[^:]*:$free:" "$file"; do free=$((free + 1)); done
    awk -F: -v OFS=: -v number="$number" -v free="$free" \
        '$1 != "agent" && $3 == number { $3 = free } 1' "$file" >"$file.ao-new"
    cat "$file.ao-new" >"$file"
    rm "$file.ao-new"
}

# Gives `agent` the numbers of the workspace's owner. Where root owns it, `agent` is an ordinary user all the same: the one to whom the
# logins belong already, so that a sandbox of a person's own folder and one of root's can share them.
adopt_owner() {
    local uid=${AO_SANDBOX_UID:-0} gid=${AO_SANDBOX_GID:-0} name old_uid old_gid
    while IFS=: read -r name _ old_uid old_gid _ && [[ $name != agent ]]; do :; done </etc/passwd
    [[ $name == agent ]] || { fail 'no user agent in this image'; return 1; }
    [[ $uid != 0 ]] || uid=$(stat -c %u "$home/.claude" 2>/dev/null || echo 0)
    [[ $gid != 0 ]] || gid=$(stat -c %g "$home/.claude" 2>/dev/null || echo 0)
    [[ $uid != 0 ]] || uid=$old_uid
    [[ $gid != 0 ]] || gid=$old_gid
    [[ $uid =~ ^[0-9]+$ && $gid =~ ^[0-9]+$ ]] || { fail "AO_SANDBOX_UID and AO_SANDBOX_GID must be numbers"; return 1; }
    if [[ $uid != "$old_uid" || $gid != "$old_gid" ]]; then
        make_room /etc/passwd "$uid"
        make_room /etc/group "$gid"
        sed -i "s/^agent:\([^:]*\):[0-9]*:[0-9]*:/agent:\1:$uid:$gid:/" /etc/passwd
        sed -i "s/^agent:\([^:]*\):[0-9]*:/agent:\1:$gid:/" /etc/group
    fi
    agent_uid=$uid agent_gid=$gid
}

# Volumes keep the owner that they had in another sandbox. chown changes a folder after what is in it, so a folder that has the
# right owner was done to its end.
own_home() {
    local path
    for path in "$home" "$home"/.[!.]*; do
        [[ -e $path || -L $path ]] || continue
        [[ $(stat -c '%u:%g' -- "$path") == "$agent_uid:$agent_gid" ]] || chown -R -h -- "$agent_uid:$agent_gid" "$path"
    done
}

# As `agent`: what it left in its home, a symbolic link to /etc for one, can then lead root nowhere.
as_agent() {
    HOME=$home s6-setuidgid agent "$@"
}

# Lays what is missing, then gives Claude Code what it would ask at its first start. A value of the user's own wins.
lay_home() {
    local skeleton=/usr/share/ao-sandbox/home-skeleton
    own_home
    [[ -d $skeleton ]] || return 0
    as_agent cp -R --update=none "$skeleton/." "$home/"
    as_agent bash -s -- "$skeleton/.claude" "$home/.claude" "${AO_SANDBOX_WORKSPACE:-}" <<'AGENT'
merge() { # FILE FILTER: the skeleton's values below the user's; the file is replaced only by another content
    local new
    new=$(jq -s --arg workspace "$workspace" "$2" "$skeleton/$1" "$folder/$1") || return 0
    if [[ $new != "$(jq . "$folder/$1")" ]]; then
        printf '%s\n' "$new" >"$folder/$1.ao-new" && mv -f "$folder/$1.ao-new" "$folder/$1"
    fi
}
skeleton=$1 folder=$2 workspace=$3
umask 077
[[ ! -s $folder/settings.json ]] || merge settings.json '.[0] * .[1]'
[[ ! -s $folder/.claude.json ]] || merge .claude.json '(.[0] * .[1]) as $all
    | if $workspace == "" then $all else $all | .projects[$workspace].hasTrustDialogAccepted = true end'
AGENT
}

# Where root owns the workspace, `agent` writes it by ACLs: an entry of its own on everything there, and a default entry on each
# folder, so that what either side makes later can be written by both. A file with a second link may be somebody else's outside, and
# stays as it is. Mounts that are read-only (.git/hooks, .git/config) say no,
# and are meant to. Once done it is seen at the top folder.
grant_workspace() {
    local path
    [[ ${AO_SANDBOX_UID:-0} == 0 ]] || return 0
    while IFS= read -r path; do
        [[ -n $path && -d $path ]] || continue
        getfacl -cp "$path" 2>/dev/null | grep -q "^default:user:\(agent\|$agent_uid\):rwx" && continue
        # The top folder comes last: a run that was killed half-way is done again.
        find "$path" -xdev -mindepth 1 \( -type d -o -type f -links 1 \) -print0 \
            | xargs -0r setfacl -m "u:$agent_uid:rwX" 2>/dev/null || :
        find "$path" -xdev -mindepth 1 -type d -print0 \
            | xargs -0r setfacl -m "d:u:$agent_uid:rwX" 2>/dev/null || :
        setfacl -m "u:$agent_uid:rwx,d:u:$agent_uid:rwx" "$path" \
            || say "\`agent\` cannot write \`$path\`: its file system takes no ACLs"
    done <<<"${AO_SANDBOX_WRITE_ACL:-}"
}

# The folders above the workspace are the container's own; some, such as /root, let nobody through. What is mounted is the
# host's and stays as it is.
open_way() {
    local path=${AO_SANDBOX_WORKSPACE:-/} device
    device=$(stat -c %d /)
    while path=$(dirname "$path") && [[ $path != / ]]; do
        [[ $(stat -c %d "$path") != "$device" ]] || chmod o+x "$path"
    done
}

# The lines that this sandbox adds to the allowlist; from then on the file counts.
lay_allowlist() {
    [[ -e $state/allowlist ]] || (umask 077; mkdir -p "$state"; printf '%s\n' "${AO_SANDBOX_ALLOW:-}" >"$state/allowlist")
}

# A folder for s6, with links to our files; each service stays down until the firewall starts it.
lay_services() {
    local service
    cp -Rs /etc/ao-sandbox/services/. "$services/"
    for service in "$services"/*/; do : >"$service/down"; done
}

# Beside s6-svscan: home and firewall at once, then the word that both stand.
bring_up() {
    local home_job firewall_job
    lay_home & home_job=$!
    /opt/init-firewall.sh 2>"$run/firewall.txt" & firewall_job=$!
    open_way
    grant_workspace
    wait "$firewall_job" || { fail "the firewall does not stand: $(<"$run/firewall.txt")"; return 1; }
    [[ ! -s $run/firewall.txt ]] || say "$(<"$run/firewall.txt")"
    wait "$home_job" || { fail 'the home of agent could not be laid'; return 1; }
    : >"$run/ready"
    say ready
}

# Before all else: nothing gets out until the policy takes this table's place, whoever is let in from outside meanwhile.
close_network() {
    nft -f - <<'RULES'
add table inet ao_closed
flush table inet ao_closed
table inet ao_closed {
    chain output { type filter hook output priority 10; policy drop; oifname "lo" accept; }
}
RULES
}

cd /
close_network || { say 'the packet rules cannot be loaded (is NET_ADMIN missing?)'; exit 1; }
# Where /run is no tmpfs it survives a restart, and with it the word that an earlier start stood.
[[ ! -e $run && ! -e $services ]] || rm -rf "$run" "$services"
mkdir -p "$run" "$services"
workflow release recover || { fail 'an interrupted update could not be mended'; exit 1; }
adopt_owner
lay_allowlist
lay_services
{ bring_up || s6-svscanctl -t "$services"; } &
exec s6-svscan "$services"
