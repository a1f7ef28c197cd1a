# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every role that validates its options does so in the same way: first, and with all problems in one message."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
# topology validates the inventory, with the report of preflight.
ROLES = sorted(path.parts[-3] for path in ROOT.glob("roles/*/tasks/validate.yml") if path.parts[-3] != "topology")
CALL = "Validate the role's options"


def load(path: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] | None = yaml.safe_load(path.read_text(encoding="utf-8"))
    return found or []


def flat(tasks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The tasks, with those of a block in place of the block."""
    return [inner for task in tasks for inner in (flat(task["block"]) if "block" in task else [task])]


def calls(role: str) -> list[tuple[str, int, dict[str, Any]]]:
    """The file, the position and the task of each include of validate.yml."""
    return [
        (path.name, position, task)
        for path in sorted((ROOT / "roles" / role / "tasks").glob("*.yml"))
        for position, task in enumerate(flat(load(path)))
        if "validate.yml" in (task.get("ansible.builtin.import_tasks"), task.get("ansible.builtin.include_tasks"))
    ]


def test_the_roles_are_found() -> None:
    assert len(ROLES) >= 9
    assert list(ROOT.glob("roles/*/tasks/refuse*.yml")) == []


@pytest.mark.parametrize("role", ROLES)
def test_all_problems_are_in_one_message(role: str) -> None:
    shared, task = load(ROOT / "roles" / role / "tasks/validate.yml")
    assert shared["ansible.builtin.include_role"] == {"name": "ivy.cluster.topology", "tasks_from": "validate"}
    # The playbooks validate them once for all roles.
    assert shared["when"] == "not ivy_options_validated"
    assert task["name"] == "Stop if an option is invalid"
    message = task["ansible.builtin.fail"]["msg"]
    shape = rf"""Invalid {role} options; nothing was changed\. Fix:
{{% for problem in (.+) %}}
- {{{{ problem }}}}
{{% endfor %}}\s*"""
    found = re.fullmatch(shape, message)
    assert found, message
    problems = f"({found[1]})" if " " in found[1] else found[1]
    assert task["when"] == f"{problems} | length > 0"
    assert f"{role}_option_problems" in found[1]


@pytest.mark.parametrize("role", ROLES)
def test_options_are_validated_before_anything_else(role: str) -> None:
    assert calls(role)
    for _file, position, task in calls(role):
        assert task["name"] == CALL
        # The problems of postgres depend on the distribution.
        assert position == (1 if role == "postgres" else 0)
