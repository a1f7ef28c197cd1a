# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Gathers the state of all subjects of a host."""

from __future__ import annotations

import typing as t

from ..haproxy import process
from ..haproxy.runtime_socket import (
    RuntimeSocket,
    RuntimeSocketError,
)
from . import (
    certificates,
    etcd,
    files,
    patroni,
    postgres,
    search,
    share,
    system,
)

Subjects = t.Mapping[str, t.Any]
Gathered = dict[str, t.Any]


def _balancer(params: t.Mapping[str, t.Any]) -> Gathered:
    descriptions = process.configured_descriptions(files.text(params["configuration"]))
    found: Gathered = {}
    try:
        state = process.inspect(RuntimeSocket(params["socket"]), params["digest"], params["files"], "")
        found["reload_required"] = state["reload_required"]
        descriptions.append(state["process"]["description"])
    except RuntimeSocketError:
        pass
    return {**found, "sso_headers": process.sso_headers(descriptions)}


def gather(subjects: Subjects, passwords: t.Mapping[str, str], check_mode: bool) -> Gathered:
    """The state of each subject by kind. A service is left out unless the subjects name it."""
    contains = subjects.get("contains") or {}
    found: Gathered = {
        "packages": system.packages(subjects.get("packages") or []),
        "paths": {path: files.describe(path, contains.get(path, "")) for path in subjects.get("paths") or []},
        "listings": {path: files.listing(path) for path in subjects.get("listings") or []},
        "units": system.units(subjects.get("units") or []),
        "users": system.users(subjects.get("users") or []),
        "groups": system.groups(subjects.get("groups") or []),
        "chains": system.chains(subjects.get("chains") or []),
        "parameters": system.parameters(subjects.get("parameters") or []),
    }
    services = subjects.get("services") or {}
    if "balancer" in services:
        found["balancer"] = _balancer(services["balancer"])
    for name in services:
        if name.partition("_")[0] == "certificate":
            found[name] = certificates.gather(services[name])
    if "etcd" in services:
        found["etcd"] = etcd.gather(services["etcd"])
    if "database" in services:
        found["database"] = postgres.gather(services["database"], passwords.get("database", ""))
    if "patroni" in services:
        found["patroni"] = patroni.gather(services["patroni"])
    if "search" in services:
        found["search"] = search.gather(services["search"], passwords.get("search", ""))
    if "share" in services:
        found["share"] = share.gather(services["share"], check_mode)
    return found
