# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Directories that a role may take: it sets their owner and mode, and writes their paths into units and other files."""

from __future__ import annotations

import posixpath
import re
import typing as t

# Units, lists of temporary files and options of Java have no common way to quote anything else.
_PATH = re.compile(r"/|(?:/[A-Za-z0-9_.+@:=-]+)+/?")
_OTHERS: t.Mapping[str, str] = {
    "/": "bin boot dev etc home lib lib32 lib64 libx32 lost+found media mnt opt proc root run sbin snap srv sys tmp "
    "usr var",
    "/dev": "shm",
    "/etc": "alternatives apt cron.d cron.daily default dpkg haproxy init.d ld.so.conf.d logrotate.d network "
    "nftables.d pam.d postgresql postgresql-common profile.d security skel ssh ssl sudoers.d sysctl.d systemd "
    "tmpfiles.d udev",
    "/etc/ssl": "certs private",
    "/etc/systemd": "system",
    "/run": "haproxy lock postgresql systemd user",
    "/usr": "bin games include lib lib32 lib64 libexec libx32 local sbin share src",
    "/usr/lib": "jvm systemd",
    "/usr/local": "bin etc games include lib man sbin share src",
    "/usr/local/lib": "ivy-cluster",
    "/var": "backups cache crash lib local lock log mail opt run spool tmp www",
    "/var/cache": "apt debconf",
    "/var/lib": "apt dbus dpkg haproxy misc nfs pam postgresql private prometheus systemd ucf",
    "/var/log": "apt journal postgresql private",
    "/var/spool": "cron mail",
}
# Directories of the system and of other programs.
_TAKEN = frozenset(posixpath.join(parent, name) for parent, names in _OTHERS.items() for name in names.split()) | {"/"}
# The kernel makes what is below them.
_NO_DISK = ("/dev/", "/proc/", "/sys/")


def directory_problem(path: str, others: t.Iterable[str] = ()) -> str:
    """Why a role cannot take the directory, or an empty text. Neither of it and ``others`` may contain the other."""
    if not _PATH.fullmatch(path):
        return "it is not an absolute path of letters, digits and . _ - + @ : ="
    if {".", ".."} & set(path.split("/")):
        return "it contains . or .. as the name of a directory"
    own = posixpath.normpath(path)
    if own in _TAKEN or own.startswith(_NO_DISK):
        return "it belongs to the system or to other programs, which could not use it any more"
    for other in others:
        near = posixpath.normpath(other) if other.startswith("/") else ""
        if near and (own == near or own.startswith(f"{near}/") or near.startswith(f"{own}/")):
            return f"it and {near} lie in one another" if own != near else f"{near} has another use"
    return ""
