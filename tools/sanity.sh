#!/usr/bin/env bash
# Runs `ansible-test sanity` on a copy, without the tests whose names are in SANITY_LEFT_OUT. It requires the path
# ansible_collections/ivy/cluster, outside of any other checkout, where it would ask git for the list of files.
set -euo pipefail
cd "$(dirname "$0")/.."

work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
tree="$work/ansible_collections/ivy/cluster"
mkdir -p "$tree"

# All files that git tracks or would track. Tracked files may have been deleted.
git ls-files -z --cached --others --exclude-standard \
    | while IFS= read -r -d '' file; do if [ -e "$file" ]; then printf '%s\0' "$file"; fi; done \
    | tar --create --null --files-from=- | tar --extract --directory="$tree"

# Kept between runs, since it contains ansible-test's environments.
home="$PWD/.cache/sanity"
python tools/sanity_home.py "$home"

# The only Python that is certainly present. Ruff checks that code for hosts works with Python 3.9.
version="$(python -c 'import sys; print("%d.%d" % sys.version_info[:2])')"

log="$home/last.log"
cd "$tree"

left_out=()
for name in ${SANITY_LEFT_OUT:-}; do
    left_out+=(--skip-test "$name")
done

sanity() {
    HOME="$home" ansible-test sanity --venv --python "$version" --color no "${left_out[@]}" "$@"
}

if ! sanity "$@" 2>&1 | tee "$log"; then
    # Repeat the errors in one place: hundreds of lines about the creation of environments separate them.
    printf '\nErrors:\n'
    grep -E '^(ERROR|FATAL):' "$log"
    exit 1
fi
