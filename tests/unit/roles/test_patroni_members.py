# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A new cluster of Patroni: passwords that it cannot set are refused, and nothing follows before there is a primary."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar

POSTGRES = Path(__file__).resolve().parents[3] / "roles/postgres"


@pytest.mark.parametrize("option", ["postgres_replication_password", "postgres_rewind_password"])
@pytest.mark.parametrize(
    ("password", "refused"),
    [
        ("p" * 16, False),
        ("""'a' "b" $x %h \\ # c: d {e}~""", False),
        ("p" * 15, True),
        # Patroni quotes it without a connection, which fails for characters outside of ASCII.
        ("p" * 16 + "ä", True),
        ("p" * 16 + "€", True),
        ("p" * 16 + "\n", True),
    ],
)
def test_a_password_that_patroni_cannot_set_is_refused(option: str, password: str, refused: bool) -> None:
    loader = DataLoader()
    options = loader.load_from_file(str(POSTGRES / "vars/main/internal.yml"), trusted_as_template=True)
    (check,) = [one for one in options["postgres_option_checks"] if option in one]
    given = {"ivy_database_manager": "patroni", option: password, "value": check}
    found = Templar(loader=loader, variables=given).resolve_variable_expression("value")
    assert (str(found).strip() != "") is refused


@pytest.mark.parametrize(
    ("runs", "leads", "ready"),
    [
        (True, [False, True, False], True),
        (False, [False, True, False], False),
        # PostgreSQL runs for a moment before Patroni has created the roles.
        (True, [False, False, False], False),
        (True, [], False),
    ],
)
def test_a_member_is_awaited_until_there_is_a_primary(runs: bool, leads: list[bool], ready: bool) -> None:
    loader = DataLoader()
    (task, *_rest) = loader.load_from_file(str(POSTGRES / "tasks/inspect_member.yml"), trusted_as_template=True)
    member: dict[str, t.Any] = {"runs": runs, "members": [{"leads": one} for one in leads]}
    known = {"__postgres_inspected": {"member": member, "failed": False}, "__postgres_awaits": True}
    assert Templar(loader=loader, variables=known).evaluate_conditional(task["until"]) is ready
    known["__postgres_awaits"] = False
    assert Templar(loader=loader, variables=known).evaluate_conditional(task["until"]) is True
