# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a directory's file system is mounted, according to systemd. Nothing here touches the file system itself.

systemd starts a mount once at boot and never again, so whoever waits for one has to start it.
"""

from __future__ import annotations

import contextlib
import string
import typing as t

from .unit import systemctl

_PLAIN = frozenset((string.ascii_letters + string.digits + ":_.").encode("ascii"))
_PROPERTIES = "Id,LoadState,ActiveState,FragmentPath,SourcePath"
# In these states a start is under way or would do nothing.
_BUSY = ("active", "activating", "reloading", "deactivating")


class Mount(t.NamedTuple):
    """A mount unit."""

    unit: str
    active: str
    # Whether a file defines it, such as /etc/fstab; systemd cannot start one that it only saw.
    defined: bool


def unit_name(path: str) -> str:
    """The name of the mount unit of an absolute path, as `systemd-escape --path --suffix=mount` has it."""
    data = "/".join(part for part in path.split("/") if part).encode("utf-8", "surrogateescape")
    if not data:
        return "-.mount"
    out = ""
    for index, byte in enumerate(data):
        if byte == ord("/"):
            out += "-"
        elif byte in _PLAIN and not (index == 0 and byte == ord(".")):
            out += chr(byte)
        else:
            out += f"\\x{byte:02x}"
    return f"{out}.mount"


def candidates(path: str) -> list[str]:
    """The mount units that could contain a directory, the nearest first, without the root file system."""
    parts = [part for part in path.split("/") if part]
    return [unit_name("/".join(parts[:length])) for length in range(len(parts), 0, -1)]


def parse(text: str) -> dict[str, Mount]:
    """The mount units that systemd knows, out of the blocks that `systemctl show` prints for several."""
    found = {}
    for block in text.split("\n\n"):
        values = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        if values.get("LoadState") == "loaded" and values.get("Id"):
            defined = bool(values.get("FragmentPath") or values.get("SourcePath"))
            found[values["Id"]] = Mount(values["Id"], values.get("ActiveState", ""), defined)
    return found


def holding(path: str) -> Mount | None:
    """The mount unit that holds a directory; None where systemd knows none, as for a directory of the root."""
    names = candidates(path)
    if not names:
        return None
    try:
        text = systemctl("show", "-p", _PROPERTIES, "--", *names)
    except OSError:
        return None
    known = parse(text or "")
    return next((known[name] for name in names if name in known), None)


def start(mount: Mount, restart: bool = False) -> bool:
    """Make systemd mount it in the background; with restart, remount one that does not answer. Whether it was asked."""
    if not mount.defined or (mount.active in _BUSY and not (restart and mount.active == "active")):
        return False
    with contextlib.suppress(OSError):
        return systemctl("restart" if restart else "start", "--no-block", "--", mount.unit) is not None
    return False
