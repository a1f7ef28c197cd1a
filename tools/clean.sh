#!/usr/bin/env bash
# Removes everything that make has created for this checkout, except Debian packages.
set -euo pipefail
cd "$(dirname "$0")/.."

log_directory="${1:?usage: clean.sh LOG_DIRECTORY}"

if docker version > /dev/null 2>&1; then
    for lab in ivy-demo ivy-molecule ivy-debian13 ivy-ha ivy-contract; do
        mine=(--filter "label=ivy-lab=$lab" --filter "label=ivy-lab-directory=$PWD/.cache/lab/$lab")
        docker container ls --all --quiet "${mine[@]}" | xargs --no-run-if-empty docker container rm --force --volumes
        docker volume ls --quiet "${mine[@]}" | xargs --no-run-if-empty docker volume rm
        docker network ls --quiet "${mine[@]}" | xargs --no-run-if-empty docker network rm
    done
    # Images that another checkout's hosts still use cannot be removed.
    docker image ls --format '{{.Repository}}:{{.Tag}}' 'ivy-cluster/host' \
        | xargs --no-run-if-empty --max-args 1 docker image rm || true

    daemon="$(cat "$log_directory/dockerd.pid" 2> /dev/null || true)"
    if [ "$(cat "/proc/${daemon:-none}/comm" 2> /dev/null)" = dockerd ] \
        && [ -z "$(docker container ls --all --quiet)" ]; then
        kill "$daemon"
        echo "Stopped the dockerd that make had started."
    fi
fi

# The log of this run is still being written.
find .cache -mindepth 1 -maxdepth 1 ! -name log -exec rm -rf {} +
rm -rf .venv collections/ansible_collections
