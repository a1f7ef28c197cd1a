# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Entry point of the module engine_info on a node."""

from __future__ import annotations

import typing as t

from ..config import request
from ..files.errors import NodeError
from . import check, log_tail, state

_SCOPE = ("http_port", "host_header", "health", "jgroups", "database", "search", "configuration")


def engine_info(params: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """The result of ivy.cluster.engine_info. An error is a result with ``failed`` and ``msg``."""
    settings = request.settings(params)
    scope = state.Scope(**{name: params[name] for name in _SCOPE})
    try:
        if params["until"] is None:
            facts = state.gather(settings, params["store"], scope)
            facts.pop("age")
            return {"changed": False, "engine": facts}
        facts, problems, waited = check.wait_until_ready(settings, params["store"], scope, params["wait"])
        facts.pop("age")
        result = {
            "changed": False,
            "engine": facts,
            "ready": not problems,
            "waited": round(waited, 1),
            "problems": problems,
        }
        if problems:
            msg = check.failure(problems, params["wait"])
            return {"failed": True, "msg": msg, "log_tail": log_tail.log_tail(settings), **result}
        return result
    except NodeError as exc:
        return {"failed": True, "msg": str(exc)}
