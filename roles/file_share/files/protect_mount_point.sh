# Arguments: the mount point; "check" or "change". Prints "changed" if the directory below the mount is, or would be, changed.
# It runs in its own mount namespace, so unmounting here affects no other process.
set -eu
path=$1
intent=$2

mounted=no
while findmnt --noheadings --mountpoint "$path" >/dev/null; do
  mounted=yes
  umount --lazy "$path"
done

immutable() {
  command -v lsattr >/dev/null && lsattr -d "$path" 2>/dev/null | cut -d ' ' -f 1 | grep -q i
}

if immutable; then
  exit 0
fi

if [ ! -d "$path" ]; then
  echo changed
  [ "$intent" = change ] || exit 0
  mkdir -p "$path"
  chmod 0000 "$path"
fi

# If the share is mounted, such files are hidden already. A running cluster must not fail because of them.
if [ "$mounted" = no ] && [ -n "$(find "$path" -mindepth 1 -maxdepth 1 -print -quit)" ]; then
  echo "$path is not mounted and contains files, which a mount would hide. Move them away or to the share first." >&2
  exit 1
fi

if [ "$(stat -c %u:%g:%a "$path")" != 0:0:0 ]; then
  echo changed
  [ "$intent" = change ] || exit 0
  chown root:root "$path"
  chmod 0000 "$path"
fi

# Mode 0000 prevents all users except root from writing. The attribute also prevents root, if the file system and the capabilities allow it.
if [ "$intent" = change ] && command -v chattr >/dev/null && chattr +i "$path" 2>/dev/null; then
  echo changed
fi
