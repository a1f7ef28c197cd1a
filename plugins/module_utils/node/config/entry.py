# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Entry points of the modules shared_config and shared_config_info on a node."""

from __future__ import annotations

import typing as t

from ..cluster import entry as cluster
from ..files.errors import NodeError
from . import inspection
from . import request as requests
from .baseline import record_baseline
from .converge import converge

Result = dict[str, t.Any]


def shared_config(params: t.Mapping[str, t.Any], check: bool, diff: bool) -> Result:
    """The result of ivy.cluster.shared_config. An error is a result with ``failed`` and ``msg``."""
    try:
        # Check mode changes nothing, and took no lease.
        refused = cluster.lease_problem(params["lease"]) if params.get("lease") and not check else {}
        if refused:
            return refused
        if params["state"] == "baseline":
            return record_baseline(requests.settings(params), params["store"], params["engine_version"], check)
        request = requests.build(params, params["state"], check, diff)
        if params["state"] != "accepted":
            return requests.conceal(converge(request), request.key)
        if params["wait"] and request.judge:
            inspection.await_rewriting(request, params["wait"])
        return requests.conceal(inspection.accept(request), request.key)
    except NodeError as exc:
        return {"failed": True, "msg": str(exc)}
    except OSError as exc:
        text = f"A file of the node could not be read or written: {exc}. The next run finishes what this run has begun."
        return {"failed": True, "msg": text}


def shared_config_info(params: t.Mapping[str, t.Any]) -> Result:
    """The result of ivy.cluster.shared_config_info, which never writes."""
    try:
        request = requests.build(params, "applied", check=True, diff=False)
        return requests.conceal(inspection.inspect(request), request.key)
    except NodeError as exc:
        return {"failed": True, "msg": str(exc)}
    except OSError as exc:
        return {"failed": True, "msg": f"A file of the node could not be read: {exc}."}
