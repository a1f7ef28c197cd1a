#!/usr/bin/env bash
# Runs `ansible-test sanity` on a copy: it wants the checkout below ansible_collections/ivy/cluster.
set -euo pipefail
cd "$(dirname "$0")/../.."

work="$PWD/.cache/sanity"
tree="$work/ansible_collections/ivy/cluster"

rm -rf "$tree"
mkdir -p "$tree"

# What git tracks or would track; a file that was just deleted is not there to be copied.
git ls-files -z --cached --others --exclude-standard \
    | while IFS= read -r -d '' file; do if [ -e "$file" ]; then printf '%s\0' "$file"; fi; done \
    | tar --create --null --files-from=- | tar --extract --directory="$tree"

python tests/lab/sanity_home.py "$work/home"
export HOME="$work/home"

cd "$tree"
exec ansible-test sanity --venv --color no --exclude molecule/ --exclude tests/lab/ --exclude tests/engine_stand_in/ "$@"
