#!/usr/bin/env bash
# Checks the types of all Python code. The collection's own through the link, so that its full name is what mypy sees.
set -euo pipefail
cd "$(dirname "$0")/.."

collection=collections/ansible_collections/ivy/cluster
paths=()
for path in plugins tests/unit; do
    if [ -n "$(find "$path" -name '*.py' -print -quit 2> /dev/null)" ]; then
        paths+=("$collection/$path")
    fi
done
mypy "${paths[@]}"

# Here the files import one another by their bare names.
for directory in tools tests/bench tests/contract molecule/default/tests molecule/debian13/tests; do
    MYPYPATH="$directory" mypy "$directory"/*.py
done
