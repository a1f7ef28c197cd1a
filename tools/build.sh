#!/usr/bin/env bash
# Builds the collection's archive in .cache/build.
set -euo pipefail
cd "$(dirname "$0")/.."
ansible-galaxy collection build --force --output-path .cache/build
