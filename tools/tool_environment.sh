#!/usr/bin/env bash
# Creates the tool environment .venv from requirements.txt. Recreates it if that file, the Python or the path has changed.
set -euo pipefail
cd "$(dirname "$0")/.."

python="${PYTHON:-python3}"
made="$PWD/.venv/made-from.txt"

# Ansible finds a collection only below ansible_collections/NAMESPACE/NAME.
mkdir -p collections/ansible_collections/ivy
ln -sfn ../../.. collections/ansible_collections/ivy/cluster

recipe() {
    echo "$PWD"
    "$python" -c 'import sys; print(sys.version)'
    cat requirements.txt
}

if [ -x .venv/bin/ansible-playbook ] && recipe | cmp -s - "$made"; then
    exit 0
fi

"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    echo "$python is $("$python" --version), but 3.11 or later is required. Choose another: PYTHON=python3.12 make ..." >&2
    exit 1
}

rm -rf .venv
"$python" -m venv .venv
# Python compiles what it imports; the package ansible has thousands of files that nothing here imports.
.venv/bin/pip install --quiet --disable-pip-version-check --no-input --no-compile --requirement requirements.txt
recipe > "$made"
