#!/usr/bin/env bash
# Usage: build.sh [SUITE]
# Ensures that the image of a test host exists, and prints its name as the last line.
# The tag contains a digest of this directory: a changed definition gives a new image, an unchanged one is reused.
set -euo pipefail

suite="${1:-bookworm}"
here="$(cd "$(dirname "$0")" && pwd)"
repository="ivy-cluster/host"

digest="$(cd "$here" && cat build.sh configure.sh Dockerfile packages | sha256sum | cut -c1-12)"
image="$repository:$suite-$digest"

if docker image inspect "$image" > /dev/null 2>&1; then
    echo "present"
    echo "$image"
    exit 0
fi

work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT

if command -v mmdebstrap > /dev/null; then
    mode=unshare
    if [ "$(id -u)" -eq 0 ]; then
        mode=root
    fi
    mmdebstrap --quiet --mode="$mode" --variant=minbase \
        --include="$(paste -sd, "$here/packages")" \
        --customize-hook="copy-in '$here/configure.sh' /usr/local/sbin" \
        --customize-hook='chroot "$1" sh /usr/local/sbin/configure.sh' \
        --customize-hook='rm -f "$1/usr/local/sbin/configure.sh" "$1/etc/hostname" "$1/etc/resolv.conf"' \
        "$suite" "$work/root.tar" >&2
    docker import \
        --change 'ENV container=docker' --change 'CMD ["/lib/systemd/systemd"]' \
        "$work/root.tar" "$image" > /dev/null
else
    docker build --quiet \
        --build-arg SUITE="$suite" \
        --build-arg PACKAGES="$(paste -sd' ' "$here/packages")" \
        --tag "$image" "$here" > /dev/null
fi

# Remove the images of older definitions, except those that a container still uses.
docker image ls --format '{{.Repository}}:{{.Tag}}' "$repository" \
    | { grep -E "^$repository:$suite-[0-9a-f]{12}\$" || true; } \
    | { grep -vxF "$image" || true; } \
    | while read -r old; do docker image rm "$old" > /dev/null 2>&1 || true; done

echo "built"
echo "$image"
