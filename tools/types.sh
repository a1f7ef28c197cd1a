#!/usr/bin/env bash
# Checks the types of all Python code. The collection is checked through the link, so that mypy uses its full name.
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

# These files import one another by their bare names.
for directory in tools tests/bench tests/bench/balancer tests/bench/site tests/contract molecule/default/tests molecule/debian13/tests molecule/ha/tests; do
    MYPYPATH="$directory:tests/bench" mypy "$directory"/*.py
done
