#!/bin/sh
# Installs one agent at one version, keeping a single native binary of it, and checks that it starts.
#
#     install-agent.sh AGENT VERSION
#     install-agent.sh --if-in "LIST OF AGENTS" AGENT VERSION    nothing where the list does not name it
#     install-agent.sh --check-list "LIST OF AGENTS"             refuses a name that is no agent
#
# It stays in the image, where an upgrade of a running sandbox uses it as well.
set -eu

agents="claude codex opencode pi bun"
modules=/usr/local/lib/node_modules

fail() { printf 'error: %s\n' "$1" >&2; exit 1; }

listed() { case " $2 " in *" $1 "*) true ;; *) false ;; esac; }

package_of() {
    case $1 in
        claude) echo @anthropic-ai/claude-code ;;
        codex) echo @openai/codex ;;
        opencode) echo opencode-ai ;;
        pi) echo @mariozechner/pi-coding-agent ;;
        bun) echo bun ;;
        *) fail "unknown agent \`$1\`: choose among $agents" ;;
    esac
}

# The installers of these three link or copy the right binary over the package's placeholder. What they chose from (one
# for each C library and kind of processor, up to 380 MB apiece) is not needed any more.
keep_one_binary() {
    case $1 in
        claude) rm -rf "$modules"/@anthropic-ai/claude-code/node_modules/@anthropic-ai/claude-code-* \
            "$modules"/@anthropic-ai/claude-code-* ;;
        opencode) rm -rf "$modules"/opencode-ai/node_modules/opencode-* ;;
        bun) rm -rf "$modules"/bun/node_modules/@oven ;;
    esac
}

check_list() {
    for agent in $1; do
        listed "$agent" "$agents" || fail "unknown agent \`$agent\`: choose among $agents"
    done
}

check_version() {
    shown=$("$1" --version 2>&1) || fail "\`$1 --version\` failed: $shown"
    case $shown in *"$2"*) ;; *) fail "\`$1\` says \`$shown\`, not \`$2\`" ;; esac
    printf '%s %s\n' "$1" "$shown"
}

# In a home that is thrown away: npm keeps a cache and logs there, an agent writes its state at the first start.
install() {
    package=$(package_of "$1")
    scratch=$(mktemp -d)
    trap 'rm -rf "$scratch"' EXIT
    mkdir "$scratch/tmp" "$scratch/home"
    export HOME="$scratch/home" TMPDIR="$scratch/tmp" CLAUDE_CONFIG_DIR="$scratch/home" CODEX_HOME="$scratch/home"
    cd "$HOME"
    npm install --global --no-audit --no-fund --loglevel error "$package@$2"
    keep_one_binary "$1"
    check_version "$1" "$2"
    cd /
    rm -rf /tmp/opencode
}

case ${1-} in
    --check-list) check_list "$2" ;;
    --if-in) if listed "$3" "$2"; then install "$3" "$4"; fi ;;
    *) [ $# -eq 2 ] || fail "usage: install-agent.sh AGENT VERSION"; install "$1" "$2" ;;
esac
