# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of a role are the same in its defaults, its argument specification and its documentation."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
ROLES = sorted(path.parent.parent.name for path in ROOT.glob("roles/*/tasks/main.yml"))


def load(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = (yaml.safe_load(path.read_text(encoding="utf-8")) or {}) if path.exists() else {}
    return found


def options(role: str) -> dict[str, dict[str, Any]]:
    """Every option of the role, over all of its entry points."""
    found: dict[str, dict[str, Any]] = {}
    for entry in load(ROOT / "roles" / role / "meta/argument_specs.yml")["argument_specs"].values():
        found.update(entry.get("options", {}))
    return found


@pytest.mark.parametrize("role", ROLES)
def test_every_optional_option_has_a_default_and_every_default_is_specified(role: str) -> None:
    specified = {name for name, option in options(role).items() if not option.get("required")}
    assert set(load(ROOT / "roles" / role / "defaults/main.yml")) == specified


@pytest.mark.parametrize("role", ROLES)
def test_defaults_equal_the_argument_specification(role: str) -> None:
    defaults = load(ROOT / "roles" / role / "defaults/main.yml")
    specified = {name: option["default"] for name, option in options(role).items() if "default" in option}
    assert {name: defaults.get(name) for name in specified} == specified


@pytest.mark.parametrize("role", ROLES)
def test_every_option_is_described(role: str) -> None:
    assert [name for name, option in options(role).items() if not option.get("description")] == []


# preflight reports an invalid option together with everything else, so it includes topology after the inventory check.
@pytest.mark.parametrize("role", [role for role in ROLES if role not in ("topology", "preflight")])
def test_every_role_depends_on_the_cluster_wide_options(role: str) -> None:
    dependencies = load(ROOT / "roles" / role / "meta/main.yml").get("dependencies", [])
    assert "ivy.cluster.topology" in [dependency.get("role") for dependency in dependencies]


def tasks_of(content: Any) -> list[dict[str, Any]]:
    """All tasks of a file, those of its blocks included."""
    found: list[dict[str, Any]] = []
    for task in content or []:
        found.append(task)
        for part in ("block", "rescue", "always"):
            found += tasks_of(task.get(part))
    return found


@pytest.mark.parametrize("role", ROLES)
def test_a_file_of_the_controller_may_be_a_symbolic_link(role: str) -> None:
    """For a link itself, stat reports neither the type nor the checksum of its target."""
    for file in sorted((ROOT / "roles" / role / "tasks").glob("*.yml")):
        for task in tasks_of(yaml.safe_load(file.read_text(encoding="utf-8"))):
            if task.get("delegate_to") == "localhost" and "ansible.builtin.stat" in task:
                assert task["ansible.builtin.stat"].get("follow") is True, f"{file}: {task['name']}"


OPERATION = re.compile(r"^ *(?:rollout|site)_operation: (\w+)$", re.MULTILINE)


def test_the_operations_that_playbooks_and_roles_set_are_choices() -> None:
    """A role that is included with its specification would reject another one. One that nothing sets is outdated."""
    files = [
        *(ROOT / "playbooks").rglob("*.yml"),
        *ROOT.glob("roles/*/tasks/*.yml"),
        ROOT / "roles/rollout/defaults/main.yml",
    ]
    found = {name for path in files for name in OPERATION.findall(path.read_text(encoding="utf-8"))}
    assert found == set(options("rollout")["rollout_operation"]["choices"])


# The filters of Ansible that return a set in any order. Files and messages would change without a reason.
UNORDERED = re.compile(r"\|\s*(?:difference|intersect|symmetric_difference|union)\s*(?=\()")
# They keep the order that they are given, so what follows them decides.
KEEPS_ORDER = re.compile(r"\s*\|\s*(?:difference|intersect|symmetric_difference|union|reject|select)\s*(?=\()")
ORDERED = re.compile(r"(?:\s*\|\s*list\b)?\s*\|\s*(?:length|sort)\b")


def after_brackets(text: str, start: int) -> int:
    """Return the position after the brackets that open at `start`."""
    depth = 0
    for position in range(start, len(text)):
        depth += {"(": 1, ")": -1}.get(text[position], 0)
        if depth == 0:
            return position + 1
    return len(text)


def unordered(text: str) -> list[str]:
    """Return the parts of templates that have a random order and are neither sorted nor only counted."""
    found = []
    for match in UNORDERED.finditer(text):
        end = after_brackets(text, match.end())
        while another := KEEPS_ORDER.match(text, end):
            end = after_brackets(text, another.end())
        if not ORDERED.match(text, end):
            found.append(text[match.start() : end])
    return found


TEMPLATED = [
    path
    for folder in ("roles", "playbooks", "inventories", "molecule")
    for path in sorted((ROOT / folder).rglob("*"))
    if path.suffix in (".yml", ".yaml", ".j2") and path.is_file()
]


@pytest.mark.parametrize("path", TEMPLATED, ids=lambda path: str(path.relative_to(ROOT)))
def test_what_is_written_has_the_same_order_after_each_run(path: Path) -> None:
    """Use reject('in', ...) and select('in', ...), which keep the order."""
    assert unordered(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("{{ a | difference(['/']) | join(' ') }}", ["| difference(['/'])"]),
        (
            "{{ a | intersect(b | map('f')) | difference(c) }}",
            ["| intersect(b | map('f')) | difference(c)", "| difference(c)"],
        ),
        ("{% if a | difference(['/']) | length > 0 %}", []),
        ("{{ a | union(b) | sort | join(' ') }}", []),
        ("{{ a | intersect(b) | reject('in', c) | list | length }}", []),
    ],
)
def test_unordered_values_are_found(text: str, parts: list[str]) -> None:
    assert unordered(text) == parts
