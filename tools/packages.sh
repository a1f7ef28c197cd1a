#!/usr/bin/env bash
# Usage: packages.sh [docker|mmdebstrap|java|maven|cc|curl|ssh|rsync|venv]...
# Ensures that the programs for the test hosts are present. As root on Debian it installs what is missing; elsewhere it
# prints what to install.
set -euo pipefail

declare -A package=(
    [docker]=docker.io
    [mmdebstrap]=mmdebstrap
    [java]=default-jdk-headless
    [maven]=maven
    [cc]="gcc libc6-dev"
    [curl]=curl
    [ssh]=openssh-client
    [rsync]=rsync
    [venv]=python3-venv
)

# A JRE is not enough, and a javac older than 17 cannot compile for the engine's Java.
have_jdk() {
    local version
    version="$(javac -version 2> /dev/null | sed -n 's/^javac \([0-9]*\).*/\1/p')"
    [ -n "$version" ] && [ "$version" -ge 17 ]
}

have() {
    case "$1" in
        docker) command -v docker > /dev/null && { docker version > /dev/null 2>&1 || command -v dockerd > /dev/null; } ;;
        # With a registry the image can be built without it, so it is installed on Debian only.
        mmdebstrap) command -v mmdebstrap > /dev/null || [ ! -f /etc/debian_version ] ;;
        java) have_jdk ;;
        maven) command -v mvn > /dev/null ;;
        ssh) command -v ssh > /dev/null && command -v ssh-keygen > /dev/null ;;
        # Debian's python3 has the module venv without ensurepip, which installs pip into an environment.
        venv) "${PYTHON:-python3}" -c 'import ensurepip, venv' 2> /dev/null ;;
        *) command -v "$1" > /dev/null ;;
    esac
}

missing=()
for need in "$@"; do
    if ! have "$need"; then
        # shellcheck disable=SC2206  # one name can stand for two packages
        missing+=(${package[$need]})
    fi
done

if [ "${#missing[@]}" -eq 0 ]; then
    exit 0
fi

if [ "$(id -u)" -ne 0 ] || ! command -v apt-get > /dev/null; then
    echo "Missing packages (names as in Debian): ${missing[*]}" >&2
    echo "Install them or their equivalents (JDK 17 or later), then run this again." >&2
    exit 1
fi

echo "Installing ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
# Another apt may be running, for instance the system's daily one.
apt-get -o DPkg::Lock::Timeout=300 update
apt-get -o DPkg::Lock::Timeout=300 install --yes --no-install-recommends "${missing[@]}"

for need in "$@"; do
    if ! have "$need"; then
        echo "${package[$need]} is installed, but '$need' is still not usable. PATH: $PATH" >&2
        exit 1
    fi
done
