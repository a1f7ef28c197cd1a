# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The state that a role sets, as its variable ``<role>_state`` describes it.

Each key of the description is optional:

packages     list of ``{name, held}``; ``held`` is true, false, or left out where it does not matter
paths        list of ``{path, state, owner, group, mode, content, contains, target}``; ``state`` is file, directory,
             link or absent, and everything but ``path`` may be left out
listings     directories with names on which the description depends, in the variable ``host_state_observed``. That of a
             balancer may depend on its ``sso_headers``, too
units        list of ``{name, drop_in}``: running, enabled and loaded as on disk, with the drop-in if there is one
users        list of ``{name, uid, gid, comment, home, shell}``, everything but ``name`` optional
groups       list of ``{name, gid}``, ``gid`` optional
chains       list of ``{chain, contains}``: a chain of nftables ("inet table chain") and a text in its rules
parameters   list of ``{name, minimum}`` of kernel parameters
services     one of balancer, certificate, database, etcd, patroni, search and share, each with its own keys; see
             services.py
passwords    passwords for the services, which must not be in a description
includes     list of ``{role, state, vars}``: the role includes that role with these variables; ``state`` selects one
             of several descriptions, ``<role>_<state>_state``
unknown      texts: reasons why the description is incomplete, so that the role must run
"""

from __future__ import annotations

import typing as t

from ansible_collections.ivy.cluster.plugins.module_utils.node.files.digest import canonical

State = t.Mapping[str, t.Any]
LISTS = ("packages", "paths", "listings", "units", "users", "groups", "chains", "parameters", "unknown", "includes")
DICTS = ("services", "passwords")


class StateError(ValueError):
    """A description is not valid."""


def validated(state: t.Any) -> dict[str, t.Any]:
    """The description with every key."""
    if not isinstance(state, dict):
        raise StateError("The description is not a dictionary.")
    unknown = sorted(set(state) - {*LISTS, *DICTS})
    if unknown:
        raise StateError(f"The description has unknown keys: {', '.join(unknown)}.")
    full: dict[str, t.Any] = {**{key: [] for key in LISTS}, **{key: {} for key in DICTS}, **state}
    if not all(isinstance(full[key], list) for key in LISTS) or not all(isinstance(full[key], dict) for key in DICTS):
        raise StateError("A key of the description has a value of another type.")
    return full


def merged(states: t.Iterable[State]) -> dict[str, t.Any]:
    """Several descriptions as one."""
    total = validated({})
    for state in states:
        for key in LISTS:
            total[key] = [*total[key], *state[key]]
        for key in DICTS:
            total[key] = {**total[key], **state[key]}
    return total


def unordered(state: State) -> dict[str, t.Any]:
    """The description with its lists sorted, since their order means nothing and may differ between runs."""
    return {**state, **{key: sorted(state[key], key=canonical) for key in LISTS}}


def subjects(state: State) -> dict[str, t.Any]:
    """What the host has to gather. Contains no expected content of a file."""
    return {
        "packages": _names(state["packages"], "name"),
        "paths": _names(state["paths"], "path"),
        "contains": {item["path"]: item["contains"] for item in state["paths"] if item.get("contains")},
        "listings": [str(path) for path in state["listings"]],
        "units": _names(state["units"], "name"),
        "users": _names(state["users"], "name"),
        "groups": _names(state["groups"], "name"),
        "chains": _names(state["chains"], "chain"),
        "parameters": _names(state["parameters"], "name"),
        "services": {name: params["gather"] for name, params in state["services"].items()},
    }


def _names(items: t.Iterable[t.Mapping[str, t.Any]], key: str) -> list[str]:
    return list(dict.fromkeys(str(item[key]) for item in items))


def depends(state: State, observed: t.Mapping[str, t.Any]) -> bool:
    """Whether the description depends on what the host has: names in directories, or headers that HAProxy removes."""
    balancer = observed.get("balancer")
    kept = balancer.get("sso_headers") if isinstance(balancer, dict) else None
    return bool(state["listings"] or ("balancer" in state["services"] and kept))
