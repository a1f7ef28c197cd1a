#!/usr/bin/env bash
# Writes requirements.txt and requirements-newest.txt, the complete lists of pinned versions, from the .in files.
set -euo pipefail
cd "$(dirname "$0")/.."

work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT

"${PYTHON:-python3}" -m venv "$work"

# Reads the list from standard input. The backquotes are literal.
# shellcheck disable=SC2016
write() {
    { echo '# Written by `make lock` from '"$1.in"'. Do not edit.' && cat; } > "$work/$1.txt"
    mv "$work/$1.txt" "$1.txt"
    echo "$1.txt has $(($(wc -l < "$1.txt") - 1)) packages"
}

"$work/bin/pip" install --quiet --disable-pip-version-check --requirement requirements.in
"$work/bin/pip" freeze | write requirements

# The wheels are for another Python, so pip cannot install and list them here; their file names contain the versions.
tools/newest_ansible.sh download requirements-newest.in "$work/wheels" "$work/bin/pip"
find "$work/wheels" -name '*.whl' -printf '%f\n' | sed -E 's/^([^-]+)-([^-]+)-.*$/\1==\2/' | LC_ALL=C sort -f | write requirements-newest
