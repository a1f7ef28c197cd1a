# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the modules of the shared configuration answer, whichever way their code came to the node."""

from __future__ import annotations

import typing as t

from ..files.errors import NodeError
from . import inspection, request
from .baseline import record_baseline
from .converge import converge

Answer = dict[str, t.Any]


def shared_config(params: t.Mapping[str, t.Any], check: bool, diff: bool) -> Answer:
    """The answer of ivy.cluster.shared_config; with ``failed`` and ``msg`` in it where it could not be done."""
    try:
        if params["state"] == "baseline":
            return record_baseline(request.settings(params), params["store"], params["engine_version"], check)
        node_request = request.build(params, params["state"], check, diff)
        if params["state"] != "accepted":
            return request.conceal(converge(node_request), node_request.key)
        if params["wait"] and node_request.judge:
            inspection.await_rewriting(node_request, params["wait"])
        return request.conceal(inspection.accept(node_request), node_request.key)
    except NodeError as exc:
        return {"failed": True, "msg": str(exc)}
    except OSError as exc:
        text = f"The node's files could not be handled: {exc}. What was begun is finished by the next run."
        return {"failed": True, "msg": text}


def shared_config_info(params: t.Mapping[str, t.Any]) -> Answer:
    """The answer of ivy.cluster.shared_config_info, which writes nothing with or without check mode."""
    try:
        node_request = request.build(params, "applied", check=True, diff=False)
        return request.conceal(inspection.inspect(node_request), node_request.key)
    except NodeError as exc:
        return {"failed": True, "msg": str(exc)}
    except OSError as exc:
        return {"failed": True, "msg": f"The node's files could not be read: {exc}."}


def call(name: str, params: t.Mapping[str, t.Any], check: bool, diff: bool) -> Answer:
    """One of them by the name of its module."""
    return shared_config_info(params) if name == "shared_config_info" else shared_config(params, check, diff)
