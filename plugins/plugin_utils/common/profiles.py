# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which facts hold for an engine version."""

from __future__ import annotations

import re
import typing as t

Ranges = t.Sequence[t.Mapping[str, t.Any]]

_VERSION = re.compile(r"(\d+)\.(\d+)(?:\.(\d+))?(?:[.-].*)?")


class ProfileError(ValueError):
    """The version or the data is not usable; the message says why."""


def parse_version(text: str) -> tuple[int, int, int]:
    """Three numbers of a version; a build number or a suffix such as ``-m8`` is ignored."""
    match = _VERSION.fullmatch(str(text).strip())
    if match is None:
        raise ProfileError(
            f"'{text}' is not an engine version; "
            "give at least two numbers, for example '11.3.0' (quoted, so that YAML keeps it)."
        )
    return int(match[1]), int(match[2]), int(match[3] or 0)


# Run-time deployment goes through one node, so the others need its files.
_SHARED_APPLICATIONS = ("applications_shared", "runtime_deployment")


def resolve_profile(ranges: Ranges, version: str, share_applications: bool = True) -> dict[str, t.Any]:
    """The plain facts for ``version``, with those of the ranges it is based on.

    If the applications are not to be shared, the facts are those of a version that cannot share them.
    """
    wanted = parse_version(version)
    for entry in ranges:
        if parse_version(entry["versions"]["min"]) <= wanted < parse_version(entry["versions"]["max"]):
            facts = t.cast("dict[str, t.Any]", _plain(_facts(ranges, entry, wanted)))
            facts["renamed_keys"] = [{"from": key, **rename} for key, rename in facts.get("renamed_keys", {}).items()]
            if not share_applications:
                facts.update(dict.fromkeys(_SHARED_APPLICATIONS, False))
            return {"name": entry["name"], "versions": dict(entry["versions"]), **facts}
    known = ", ".join(
        f"{entry['name']} (from {entry['versions']['min']}, below {entry['versions']['max']})" for entry in ranges
    )
    raise ProfileError(f"No profile is known for engine version {version}. Known ranges: {known}.")


def _facts(ranges: Ranges, entry: t.Mapping[str, t.Any], wanted: tuple[int, int, int]) -> dict[str, t.Any]:
    base: dict[str, t.Any] = {}
    if "based_on" in entry:
        below = next((other for other in ranges if other["name"] == entry["based_on"]), None)
        if below is None or below is entry:
            raise ProfileError(
                f"Profile '{entry['name']}' is based on '{entry['based_on']}', which is not another range."
            )
        base = _facts(ranges, below, wanted)
    own = {key: value for key, value in entry.items() if key not in ("name", "versions", "based_on")}
    return _overlay(base, own, wanted)


def _overlay(base: dict[str, t.Any], own: t.Mapping[str, t.Any], wanted: tuple[int, int, int]) -> dict[str, t.Any]:
    result = dict(base)
    for key, value in own.items():
        if value is None:
            result.pop(key, None)
        elif _is_fact(value):
            if "since" not in value or parse_version(value["since"]) <= wanted:
                result[key] = value
        elif isinstance(value, t.Mapping):
            result[key] = _overlay(result.get(key, {}), value, wanted)
        else:
            result[key] = value
    return result


def _is_fact(value: t.Any) -> bool:
    return isinstance(value, t.Mapping) and "value" in value and "source" in value


def _plain(value: t.Any) -> t.Any:
    if _is_fact(value):
        return _plain(value["value"])
    if isinstance(value, t.Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value
