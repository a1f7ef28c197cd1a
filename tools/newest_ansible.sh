#!/usr/bin/env bash
# Usage: newest_ansible.sh [download REQUIREMENTS DIRECTORY PIP]
# Creates .cache/newest from requirements-newest.txt: the newest Ansible, for the Python of Debian 13. It runs in the host image
# of Debian 13 (readme_way.py), which has no pip and may have no access to a package index, so the wheels are unpacked here.
set -euo pipefail
cd "$(dirname "$0")/.."

download() {
    "${3:-.venv/bin/pip}" download --quiet --disable-pip-version-check --no-input --dest "$2" --requirement "$1" \
        --only-binary :all: --implementation cp --python-version 3.13 --abi cp313 --abi abi3 --abi none
}

if [ "${1:-}" = download ]; then
    download "$2" "$3" "$4"
    exit 0
fi

newest=.cache/newest
if cmp -s requirements-newest.txt "$newest/made-from.txt"; then
    exit 0
fi

rm -rf "$newest"
mkdir -p "$newest/bin" "$newest/site"
download requirements-newest.txt "$newest/wheels" .venv/bin/pip
for wheel in "$newest"/wheels/*.whl; do
    .venv/bin/python -m zipfile --extract "$wheel" "$newest/site"
done
rm -rf "$newest/wheels"
# Unpacking a wheel does not create its commands.
for command in playbook galaxy; do
    printf '#!/bin/sh\nexec python3 -m ansible %s "$@"\n' "$command" > "$newest/bin/ansible-$command"
done
chmod 0755 "$newest"/bin/*
cp requirements-newest.txt "$newest/made-from.txt"
