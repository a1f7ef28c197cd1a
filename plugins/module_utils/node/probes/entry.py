# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Entry points of the modules that probe a node for verify. An error is a result with ``failed`` and ``msg``."""

from __future__ import annotations

import typing as t

from ..files.errors import NodeError
from . import connections, deployments, http, share

Params = t.Mapping[str, t.Any]
Result = dict[str, t.Any]


def share_probe(params: Params, check: bool) -> Result:
    probe = share.Probe(**{name: params[name] for name in share.Probe._fields})
    try:
        return share.run(probe, params["state"], params["wait"], check)
    except NodeError as exc:
        return {"failed": True, "msg": str(exc)}


def http_probe(params: Params, check: bool) -> Result:
    port, host_header, requests = (params[name] for name in ("port", "host_header", "requests"))
    safe = [request for request in requests if request["method"] in http.SAFE_METHODS]
    answers = http.send_all(
        safe if check else requests,
        params["wait"],
        lambda request, timeout: http.send(port, host_header, request, timeout),
    )
    return {"changed": len(safe) < len(requests), "answers": answers}


def connections_info(params: Params) -> Result:
    try:
        result = connections.gather(
            **{name: params[name] for name in ("unit", "local_ports", "remote_ports", "expect", "wait")}
        )
    except OSError as exc:
        return {"failed": True, "msg": f"The connections of this host cannot be read: {exc}."}
    return {"changed": False, **result}


def deployments_info(params: Params) -> Result:
    directory = params["deploy_directory"]
    try:
        return {"changed": False, **deployments.gather(directory, params["store"], params["unit"])}
    except NodeError as exc:
        return {"failed": True, "msg": str(exc)}
    except OSError as exc:
        return {"failed": True, "msg": f"The deployments in {directory} cannot be read: {exc}."}
