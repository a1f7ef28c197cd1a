#!/usr/bin/env bash
# Makes sure that a container engine answers, using a running one or else starting Docker's, and that it can run our hosts.
set -euo pipefail

log_directory="${1:?usage: container_engine.sh LOG_DIRECTORY}"

answers() {
    docker version > /dev/null 2>&1
}

# Each systemd takes several inotify instances, and the kernel's usual limit of 128 stops the hosts of two scenarios from
# starting. The setting lasts until the machine is started anew.
allow_many_hosts() {
    local setting=/proc/sys/fs/inotify/max_user_instances wanted=1024 now
    now="$(cat "$setting" 2> /dev/null || echo "$wanted")"
    if [ "$now" -lt "$wanted" ] && [ -w "$setting" ] && echo "$wanted" > "$setting"; then
        echo "Raised fs.inotify.max_user_instances from $now to $wanted"
    fi
}

allow_many_hosts

if answers; then
    exit 0
fi

if [ "$(uname -s)" != Linux ]; then
    echo "The hosts are containers that are reached at their own addresses, which works on Linux only." >&2
    exit 1
fi
if [ -n "${DOCKER_HOST:-}" ]; then
    echo "DOCKER_HOST is $DOCKER_HOST, and nothing answers there. Start that engine, or unset the variable." >&2
    exit 1
fi
if [ "$(id -u)" -ne 0 ]; then
    echo "Docker does not answer. Start it (systemctl start docker) and make sure that $(id -un) may use it." >&2
    exit 1
fi

# Not a process that has ended and that nobody has taken note of: in a container there is often no init to do that.
runs() {
    grep -qx $'Name:\t'"$1" "/proc/${2:-none}/status" 2> /dev/null \
        && ! grep -q '^State:\sZ' "/proc/$2/status" 2> /dev/null
}

# With a process: gives up as soon as that ends.
wait_until_it_answers() {
    # The limit is for an engine that hangs; one that ends is noticed at once.
    for _ in $(seq 120); do
        if answers; then
            return 0
        fi
        if [ -n "${1:-}" ] && ! runs dockerd "$1"; then
            return 1
        fi
        sleep 0.5
    done
    return 1
}

if [ -d /run/systemd/system ]; then
    systemctl start docker
    wait_until_it_answers || { journalctl --unit docker --no-pager --lines 40 >&2; exit 1; }
    exit 0
fi

# Without an init nobody keeps a daemon, so it gets a session of its own: it outlives this make and the shell above it.
mkdir -p "$log_directory"
log="$log_directory/dockerd.log"
own_pid_file="$log_directory/dockerd.pid"

# One may be on its way up, or on its way down, and then it still holds what a new one needs.
other="$(cat /var/run/docker.pid 2> /dev/null || true)"
if runs dockerd "$other"; then
    if wait_until_it_answers "$other"; then
        exit 0
    fi
    if runs dockerd "$other"; then
        echo "A dockerd runs (process $other) and does not answer. Look at its log, or stop it, and run this again." >&2
        exit 1
    fi
else
    # Left by one that was killed. A number that still is some process's would keep dockerd from starting.
    rm -f /var/run/docker.pid
    for file in /var/run/docker/containerd/*containerd.pid; do
        if [ -f "$file" ] && ! runs containerd "$(cat "$file")"; then
            rm -f "$file"
        fi
    done
fi

rm -f "$own_pid_file"
if [ -f "$log" ]; then
    mv "$log" "$log.old"
fi
setsid --fork bash -c 'echo $$ > "$1"; exec dockerd' dockerd "$own_pid_file" > "$log" 2>&1 < /dev/null
for _ in $(seq 1200); do
    if runs dockerd "$(cat "$own_pid_file" 2> /dev/null)"; then
        break
    fi
    sleep 0.1
done

if ! wait_until_it_answers "$(cat "$own_pid_file")"; then
    tail -n 40 "$log" >&2
    echo "dockerd did not come up; its log is $log" >&2
    exit 1
fi
echo "Started dockerd, process $(cat "$own_pid_file"); its log is $log"
