# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compares the expected state with the one that a host reports.

A report can contain anything, so texts contain only what the controller expects. What is missing or has another type
differs.
"""

from __future__ import annotations

import hashlib
import typing as t

from ansible_collections.ivy.cluster.plugins.plugin_utils.host_state import services
from ansible_collections.ivy.cluster.plugins.plugin_utils.host_state.expected import State

Observed = t.Mapping[str, t.Any]
Item = t.Mapping[str, t.Any]

# `systemctl is-enabled` succeeds for these.
_ENABLED = ("enabled", "enabled-runtime", "alias", "static", "indirect", "generated")
_ABSENT = ("unknown", "not-installed")


def _part(observed: t.Any, *keys: str) -> t.Any:
    for key in keys:
        observed = observed.get(key) if isinstance(observed, dict) else None
    return observed


def _package(item: Item, found: t.Any) -> t.Iterator[str]:
    words = found if isinstance(found, list) and len(found) == len(("want", "flag", "status")) else ["", "", ""]
    if words[1:] != ["ok", "installed"]:
        yield "not installed"
    elif item.get("held") is not None and (words[0] == "hold") != bool(item["held"]):
        yield "not on hold" if item["held"] else "on hold"


def _path(item: Item, found: t.Any) -> t.Iterator[str]:
    state = item.get("state", "file")
    if _part(found, "state") != state:
        yield f"not a {state}" if state != "absent" else "present"
        return
    for key, number in (("owner", "uid"), ("group", "gid")):
        if key in item and str(item[key]) not in (str(_part(found, key)), str(_part(found, number))):
            yield f"another {key}"
    if "mode" in item and _part(found, "mode") != f"{int(str(item['mode']), 8):04o}":
        yield "another mode"
    if "target" in item and _part(found, "target") != item["target"]:
        yield "another target"
    if "content" in item and _part(found, "sha256") != hashlib.sha256(str(item["content"]).encode("utf-8")).hexdigest():
        yield "another content"
    if item.get("contains") and _part(found, "contains") is not True:
        yield "without the lines of the role"


def _unit(item: Item, found: t.Any) -> t.Iterator[str]:
    if _part(found, "LoadState") != "loaded":
        yield "not loaded"
        return
    if _part(found, "ActiveState") != "active":
        yield "not running"
    if _part(found, "UnitFileState") not in _ENABLED:
        yield "not enabled"
    if _part(found, "NeedDaemonReload") != "no":
        yield "changed on disk since systemd loaded it"
    if item.get("drop_in") and item["drop_in"] not in str(_part(found, "DropInPaths")).split():
        yield "loaded without its drop-in"


def _user(item: Item, found: t.Any) -> t.Iterator[str]:
    if not isinstance(found, dict):
        yield "missing"
        return
    yield from (f"another {key}" for key in item if key != "name" and str(found.get(key)) != str(item[key]))


def _group(item: Item, found: t.Any) -> t.Iterator[str]:
    if found is None:
        yield "missing"
    elif "gid" in item and str(found) != str(item["gid"]):
        yield "another gid"


def _chain(item: Item, found: t.Any) -> t.Iterator[str]:
    if str(item["contains"]) not in str(found):
        yield "rules of the role not in force"


def _parameter(item: Item, found: t.Any) -> t.Iterator[str]:
    if not str(found).isdecimal() or int(str(found)) < int(item["minimum"]):
        yield "too small"


_KINDS: t.Mapping[str, tuple[str, t.Callable[[Item, t.Any], t.Iterator[str]]]] = {
    "packages": ("name", _package),
    "paths": ("path", _path),
    "units": ("name", _unit),
    "users": ("name", _user),
    "groups": ("name", _group),
    "chains": ("chain", _chain),
    "parameters": ("name", _parameter),
}
_TITLES = {
    "packages": "package",
    "paths": "",
    "units": "unit",
    "users": "user",
    "groups": "group",
    "chains": "nftables chain",
    "parameters": "kernel parameter",
}


def differences(state: State, observed: Observed) -> list[str]:
    """What differs, one text for each, beginning with the subject."""
    found = [str(text) for text in state["unknown"]]
    observed = observed if isinstance(observed, dict) else {}
    for kind, (key, compare) in _KINDS.items():
        for item in state[kind]:
            subject = f"{_TITLES[kind]} {item[key]}".strip()
            found += [f"{subject}: {text}" for text in compare(item, _part(observed, kind, str(item[key])))]
    for name, params in state["services"].items():
        found += services.differences(name, params["expect"], _part(observed, name), observed)
    return found
