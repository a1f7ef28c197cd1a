# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Entry point of the module cluster_record on a node."""

from __future__ import annotations

import typing as t

from ..files.errors import NodeError
from . import record, update


def cluster_record(params: t.Mapping[str, t.Any], check: bool, diff: bool) -> dict[str, t.Any]:
    """The result of ivy.cluster.cluster_record. An error is a result with ``failed`` and ``msg``."""
    try:
        return _run({**params, "owner": params["operator"]}, check, diff)
    except NodeError as exc:
        return {"failed": True, "msg": str(exc)}
    except OSError as exc:
        return {
            "failed": True,
            "msg": f"The cluster record in {params['directory']} cannot be read or written: {exc}.",
        }


def _run(params: t.Mapping[str, t.Any], check: bool, diff: bool) -> dict[str, t.Any]:
    location = update.Location(**{name: params[name] for name in update.Location._fields})
    if params["state"] == "read":
        return {"changed": False, "record": update.read(location)}
    change = record.Change(**{name: params[name] for name in record.Change._fields})
    before, after = (update.predict if check else update.write)(location, change)
    result: dict[str, t.Any] = {"changed": after != before, "record": after}
    if diff:
        result["diff"] = update.difference(before, after)
    return result
