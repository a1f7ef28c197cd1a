# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A database that this playbook does not replace is a problem before anything is stopped."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar

CHOOSE = Path(__file__).resolve().parents[3] / "roles/restore/tasks/choose.yml"


def problems(**variables: t.Any) -> list[str]:
    """Those of a backup and a node that are all right."""
    loader = DataLoader()
    tasks = loader.load_from_file(str(CHOOSE), trusted_as_template=True)
    task = next(task for task in tasks if task["name"] == "Stop if the backup cannot be restored")
    known = {
        "__restore_name": "20261130T120000Z",
        "__restore_host": "engine1",
        "__restore_answer": {"problems": []},
        "__restore_found": {"problems": []},
        "__restore_server": "db1",
        "__restore_left_out": [],
        "__restore_record": {"desired_release": "abc"},
        "rollout_node": {},
        "ivy_database_manager": "single",
        **variables,
    }
    templar = Templar(loader=loader, variables={**known, "value": task["vars"]["__restore_problems"]})
    return t.cast("list[str]", templar.resolve_variable_expression("value"))


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"ivy_database_manager": "patroni"}, "Patroni manages the database"),
        ({"__restore_server": "", "ivy_database_manager": "patroni"}, "There is no host in database_servers"),
        ({"__restore_found": {"problems": ["too little space"]}}, "too little space"),
    ],
)
def test_a_database_that_cannot_be_replaced_is_named(variables: dict[str, t.Any], words: str) -> None:
    (problem,) = problems(**variables)
    assert problem.startswith(words)


def test_a_database_of_one_server_is_replaced() -> None:
    assert problems() == []
