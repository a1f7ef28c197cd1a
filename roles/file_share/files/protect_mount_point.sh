# Arguments: the mount point; "look" or "change". Says "changed" when the directory below the mount is, or would be, changed.
# It runs in a mount namespace of its own, so taking the mount away here takes it away for nobody else.
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

# With the share mounted they are hidden already, and a running cluster is no place to insist.
if [ "$mounted" = no ] && [ -n "$(find "$path" -mindepth 1 -maxdepth 1 -print -quit)" ]; then
  echo "$path is not mounted and holds files, which a mount would hide. Move them away, or onto the share, first." >&2
  exit 1
fi

if [ "$(stat -c %u:%g:%a "$path")" != 0:0:0 ]; then
  echo changed
  [ "$intent" = change ] || exit 0
  chown root:root "$path"
  chmod 0000 "$path"
fi

# Mode 0000 keeps everybody but root out. The attribute keeps root out too, where file system and capabilities allow it.
if [ "$intent" = change ] && command -v chattr >/dev/null && chattr +i "$path" 2>/dev/null; then
  echo changed
fi
