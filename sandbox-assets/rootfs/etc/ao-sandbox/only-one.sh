# shellcheck shell=sh
# Read by the run scripts of the daemons: `only_one NAME` ends a process of an earlier run whose supervisor was killed, and notes
# the number of this one, which the daemon keeps. Two proxies would share one port, and only one would hear of a new policy.
only_one() {
    pid_file=/run/ao-sandbox/$1.pid
    if read -r old <"$pid_file" && [ "$old" != $$ ] && read -r name <"/proc/$old/comm" && [ "$name" = "${1%-[ab]}" ]; then
        kill -9 "$old"
        while kill -0 "$old"; do sleep 0.01; done
    fi 2>/dev/null
    echo $$ >"$pid_file"
}
