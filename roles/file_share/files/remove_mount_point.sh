# Arguments: the mount point; "check" or "change". Prints "changed" if the directory is, or would be, removed.
set -eu
path=$1
intent=$2

[ -d "$path" ] || exit 0
if findmnt --noheadings --mountpoint "$path" >/dev/null && [ "$intent" = change ]; then
  echo "$path is still mounted." >&2
  exit 1
fi
echo changed
[ "$intent" = change ] || exit 0
# The attribute protects the directory while nothing is mounted on it.
if command -v chattr >/dev/null; then
  chattr -i "$path" 2>/dev/null || true
fi
rmdir "$path"
