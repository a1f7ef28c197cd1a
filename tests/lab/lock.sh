#!/usr/bin/env bash
# Writes requirements.txt, the full list of pinned versions, from requirements.in.
set -euo pipefail
cd "$(dirname "$0")/../.."

work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT

"${PYTHON:-python3}" -m venv "$work"
"$work/bin/pip" install --quiet --disable-pip-version-check --requirement requirements.in
{
    # The backquotes are for the reader.
    # shellcheck disable=SC2016
    echo '# Written by `make lock` from requirements.in. Do not edit.'
    "$work/bin/pip" freeze
} > "$work/requirements.txt"
mv "$work/requirements.txt" requirements.txt
echo "requirements.txt has $(($(wc -l < requirements.txt) - 1)) packages"
