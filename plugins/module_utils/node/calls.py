# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules whose code a node caches, by name."""

from __future__ import annotations

import typing as t

Params = t.Mapping[str, t.Any]
Result = dict[str, t.Any]

_MAXIMUM_GUARD = 1 << 20


def _configuration(name: str, params: Params, check: bool, diff: bool) -> Result:
    from .config import entry

    return (
        entry.shared_config_info(params) if name == "shared_config_info" else entry.shared_config(params, check, diff)
    )


def _cluster(_name: str, params: Params, check: bool, diff: bool) -> Result:
    from .cluster import entry

    return entry.cluster_record(params, check, diff)


def _gate(_name: str, params: Params, _check: bool, _diff: bool) -> Result:
    from .gate import entry

    result = entry.engine_info(params)
    if params["record"]:
        result.update(_record(params["record"]))
    if params["guard_file"]:
        result["guard"] = _text(params["guard_file"])
    return result


def _record(location: Params) -> Result:
    from .cluster import entry

    answer = entry.cluster_record({**location, "state": "read", "operator": ""}, True, False)
    return {"record": answer.get("record"), "record_problem": answer.get("msg", "")}


def _text(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as stream:
            return stream.read(_MAXIMUM_GUARD)
    except OSError:
        return ""


def _probe(name: str, params: Params, check: bool, _diff: bool) -> Result:
    from .probes import entry

    if name == "share_probe":
        return entry.share_probe(params, check)
    if name == "http_probe":
        return entry.http_probe(params, check)
    return entry.connections_info(params) if name == "connections_info" else entry.deployments_info(params)


# Each imports only what its modules need, because a call takes little longer than its imports.
_MODULES: dict[str, t.Callable[[str, Params, bool, bool], Result]] = {
    "cluster_record": _cluster,
    "connections_info": _probe,
    "deployments_info": _probe,
    "engine_info": _gate,
    "http_probe": _probe,
    "share_probe": _probe,
    "shared_config": _configuration,
    "shared_config_info": _configuration,
}


def call(name: str, params: Params, check: bool, diff: bool) -> Result:
    """The result of a module. An error is a result with ``failed`` and ``msg``."""
    return _MODULES[name](name, params, check, diff)
