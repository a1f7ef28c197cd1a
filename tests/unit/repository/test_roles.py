# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a role says about its options in one file agrees with what it says in the other."""

from __future__ import annotations

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
def test_an_option_with_a_default_is_specified_and_the_other_way_round(role: str) -> None:
    specified = {name for name, option in options(role).items() if not option.get("required")}
    assert set(load(ROOT / "roles" / role / "defaults/main.yml")) == specified


@pytest.mark.parametrize("role", ROLES)
def test_a_default_is_the_same_where_it_is_said_twice(role: str) -> None:
    defaults = load(ROOT / "roles" / role / "defaults/main.yml")
    said = {name: option["default"] for name, option in options(role).items() if "default" in option}
    assert {name: defaults.get(name) for name in said} == said


@pytest.mark.parametrize("role", ROLES)
def test_every_option_is_described(role: str) -> None:
    assert [name for name, option in options(role).items() if not option.get("description")] == []


# preflight has to tell a wrong option together with all the rest, so it includes topology after it has looked.
@pytest.mark.parametrize("role", [role for role in ROLES if role not in ("topology", "preflight")])
def test_every_role_knows_the_cluster_wide_options(role: str) -> None:
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
    """Users arrange files as they like. Of a link itself, stat reports neither kind nor checksum of its target."""
    for file in sorted((ROOT / "roles" / role / "tasks").glob("*.yml")):
        for task in tasks_of(yaml.safe_load(file.read_text(encoding="utf-8"))):
            if task.get("delegate_to") == "localhost" and "ansible.builtin.stat" in task:
                assert task["ansible.builtin.stat"].get("follow") is True, f"{file}: {task['name']}"
