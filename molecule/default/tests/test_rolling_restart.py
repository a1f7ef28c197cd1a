# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A rolling restart while users work: no request fails, no acknowledged write is lost, a user moves at most once."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
import shared_source
from user_load import Load

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Browser, Lab, Source


# Of conftest.py: the rollout replaces whatever source the nodes have.
REPLACES_SOURCE = True


@pytest.fixture
def replaced_source(source_in_use: Source) -> Iterator[None]:
    yield
    source_in_use.replaced()


@pytest.mark.usefixtures("replaced_source")
def test_no_request_fails_and_a_user_moves_at_most_once(lab: Lab, browser: Browser, tmp_path: Path) -> None:
    source = shared_source.copy(tmp_path, task_failure="FAIL_TASK_DO_NOT_RETRY")
    before = lab.pids(*lab.nodes)
    first = lab.nodes[0]

    with Load(browser) as load:
        lab.until(lambda: all(user.nodes for user in load.everybody), 120, "every user has a node")
        begun = {user.name: user.nodes[0] for user in load.everybody}
        run = lab.roll_out("-e", json.dumps({"ivy_shared_config_source": str(source)})).succeeded()

    print(load.report("rollout with a rolling restart"))
    assert not set(before.values()) & set(lab.pids(*lab.nodes).values())
    assert [failure for user in load.everybody for failure in user.failures] == []
    assert all(user.counts["uploads"] and user.counts["searches"] for user in load.writers)
    assert load.lost() == []
    assert set(begun.values()) == set(lab.nodes)
    # While the first node restarts, no node has restarted yet to which its users could move.
    most = {user.name: 2 if begun[user.name] == first else 1 for user in load.everybody}
    assert {user.name: user.nodes for user in load.everybody if user.moves > most[user.name]} == {}
    # Requests of 5 s were under way at each stop, and pages connected again.
    assert all(user.counts["slow requests"] > 1 for user in load.slow)
    table = run.output.rpartition("TASK [Show the summary]")[2]
    rows = {node: re.search(rf"{node} +((?:\d+\.\d +){{5}})(\d+) +(\d+) +(\d+)", table) for node in lab.nodes}
    assert all(rows.values()), table
    assert all(row is not None and int(row[2]) > 0 and row[4] == "0" for row in rows.values()), table
    # Nothing of it is left in the balancers.
    ended = lab.module("load_balancers", "ivy.cluster.balancer_preference", '{"servers": []}').succeeded()
    assert "CHANGED" not in ended.output
