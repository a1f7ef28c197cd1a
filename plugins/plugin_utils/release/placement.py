# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Placing the inventory's topology: which value goes into which file and key, or into the unit's environment."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.ivy.cluster.plugins.plugin_utils.common.findings import Finding
from ansible_collections.ivy.cluster.plugins.plugin_utils.release import engine_secrets, yaml_checks
from ansible_collections.ivy.cluster.plugins.plugin_utils.yaml import edit, tree

ENVIRONMENT = "environment"
# Above the keys that the topology adds to the root of a file.
NOTE = "# From the inventory, placed by ivy.cluster:"
MAINTENANCE_MODE = "maintenance_mode"
# A node that cannot work must fail at its start; in maintenance mode it would look as if it ran.
MAINTENANCE_DISABLED = "DISABLED"


@dataclasses.dataclass(frozen=True)
class Existing:
    """A YAML file of the source as far as placing needs it. ``name`` is what a message calls it."""

    name: str
    text: str
    document: tree.Document


@dataclasses.dataclass
class Placed:
    """The texts of the files that changed or are new, and the secrets that are in none of them."""

    texts: dict[str, str] = dataclasses.field(default_factory=dict)
    secrets: dict[str, str] = dataclasses.field(default_factory=dict)
    findings: list[Finding] = dataclasses.field(default_factory=list)


def place_topology(
    topology: t.Mapping[str, t.Any],
    existing: t.Mapping[str, Existing],
    profile: t.Mapping[str, t.Any],
) -> Placed:
    result = Placed()
    settings: t.Mapping[str, t.Mapping[str, str]] = profile.get("settings", {})
    additions: dict[str, dict[str, edit.Scalar]] = {}
    for name in topology:
        if name not in settings:
            advice = f"Known are: {', '.join(sorted(settings))}."
            result.findings.append(
                Finding.in_file("", 0, f"the topology value '{name}' has no place in the profile", advice)
            )
    for name, place in settings.items():
        value = topology.get(name)
        if value is None or value == "":
            if name != MAINTENANCE_MODE:
                continue
            if any(_leaf(entry, place["key"]) is not None for entry in existing.values()):
                continue
            value = MAINTENANCE_DISABLED
        if place["file"] == ENVIRONMENT:
            result.secrets[place["key"]] = str(value)
            continue
        if not _already_there(place["key"], value, existing, result.findings):
            additions.setdefault(place["file"], {})[place["key"]] = value
    for path, keys in additions.items():
        _add(path, keys, existing.get(path), profile, result)
    return result


def check_secret_keys(keys: t.Iterable[str], existing: t.Mapping[str, Existing]) -> list[Finding]:
    """A key that travels outside the files must not be in one of them too, or nobody could say which one counts."""
    findings = []
    for key in keys:
        for entry in existing.values():
            leaf = _leaf(entry, key)
            if leaf is not None:
                problem = f"'{leaf.key}' is set here, and handed to the engine as a secret too"
                findings.append(Finding.in_file(entry.name, leaf.line, problem, "Remove it here."))
    return findings


def collect_engine_keys(given: t.Any, from_topology: t.Mapping[str, str]) -> tuple[dict[str, str], list[Finding]]:
    """All secrets by key, the inventory's ``engine_keys`` and the topology's, each checked."""
    findings: list[Finding] = []
    secrets = dict(from_topology)
    if not isinstance(given, t.Mapping):
        advice = "Give key: value pairs, for example 'Administrators.admin.Password': the password."
        findings.append(Finding.in_file("", 0, "ivy_shared_secrets.engine_keys is not a dictionary", advice))
        given = {}
    for key, value in given.items():
        where = f"ivy_shared_secrets.engine_keys['{key}']"
        if isinstance(value, (dict, list)) or value is None:
            findings.append(
                Finding.in_file("", 0, f"{where} is not a single value", "Write the whole key with dots: 'A.b.C'.")
            )
        elif not key or any(not part.strip() for part in key.split(".")):
            findings.append(Finding.in_file("", 0, f"{where} is not a key", "Write the whole key with dots: 'A.b.C'."))
        elif key in from_topology and from_topology[key] != str(value):
            advice = "Remove it; the topology has an option of its own for it."
            findings.append(
                Finding.in_file("", 0, f"{where} differs from the topology's value for the same key", advice)
            )
        else:
            secrets[key] = edit.scalar_text(value)
    for key, text in secrets.items():
        problem = engine_secrets.problem_of(key, text)
        if problem is not None:
            findings.append(
                Finding.in_file("", 0, f"the secret for '{key}' cannot be used: {problem}", "Choose another one.")
            )
    return secrets, findings


def _already_there(key: str, value: t.Any, existing: t.Mapping[str, Existing], findings: list[Finding]) -> bool:
    found = False
    for entry in existing.values():
        leaf = _leaf(entry, key)
        if leaf is None:
            continue
        found = True
        if leaf.key != key:
            problem = f"'{leaf.key}' is spelled '{key}'"
            findings.append(
                Finding.in_file(entry.name, leaf.line, problem, "Correct it, or remove it: the inventory sets it.")
            )
        elif leaf.value != tree.Value("text", edit.scalar_text(value)):
            problem = f"'{key}' is set twice: the inventory's value for it is another one"
            findings.append(
                Finding.in_file(entry.name, leaf.line, problem, "Remove it here; the topology's options set it.")
            )
    return found


def _leaf(entry: Existing, key: str) -> tree.Leaf | None:
    folded = key.casefold()
    return next((leaf for leaf in entry.document.leaves if leaf.key.casefold() == folded), None)


def _add(
    path: str,
    keys: dict[str, edit.Scalar],
    entry: Existing | None,
    profile: t.Mapping[str, t.Any],
    result: Placed,
) -> None:
    header = yaml_checks.header_line(path, profile)
    text = entry.text if entry is not None else (f"{header}\n" if header else "")
    name = entry.name if entry is not None else path
    if entry is not None and entry.document.duplicates:
        # A finding of the file's own checks. Which of the keys counts is not known.
        return
    try:
        result.texts[path] = edit.add(text, keys, NOTE)
    except tree.YamlError as error:
        problem = f"the inventory's settings cannot be added: {error.problem}"
        result.findings.append(Finding.in_file(name, error.line, problem, "Correct that in the file."))
    except edit.EditError as error:
        advice = "Check whether a section has a value instead of keys. Write 'Name:' and its keys on the lines below."
        result.findings.append(Finding.in_file(name, 0, f"the inventory's settings cannot be added: {error}", advice))
