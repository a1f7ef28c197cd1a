#!/bin/sh
# Writes a licence for the stand-in engine; see make-licence.sh --help.
set -eu
exec python3 "$(dirname "$0")/make_licence.py" "$@"
