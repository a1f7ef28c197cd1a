# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules for every task of the roles and playbooks, whoever runs them and whatever the state of the hosts."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
FILES = sorted(
    [*ROOT.glob("roles/*/tasks/**/*.yml"), *ROOT.glob("roles/*/handlers/**/*.yml"), *ROOT.glob("playbooks/**/*.yml")]
)
_NESTED = ("tasks", "pre_tasks", "post_tasks", "handlers", "block", "rescue", "always")


@dataclasses.dataclass(frozen=True)
class Task:
    """A task, a block or a play, with the conditions of the blocks around it."""

    keys: dict[str, Any]
    conditions: tuple[str, ...]

    @property
    def name(self) -> str:
        return str(self.keys.get("name", self.keys))


def tasks_in(items: Any, around: tuple[str, ...] = ()) -> Iterator[Task]:
    for keys in items or []:
        found = keys.get("when", [])
        own = (*around, *(str(condition) for condition in (found if isinstance(found, list) else [found])))
        yield Task(keys, own)
        for nested in _NESTED:
            yield from tasks_in(keys.get(nested), own)


def unprivileged(task: Task) -> bool:
    """Whether the task becomes a user other than root.

    Without pipelining a module is a file of the login user, which another unprivileged user cannot read where the
    file system has no ACLs.
    """
    variables = task.keys.get("vars") or {}
    users = [task.keys.get("become_user", "root"), variables.get("ansible_become_user", "root")]
    return any(user != "root" for user in users)


def fails_without_unit(task: Task) -> bool:
    """Whether the task fails in check mode if its unit does not exist yet."""
    arguments = task.keys.get("ansible.builtin.systemd_service") or {}
    if "name" not in arguments or not (arguments.get("enabled") or arguments.get("state") in ("started", "reloaded")):
        return False
    tolerant = "Could not find the requested service" in str(task.keys.get("failed_when", ""))
    return not tolerant and not any(
        "ansible_check_mode" in condition or "ActiveState=active" in condition for condition in task.conditions
    )


def load(path: Path) -> list[Task]:
    return list(tasks_in(yaml.safe_load(path.read_text(encoding="utf-8"))))


def test_there_are_tasks() -> None:
    assert len([task for path in FILES for task in load(path)]) > 300


def test_violations_are_found() -> None:
    (play, block, first, second) = tasks_in(
        yaml.safe_load("""
            - hosts: all
              tasks:
                - when: there
                  block:
                    - become_user: postgres
                    - ansible.builtin.systemd_service: {name: a.service, state: started}
        """)
    )
    assert [unprivileged(task) for task in (play, block, first, second)] == [False, False, True, False]
    assert unprivileged(Task({"vars": {"ansible_become_user": "{{ ivy_user }}"}}, ()))
    assert [fails_without_unit(task) for task in (play, block, first, second)] == [False, False, False, True]
    assert second.conditions == ("there",)
    assert not fails_without_unit(Task(second.keys, ("not ansible_check_mode",)))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_task_becomes_an_unprivileged_user(path: Path) -> None:
    assert [task.name for task in load(path) if unprivileged(task)] == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_check_mode_works_before_a_unit_exists(path: Path) -> None:
    assert [task.name for task in load(path) if fails_without_unit(task)] == []
