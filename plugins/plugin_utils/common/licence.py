# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks a licence of the engine against the cluster. The parser is that of the nodes."""

from __future__ import annotations

import dataclasses
import datetime
import re

from ansible_collections.ivy.cluster.plugins.module_utils.node.engine.licence import (
    Licence,
    LicenceError,
    parse_licence,
)
from ansible_collections.ivy.cluster.plugins.module_utils.node.files.patterns import matches_name
from ansible_collections.ivy.cluster.plugins.plugin_utils.common.text import count

__all__ = ["Licence", "LicenceCheck", "LicenceError", "Remark", "host_is_licensed", "judge", "parse_licence"]

# The engine accepts these hosts with every licence.
_ALWAYS_ALLOWED_HOSTS = ("localhost", "127.0.0.1", "::1")
# A new licence takes weeks to get.
WARN_DAYS = 60


def host_is_licensed(licence: Licence, host: str) -> bool:
    if not licence.public_urls or host in _ALWAYS_ALLOWED_HOSTS:
        return True
    return any(matches_name(_host_of(pattern).lower(), host.lower()) for pattern in licence.public_urls)


@dataclasses.dataclass(frozen=True)
class Remark:
    """A problem of a licence: its code, the problem and the fix."""

    code: str
    problem: str
    advice: str

    def __str__(self) -> str:
        return f"{self.problem[:1].upper()}{self.problem[1:]}. {self.advice}"


@dataclasses.dataclass(frozen=True)
class LicenceCheck:
    """With ``problems`` the licence cannot be used for this cluster; ``later`` are warnings."""

    problems: tuple[Remark, ...]
    later: tuple[Remark, ...]


def judge(licence: Licence, *, today: datetime.date, nodes: int, host: str, engine_major: int) -> LicenceCheck:
    """Check whether the licence fits the cluster. An ``engine_major`` of 0 is unknown and not checked."""
    problems: list[Remark] = []
    later: list[Remark] = []
    if "enterprise" not in licence.type.lower():
        problem = f"the licence is of type '{licence.type}'"
        problems.append(Remark("licence-edition", problem, "A cluster needs a licence of the Enterprise Edition."))
    if licence.valid_from and datetime.date.fromisoformat(licence.valid_from) > today:
        problem = f"the licence is not valid before {licence.valid_from}"
        advice = "Use the present licence until then; with this one the engine would not serve."
        problems.append(Remark("licence-not-valid-yet", problem, advice))
    if licence.valid_until:
        days = (datetime.date.fromisoformat(licence.valid_until) - today).days
        if days < 0:
            problem = f"the licence ended on {licence.valid_until}"
            advice = "Get a new licence; with this one the engine would not serve."
            problems.append(Remark("licence-expired", problem, advice))
        elif days < WARN_DAYS:
            problem = f"the licence ends on {licence.valid_until}, in {days} days"
            later.append(Remark("licence-ends-soon", problem, "Get a new one in time."))
    if licence.nodes and nodes > licence.nodes:
        problem = f"the licence is for {licence.nodes} nodes, the group engine_nodes has {nodes}"
        advice = (
            "Remove nodes from the group, or get a licence for more; "
            "a node above the limit answers 503 to every request."
        )
        problems.append(Remark("licence-nodes", problem, advice))
    if licence.sessions and nodes > licence.sessions:
        problem = (
            f"the licence is for {count(licence.sessions, 'session')} at the same time, "
            f"the group engine_nodes has {count(nodes, 'node')}"
        )
        advice = "Make sure that this is not a licence for demonstrations, or get one for more sessions."
        later.append(Remark("licence-sessions", problem, advice))
    if host and not host_is_licensed(licence, host):
        problem = (
            f"the public URL's host '{host}' is not among the licence's public URLs ({', '.join(licence.public_urls)})"
        )
        advice = "Correct ivy_public_url, or get a licence that names this host."
        problems.append(Remark("licence-host", problem, advice))
    key_major = _key_major(licence.key_version)
    if key_major and engine_major and key_major != engine_major:
        problem = (
            f"the licence's key version '{licence.key_version}' looks like one for engine {key_major}, "
            f"but the engine's version is {engine_major}"
        )
        later.append(Remark("licence-key-version", problem, "Ask the vendor whether this licence is good for it."))
    return LicenceCheck(tuple(problems), tuple(later))


def _host_of(url: str) -> str:
    without_scheme = url.split("://", 1)[-1].split("/", 1)[0]
    if without_scheme.startswith("["):
        return without_scheme[1:].split("]", 1)[0]
    return without_scheme.split(":", 1)[0] if without_scheme.count(":") == 1 else without_scheme


def _key_major(key_version: str) -> int:
    match = re.fullmatch(r"axonivy/(\d{1,2})000", key_version)
    return int(match[1]) if match else 0
