# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Entry point of the module cluster_record on a node, and the check of the lease for other modules."""

from __future__ import annotations

import typing as t

from ..files.errors import NodeError
from . import lease, record, update

# Filled in where the option has another name, or by the writer.
_OTHERS = ("owner", "now")


def cluster_record(params: t.Mapping[str, t.Any], check: bool, diff: bool) -> dict[str, t.Any]:
    """The result of ivy.cluster.cluster_record. An error is a result with ``failed`` and ``msg``."""
    return _guarded(params["directory"], lambda: _run(params, check, diff))


def lease_problem(params: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """A failed result if the run does not hold the lease, otherwise an empty one."""
    return _guarded(params["directory"], lambda: _check(params))


def _guarded(directory: str, function: t.Callable[[], dict[str, t.Any]]) -> dict[str, t.Any]:
    try:
        return function()
    except lease.LeaseError as exc:
        return {"failed": True, "msg": str(exc), "lease": exc.lease}
    except NodeError as exc:
        return {"failed": True, "msg": str(exc)}
    except OSError as exc:
        return {"failed": True, "msg": f"The cluster record in {directory} cannot be read or written: {exc}."}


def _location(params: t.Mapping[str, t.Any]) -> update.Location:
    return update.Location(**{name: params.get(name, "") for name in update.Location._fields})


def _check(params: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    update.check(_location(params), params["run_id"])
    return {}


def _run(params: t.Mapping[str, t.Any], check: bool, diff: bool) -> dict[str, t.Any]:
    location = _location(params)
    if params["state"] == "read":
        return {"changed": False, "record": update.read(location)}
    may_be_new = params["state"] == "released" or (params["state"] == "taken" and params["new_cluster"])
    if may_be_new and update.is_new(location):
        return {"changed": False, "record": None, "deferred": True}
    fields = {name: params[name] for name in record.Change._fields if name not in _OTHERS}
    change = record.Change(**fields, owner=params["operator"])
    before, after = (update.predict if check else update.write)(location, change)
    result: dict[str, t.Any] = {
        "changed": update.changed(before, after),
        "record": after,
        "before": before,
    }
    if params["state"] == "taken":
        result["first"] = lease.run_of(before) != params["run_id"]
    if diff:
        result["diff"] = update.difference(before, after)
    return result
