# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading and judging a licence of the engine."""

from __future__ import annotations

import dataclasses
import datetime
import fnmatch
import re
import typing as t

# The engine's own rule: these hosts pass the check of the public URL with every licence.
_ALWAYS_ALLOWED_HOSTS = ("localhost", "127.0.0.1", "::1")
WARN_DAYS = 30

_LINE = re.compile(r"([^=:\s]+)\s*[=:]\s*(.*)")
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|(.))")


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
    properties: dict[str, str] = {}
    for line in text.splitlines():
        line = line.strip()
        if line == "[End Licence]":
            break
        match = _LINE.fullmatch(line)
        if match is not None and not line.startswith(("#", "!", "[")):
            properties[_unescape(match[1])] = _unescape(match[2].strip())
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


def host_is_licensed(licence: Licence, host: str) -> bool:
    if not licence.public_urls or host in _ALWAYS_ALLOWED_HOSTS:
        return True
    return any(fnmatch.fnmatchcase(host.lower(), _host_of(pattern).lower()) for pattern in licence.public_urls)


@dataclasses.dataclass(frozen=True)
class Verdict:
    """``problems`` make the licence unusable for this cluster; ``warnings`` will, later or perhaps."""

    problems: tuple[tuple[str, str], ...]
    warnings: tuple[str, ...]


def judge(licence: Licence, *, today: datetime.date, nodes: int, host: str, engine_major: int) -> Verdict:
    problems: list[tuple[str, str]] = []
    warnings: list[str] = []
    if "enterprise" not in licence.type.lower():
        problems.append(
            (f"the licence is of type '{licence.type}'", "A cluster needs a licence of the Enterprise Edition.")
        )
    if licence.valid_until:
        days = (datetime.date.fromisoformat(licence.valid_until) - today).days
        if days < 0:
            problems.append(
                (
                    f"the licence ended on {licence.valid_until}",
                    "Get a new licence; with this one the engine would not serve.",
                )
            )
        elif days < WARN_DAYS:
            warnings.append(f"The licence ends on {licence.valid_until}, in {days} days.")
    if licence.nodes and nodes > licence.nodes:
        problems.append(
            (
                f"the licence is for {licence.nodes} nodes, the group engine_nodes has {nodes}",
                "Remove nodes from the group, or get a licence for more; "
                "a node above the limit answers 503 to every request.",
            )
        )
    if host and not host_is_licensed(licence, host):
        problems.append(
            (
                f"the public URL's host '{host}' is not among the licence's public URLs "
                f"({', '.join(licence.public_urls)})",
                "Correct ivy_public_url, or get a licence that names this host.",
            )
        )
    key_major = _key_major(licence.key_version)
    if key_major and key_major != engine_major:
        warnings.append(
            f"The licence's key version '{licence.key_version}' looks like one for engine {key_major}, "
            f"but the engine's version is {engine_major}."
        )
    return Verdict(tuple(problems), tuple(warnings))


def _host_of(url: str) -> str:
    without_scheme = url.split("://", 1)[-1].split("/", 1)[0]
    if without_scheme.startswith("["):
        return without_scheme[1:].split("]", 1)[0]
    return without_scheme.split(":", 1)[0] if without_scheme.count(":") == 1 else without_scheme


def _key_major(key_version: str) -> int:
    match = re.fullmatch(r"axonivy/(\d{1,2})000", key_version)
    return int(match[1]) if match else 0


def _unescape(text: str) -> str:
    return _ESCAPE.sub(lambda match: chr(int(match[1], 16)) if match[1] else match[2], text)


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
    try:
        return datetime.date.fromisoformat(value[:10]).isoformat()
    except ValueError:
        raise LicenceError(f"'licence.valid.until={value}' is not a date of the form 2030-12-31") from None
