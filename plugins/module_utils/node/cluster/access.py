# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""With which account the cluster record is accessed.

A share may deny root access, so it is the engine's user. When the account was deleted, or the directory has another
owner by mistake, the next run has to repair that, and it may do so only with the lease, which is in the record.
"""

from __future__ import annotations

import contextlib
import os
import typing as t

from ..files.accounts import NOBODY_YET
from ..files.atomic import lstat_at, open_directory


class Access(t.NamedTuple):
    """The account that accesses the directory, and the owner of what it writes there."""

    uid: int
    gid: int
    owner_uid: int
    owner_gid: int


@contextlib.contextmanager
def acting_as(uid: int, gid: int) -> t.Iterator[None]:
    """Access files as another user, for a share that denies root access. Without root, nothing changes."""
    if os.geteuid() != 0 or uid == 0:
        yield
        return
    groups = os.getgroups()
    own_gid = os.getegid()
    os.setgroups([gid])
    os.setegid(gid)
    os.seteuid(uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(own_gid)
        os.setgroups(groups)


def access_for(directory: str, uid: int, gid: int, record: str, files: t.Mapping[str, int]) -> Access:
    """The engine's user; if it cannot access the directory and the files in it, root, then the directory's owner.

    Of an account that does not exist, the id is NOBODY_YET; the owner of the directory takes its place. Another account
    than the engine's is used only where the record is: otherwise the file share may not be mounted, and the
    directory below it would get another record. ``files`` gives the mode of access by name, as for os.access.
    Without root it is the calling user.
    """
    if os.geteuid() != 0:
        return Access(uid, gid, uid, gid)
    there = NOBODY_YET not in (uid, gid)
    if there and _can_access(directory, uid, gid, files):
        return Access(uid, gid, uid, gid)
    try:
        fd = open_directory(directory)
    except OSError:
        return Access(uid, gid, uid, gid) if there else Access(0, 0, 0, 0)
    try:
        info = os.fstat(fd)
    finally:
        os.close(fd)
    owner = (uid, gid) if there else (info.st_uid, info.st_gid)
    for other in ((0, 0), (info.st_uid, info.st_gid)):
        if _can_access(directory, *other, files, record):
            # Only root can give a file away. What another account writes is corrected with the directory.
            return Access(*other, *(owner if other[0] == 0 else other))
    # What fails then names the account that is expected to have access.
    return Access(*owner, *owner)


def _can_access(directory: str, uid: int, gid: int, files: t.Mapping[str, int], required: str = "") -> bool:
    with acting_as(uid, gid):
        try:
            fd = open_directory(directory)
        except PermissionError:
            return False
        except OSError:
            # Not a matter of the account.
            return not required
        try:
            if required and lstat_at(fd, required) is None:
                return False
            return os.access(".", os.R_OK | os.W_OK | os.X_OK, dir_fd=fd, effective_ids=True) and all(
                lstat_at(fd, name) is None or os.access(name, mode, dir_fd=fd, effective_ids=True)
                for name, mode in files.items()
            )
        except OSError as exc:
            if not required and not isinstance(exc, PermissionError):
                raise
            return False
        finally:
            os.close(fd)
