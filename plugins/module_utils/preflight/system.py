# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The host's operating system, memory, time zone, locale and accounts."""

from __future__ import annotations

import contextlib
import grp
import locale
import os
import platform
import pwd
import re
import sys
import typing as t

_ZONES = "/usr/share/zoneinfo/"
_MEMORY = re.compile(r"^MemTotal:\s+([0-9]+) kB", re.MULTILINE)
_MAP_COUNT = "/proc/sys/vm/max_map_count"


def read_text(path: str) -> str:
    """The content of a small file; empty if it cannot be read."""
    try:
        with open(path, encoding="utf-8", errors="replace") as stream:
            return stream.read(1 << 20)
    except OSError:
        return ""


def release(text: str) -> dict[str, str]:
    """The distribution and its version, from /etc/os-release."""
    values = dict(line.split("=", 1) for line in text.splitlines() if "=" in line and not line.startswith("#"))
    return {key: values.get(name, "").strip().strip("\"'") for key, name in (("id", "ID"), ("version", "VERSION_ID"))}


def memory_mb(text: str) -> int:
    """Total memory from /proc/meminfo; 0 if unknown."""
    found = _MEMORY.search(text)
    return int(found[1]) // 1024 if found else 0


def time_zone(link: str, text: str) -> str:
    """The name of the time zone, from the target of /etc/localtime or from /etc/timezone."""
    _head, found, name = link.rpartition(_ZONES)
    return name if found else text.strip()


def has_locale(name: str) -> bool:
    try:
        before = locale.setlocale(locale.LC_ALL)
        locale.setlocale(locale.LC_ALL, name)
        locale.setlocale(locale.LC_ALL, before)
    except locale.Error:
        return False
    return True


def _link(path: str) -> str:
    try:
        return os.readlink(path)
    except OSError:
        return ""


def accounts(user: str, group: str, uid: int, gid: int) -> dict[str, t.Any]:
    """The IDs of the names and the names of the IDs on this host; None or empty without such an account."""
    found: dict[str, t.Any] = {"uid": None, "gid": None, "name_of_uid": "", "name_of_gid": ""}
    with contextlib.suppress(KeyError):
        found["uid"] = pwd.getpwnam(user).pw_uid
    with contextlib.suppress(KeyError):
        found["gid"] = grp.getgrnam(group).gr_gid
    with contextlib.suppress(KeyError, OverflowError):
        found["name_of_uid"] = pwd.getpwuid(uid).pw_name
    with contextlib.suppress(KeyError, OverflowError):
        found["name_of_gid"] = grp.getgrgid(gid).gr_name
    return found


def gather(required_zone: str, required_locale: str) -> dict[str, t.Any]:
    map_count = read_text(_MAP_COUNT).strip()
    return {
        "os": release(read_text("/etc/os-release")),
        "architecture": platform.machine(),
        "systemd": os.path.isdir("/run/systemd/system"),
        "python": ".".join(str(part) for part in sys.version_info[:3]),
        "memory_mb": memory_mb(read_text("/proc/meminfo")),
        "time_zone": time_zone(_link("/etc/localtime"), read_text("/etc/timezone")),
        "has_zone": not required_zone or os.path.exists(_ZONES + required_zone),
        "has_locale": has_locale(required_locale),
        "max_map_count": int(map_count) if map_count.isdecimal() else 0,
        # In a container even root cannot change it.
        "max_map_count_fixed": not os.access(_MAP_COUNT, os.W_OK),
    }
