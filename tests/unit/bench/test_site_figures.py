# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t

import pytest
import site_figures as figures


def record(run: str, duration: float, repetition: int = 0, hosts: int = 6, **more: t.Any) -> figures.Record:
    base = {"run": run, "hosts": hosts, "repetition": repetition, "seconds": duration}
    return {**base, "cpu": duration / 2, "ran": 20, "skipped": 3, "tasks": [], **more}


def test_a_ratio_is_the_median_of_the_ratios_of_each_repetition() -> None:
    records = [
        *(record("ping", duration, number) for number, duration in enumerate([1.0, 2.0, 4.0])),
        *(record("site", duration, number) for number, duration in enumerate([10.0, 24.0, 44.0])),
    ]

    assert figures.ratio(records, "site", "ping", 6) == 11.0


def test_the_cost_of_a_node_is_in_pings_of_the_smaller_cluster() -> None:
    records = [record("ping", 2.0), record("site", 20.0), record("site", 38.0, hosts=12)]

    assert figures.cost_of_a_node(records, 6, 12) == pytest.approx(1.5)


def test_each_target_has_a_row_and_a_missed_one_is_marked() -> None:
    records = [record("ping", 2.0), *(record(run, 2.0 * limit) for run, limit in figures.TARGETS.items())]
    records[-1]["seconds"] += 1

    found = figures.targets(records, 6, 12)

    assert [target.met for target in found] == [True] * 4 + [False]
    assert found[-1].row()[-1] == "**no**"


def test_the_tables_have_a_row_for_each_command_and_task() -> None:
    tasks = [{"name": f"Task {number}", "action": "a.b.c", "seconds": number, "ran": 3} for number in range(30)]
    records = [record("ping", 2.0), record("empty", 1.0), record("site", 30.0, tasks=tasks)]

    runs = figures.runs_table(records, 6)
    costliest = figures.costliest_table(records, "site", 6)

    assert "| `site.yml` without a change | 30.00 s | 15.0 | 30.0 | 15.00 s | 20 + 3 |" in runs
    assert "drift" not in runs
    assert costliest.count("Task ") == figures.COSTLIEST
    assert "| Task 29 | `a.b.c` | 3 | 29.00 s | 97% |" in costliest
