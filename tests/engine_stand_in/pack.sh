#!/bin/sh
# Packs the stand-in engine and its demo application: pack.sh <engine version> <output directory>
set -eu
exec python3 "$(dirname "$0")/pack.py" "$@"
