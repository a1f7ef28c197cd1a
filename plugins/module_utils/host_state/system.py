# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Packages, accounts, systemd units, packet filter rules and kernel parameters."""

from __future__ import annotations

import contextlib
import grp
import pwd
import typing as t

from . import files
from .commands import output

_UNIT_PROPERTIES = ("Id", "LoadState", "ActiveState", "UnitFileState", "NeedDaemonReload", "DropInPaths")


def packages(names: t.Sequence[str]) -> dict[str, list[str]]:
    """The selection, the error flag and the status of each package that dpkg knows."""
    if not names:
        return {}
    # dpkg-query fails if it does not know one of them, so it gets all packages.
    listed = output("dpkg-query", "--show", "--showformat", "${Package}\\t${Status}\\n") or ""
    found = {}
    for line in listed.splitlines():
        name, _tab, status = line.partition("\t")
        if name in names:
            found[name] = status.split()
    return found


def units(names: t.Sequence[str]) -> dict[str, dict[str, str]]:
    """The properties of each unit, in one call."""
    if not names:
        return {}
    shown = output("systemctl", "show", f"--property={','.join(_UNIT_PROPERTIES)}", "--", *names) or ""
    blocks = [dict(line.partition("=")[::2] for line in block.splitlines()) for block in shown.split("\n\n")]
    return dict(zip(names, blocks)) if len(blocks) == len(names) else {}


def users(names: t.Sequence[str]) -> dict[str, dict[str, t.Any]]:
    found = {}
    for name in names:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        found[name] = {
            "uid": entry.pw_uid,
            "gid": entry.pw_gid,
            "comment": entry.pw_gecos,
            "home": entry.pw_dir,
            "shell": entry.pw_shell,
        }
    return found


def groups(names: t.Sequence[str]) -> dict[str, int]:
    found = {}
    for name in names:
        with contextlib.suppress(KeyError):
            found[name] = grp.getgrnam(name).gr_gid
    return found


def chains(names: t.Sequence[str]) -> dict[str, str]:
    """The rules in force of each chain, named by family, table and chain."""
    return {name: output("nft", "list", "chain", *name.split()) or "" for name in names}


def parameters(names: t.Sequence[str]) -> dict[str, str]:
    """The kernel parameters, as sysctl names them."""
    return {name: files.text("/proc/sys/" + name.replace(".", "/")).strip() for name in names}
