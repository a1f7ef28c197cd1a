# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Users and groups by name, as numbers."""

from __future__ import annotations

import grp
import pwd

from .errors import NodeError

# Stands for an account that does not exist yet; no file can belong to it.
NOBODY_YET = -1


def uid_of(name: str, must_exist: bool = True) -> int:
    try:
        return int(name) if name.isdecimal() else pwd.getpwnam(name).pw_uid
    except KeyError:
        if not must_exist:
            return NOBODY_YET
        raise NodeError(f"The user {name} does not exist on this host. Create it first (role engine does).") from None


def gid_of(name: str, must_exist: bool = True) -> int:
    try:
        return int(name) if name.isdecimal() else grp.getgrnam(name).gr_gid
    except KeyError:
        if not must_exist:
            return NOBODY_YET
        raise NodeError(f"The group {name} does not exist on this host. Create it first (role engine does).") from None


def user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
