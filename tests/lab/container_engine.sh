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

wait_until_it_answers() {
    # The limit is for an engine that hangs; one that ends is noticed at once.
    for _ in $(seq 120); do
        if answers; then
            return 0
        fi
        if [ -n "${1:-}" ] && ! kill -0 "$1" 2> /dev/null; then
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
rm -f /var/run/docker.pid
setsid --fork bash -c 'echo $$ > "$1/dockerd.pid"; exec dockerd' dockerd "$log_directory" > "$log" 2>&1 < /dev/null
for _ in $(seq 50); do
    if [ -s "$log_directory/dockerd.pid" ]; then
        break
    fi
    sleep 0.1
done

if ! wait_until_it_answers "$(cat "$log_directory/dockerd.pid")"; then
    tail -n 40 "$log" >&2
    echo "dockerd did not come up; its log is $log" >&2
    exit 1
fi
echo "Started dockerd, process $(cat "$log_directory/dockerd.pid"); its log is $log"
