#!/usr/bin/env bash
# Ensures that a container engine answers (a running one, or else a Docker daemon started here) and can run the test hosts.
set -euo pipefail

log_directory="${1:?usage: container_engine.sh LOG_DIRECTORY}"

answers() {
    docker version > /dev/null 2>&1
}

# Each systemd uses several inotify instances. The kernel's usual limit of 128 is too low for the hosts of two scenarios.
# The setting lasts until the machine reboots.
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
    echo "The hosts are containers that are reached at their own addresses. This works on Linux only." >&2
    exit 1
fi
if [ -n "${DOCKER_HOST:-}" ]; then
    echo "No container engine answers at DOCKER_HOST=$DOCKER_HOST. Start it, or unset the variable." >&2
    exit 1
fi
if [ "$(id -u)" -ne 0 ]; then
    echo "Docker does not answer. Start it (systemctl start docker) and check that $(id -un) may use it." >&2
    exit 1
fi

# Zombies do not count: a container often has no init that would reap them.
runs() {
    grep -qx $'Name:\t'"$1" "/proc/${2:-none}/status" 2> /dev/null \
        && ! grep -q '^State:\sZ' "/proc/$2/status" 2> /dev/null
}

# With a process id: fails as soon as that process ends.
wait_until_it_answers() {
    # The limit is for an engine that hangs; one that exits is detected immediately.
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

# There is no init to supervise the daemon. A new session lets it outlive this make and its shell.
mkdir -p "$log_directory"
log="$log_directory/dockerd.log"
own_pid_file="$log_directory/dockerd.pid"

# Another dockerd may be starting, or stopping while it still holds the files that a new one needs.
other="$(cat /var/run/docker.pid 2> /dev/null || true)"
if runs dockerd "$other"; then
    if wait_until_it_answers "$other"; then
        exit 0
    fi
    if runs dockerd "$other"; then
        echo "dockerd (process $other) is running but does not answer. Check its log or stop it, then run this again." >&2
        exit 1
    fi
else
    # Left behind by a killed dockerd. If another process has this id now, dockerd would refuse to start.
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
    echo "dockerd did not start. Its log: $log" >&2
    exit 1
fi
echo "Started dockerd (process $(cat "$own_pid_file")). Its log: $log"
