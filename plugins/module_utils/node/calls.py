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

    if name == "shared_config":
        return entry.shared_config(params, check, diff)
    return _with_record(entry.shared_config_info(params), params)


def _cluster(_name: str, params: Params, check: bool, diff: bool) -> Result:
    from .cluster import entry

    return entry.cluster_record(params, check, diff)


def _gate(_name: str, params: Params, _check: bool, _diff: bool) -> Result:
    from .gate import entry

    result = _with_record(entry.engine_info(params), params)
    if params["guard_file"]:
        result["guard"] = _text(params["guard_file"])
    return result


def _with_record(result: Result, params: Params) -> Result:
    """The result with the cluster record. A record that cannot be read does not hide the rest."""
    if not params["record"]:
        return result
    from .cluster import entry

    answer = entry.cluster_record({**params["record"], "state": "read", "operator": ""}, True, False)
    return {**result, "record": answer.get("record"), "record_problem": answer.get("msg", "")}


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


def _probes(_name: str, params: Params, check: bool, diff: bool) -> Result:
    """Several probes; one that fails does not hide the others."""
    answers = {}
    for probe in params["probes"]:
        answers[probe["name"]] = call(probe["module"], probe["options"], check, diff)
    return {"changed": False, "answers": answers}


# Each imports only what its modules need, because a call takes little longer than its imports.
_MODULES: dict[str, t.Callable[[str, Params, bool, bool], Result]] = {
    "cluster_record": _cluster,
    "connections_info": _probe,
    "deployments_info": _probe,
    "engine_info": _gate,
    "http_probe": _probe,
    "node_probes": _probes,
    "share_probe": _probe,
    "shared_config": _configuration,
    "shared_config_info": _configuration,
}


def call(name: str, params: Params, check: bool, diff: bool) -> Result:
    """The result of a module. An error is a result with ``failed`` and ``msg``."""
    try:
        return _MODULES[name](name, params, check, diff)
    except Exception as exc:
        from .masking.text import failure

        # With a traceback instead of a result, Ansible would print what a file on this node contains.
        return {"failed": True, "msg": f"{name} cannot be completed on this host. {failure(exc)}"}
