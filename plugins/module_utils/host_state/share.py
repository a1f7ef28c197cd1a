# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The directories of a share as the engine's user sees them: by number, and without supplementary groups."""

from __future__ import annotations

import typing as t

from ..node.cluster.access import acting_as
from ..node.files import bounded
from ..preflight.share import mount_of
from .commands import output
from .directories import describe, write_problem

_MOUNTS = "/proc/self/mountinfo"
# For a share whose server is away.
_TIMEOUT = 30


def gather(params: t.Mapping[str, t.Any], check_mode: bool) -> dict[str, t.Any]:
    directories = [str(path) for path in params["directories"]]
    uid, gid = int(params["uid"]), int(params["gid"])
    with open(_MOUNTS, encoding="utf-8", errors="replace") as stream:
        mount = mount_of(str(params["mount"]), stream.read())
    protection = [str(word) for word in params["protection"]]
    checked = output(*protection) if protection else ""

    def inspect() -> dict[str, t.Any]:
        with acting_as(uid, gid):
            return {
                "directories": {path: describe(path) for path in directories},
                "writable": [path for path in directories if check_mode or not write_problem(path, uid, gid)],
            }

    try:
        found: dict[str, t.Any] = bounded.call(inspect, _TIMEOUT)
    except OSError:
        found = {}
    return {
        "protected": checked is not None and "changed" not in checked.splitlines(),
        "mount": mount["target"],
        **found,
    }
