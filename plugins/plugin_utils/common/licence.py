# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Evaluates a licence of the engine for this cluster. The parser is the one that the nodes use."""

from __future__ import annotations

import dataclasses
import datetime
import fnmatch
import re
import typing as t

from ansible_collections.ivy.cluster.plugins.module_utils.node.engine import licence

# The engine's own rule: these hosts pass the check of the public URL with every licence.
_ALWAYS_ALLOWED_HOSTS = ("localhost", "127.0.0.1", "::1")
# A new licence takes weeks to get.
WARN_DAYS = 60


class LicenceError(ValueError):
    """The text is not a licence; the message says what is missing."""


@dataclasses.dataclass(frozen=True)
class Licence:
    """What a licence says; ``nodes`` and ``users`` are 0 and ``valid_until`` is empty where it sets no limit."""

    type: str
    nodes: int
    users: int
    valid_until: str
    public_urls: tuple[str, ...]
    key_version: str

    def to_dict(self) -> dict[str, t.Any]:
        return {**dataclasses.asdict(self), "public_urls": list(self.public_urls)}


def parse_licence(text: str) -> Licence:
    """Read the properties between ``[Begin Licence]`` and ``[End Licence]`` (or of a plain properties file)."""
    properties = licence.properties(text)
    if "licence.type" not in properties:
        raise LicenceError("it has no line 'licence.type=...', so it is not a licence of the engine")
    return Licence(
        type=properties["licence.type"],
        nodes=_number(properties, "server.nodes.limit"),
        users=_number(properties, "server.users.limit"),
        valid_until=_date(properties.get("licence.valid.until", "")),
        public_urls=tuple(url.strip() for url in properties.get("public.urls", "").split(",") if url.strip()),
        key_version=properties.get("licence.keyversion", ""),
    )


def host_is_licensed(found: Licence, host: str) -> bool:
    if not found.public_urls or host in _ALWAYS_ALLOWED_HOSTS:
        return True
    return any(fnmatch.fnmatchcase(host.lower(), _host_of(pattern).lower()) for pattern in found.public_urls)


@dataclasses.dataclass(frozen=True)
class Remark:
    """What is wrong with a licence, what to do, and the kind of it."""

    code: str
    problem: str
    advice: str

    def __str__(self) -> str:
        return f"{self.problem[:1].upper()}{self.problem[1:]}. {self.advice}"


@dataclasses.dataclass(frozen=True)
class Verdict:
    """``problems`` make the licence unusable for this cluster; ``later`` may make it unusable."""

    problems: tuple[Remark, ...]
    later: tuple[Remark, ...]


def judge(found: Licence, *, today: datetime.date, nodes: int, host: str, engine_major: int) -> Verdict:
    """Whether the licence is good for the cluster. An ``engine_major`` of 0 is not known and not judged."""
    problems: list[Remark] = []
    later: list[Remark] = []
    if "enterprise" not in found.type.lower():
        problem = f"the licence is of type '{found.type}'"
        problems.append(Remark("licence-edition", problem, "A cluster needs a licence of the Enterprise Edition."))
    if found.valid_until:
        days = (datetime.date.fromisoformat(found.valid_until) - today).days
        if days < 0:
            problem = f"the licence ended on {found.valid_until}"
            advice = "Get a new licence; with this one the engine would not serve."
            problems.append(Remark("licence-expired", problem, advice))
        elif days < WARN_DAYS:
            problem = f"the licence ends on {found.valid_until}, in {days} days"
            later.append(Remark("licence-ends-soon", problem, "Get a new one in time."))
    if found.nodes and nodes > found.nodes:
        problem = f"the licence is for {found.nodes} nodes, the group engine_nodes has {nodes}"
        advice = (
            "Remove nodes from the group, or get a licence for more; "
            "a node above the limit answers 503 to every request."
        )
        problems.append(Remark("licence-nodes", problem, advice))
    if host and not host_is_licensed(found, host):
        problem = (
            f"the public URL's host '{host}' is not among the licence's public URLs ({', '.join(found.public_urls)})"
        )
        advice = "Correct ivy_public_url, or get a licence that names this host."
        problems.append(Remark("licence-host", problem, advice))
    key_major = _key_major(found.key_version)
    if key_major and engine_major and key_major != engine_major:
        problem = (
            f"the licence's key version '{found.key_version}' looks like one for engine {key_major}, "
            f"but the engine's version is {engine_major}"
        )
        later.append(Remark("licence-key-version", problem, "Ask the vendor whether this licence is good for it."))
    return Verdict(tuple(problems), tuple(later))


def _host_of(url: str) -> str:
    without_scheme = url.split("://", 1)[-1].split("/", 1)[0]
    if without_scheme.startswith("["):
        return without_scheme[1:].split("]", 1)[0]
    return without_scheme.split(":", 1)[0] if without_scheme.count(":") == 1 else without_scheme


def _key_major(key_version: str) -> int:
    match = re.fullmatch(r"axonivy/(\d{1,2})000", key_version)
    return int(match[1]) if match else 0


def _number(properties: t.Mapping[str, str], key: str) -> int:
    value = properties.get(key, "").strip()
    if not value or value == "-1":
        return 0
    if not value.isdigit():
        raise LicenceError(f"'{key}={value}' is not a number")
    return int(value)


def _date(value: str) -> str:
    if not value:
        return ""
    day = licence.day(value)
    if day is None:
        raise LicenceError(f"'licence.valid.until={value}' is not a date of the form 2030-12-31")
    return day.isoformat()
