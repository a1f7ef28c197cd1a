#!/usr/bin/env bash
# Runs `ansible-test sanity` on a copy: it wants the checkout below ansible_collections/ivy/cluster, and outside of any other
# checkout, or it asks git there which files there are.
set -euo pipefail
cd "$(dirname "$0")/.."

work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
tree="$work/ansible_collections/ivy/cluster"
mkdir -p "$tree"

# What git tracks or would track; a file that was just deleted is not there to be copied.
git ls-files -z --cached --others --exclude-standard \
    | while IFS= read -r -d '' file; do if [ -e "$file" ]; then printf '%s\0' "$file"; fi; done \
    | tar --create --null --files-from=- | tar --extract --directory="$tree"

# Kept between runs: ansible-test's environments are in it.
home="$PWD/.cache/sanity"
python tools/sanity_home.py "$home"

# The one Python that is sure to be here; that code for hosts keeps to what Python 3.9 can is checked by ruff.
version="$(python -c 'import sys; print("%d.%d" % sys.version_info[:2])')"

log="$home/last.log"
cd "$tree"
if ! HOME="$home" ansible-test sanity --venv --python "$version" --color no "$@" 2>&1 | tee "$log"; then
    # Once more, together: between them lie hundreds of lines about the making of environments.
    printf '\nWhat has to be resolved:\n'
    grep -E '^(ERROR|FATAL):' "$log"
    exit 1
fi
