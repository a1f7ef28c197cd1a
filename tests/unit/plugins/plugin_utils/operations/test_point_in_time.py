# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The backup that a restore to a point in time starts from, and the times that are refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.ivy.cluster.plugins.plugin_utils.operations.point_in_time import choose, moment

NOON = 1767268800  # 2026-01-01T12:00:00Z
HOUR = 3600


def backup(label: str, stop: int, **more: Any) -> dict[str, Any]:
    return {"label": label, "timestamp": {"start": stop - 60, "stop": stop}, **more}


FULL, INCREMENTAL = "20260101-120000F", "20260101-120000F_20260101-130000I"
BACKUPS = [backup(INCREMENTAL, NOON + HOUR), backup(FULL, NOON)]
NOW = NOON + 3 * HOUR


def chosen(target: str, backups: list[dict[str, Any]] | None = None, **record: Any) -> dict[str, Any]:
    info = json.dumps([{"name": "ivy", "backup": BACKUPS if backups is None else backups}])
    return choose(target, info, NOW, "ivy", record)


@pytest.mark.parametrize(
    ("target", "time", "label"),
    [
        ("2026-01-01T12:00:00Z", "2026-01-01 12:00:00+00", FULL),
        ("2026-01-01T12:59:59Z", "2026-01-01 12:59:59+00", FULL),
        ("2026-01-01T13:00:00+00:00", "2026-01-01 13:00:00+00", INCREMENTAL),
        (" 2026-01-01 16:00:00+01:00 ", "2026-01-01 15:00:00+00", INCREMENTAL),
        ("latest", "", INCREMENTAL),
    ],
)
def test_it_starts_from_the_newest_backup_that_ended_before_the_time(target: str, time: str, label: str) -> None:
    choice = chosen(target)
    assert (choice["problem"], choice["time"], choice["set"]) == ("", time, label)


@pytest.mark.parametrize(
    ("target", "problem"),
    [
        ("", "name the time to restore"),
        ("yesterday", "yesterday is not a time with a time zone"),
        # Nobody knows which noon is meant.
        ("2026-01-01T12:00:00", "is not a time with a time zone"),
        ("2026-13-01T12:00:00Z", "is not a time with a time zone"),
        ("2026-01-01T12:00:00Z --type=none", "is not a time with a time zone"),
        ("0001-01-01T00:00:00+14:00", "is not a time with a time zone"),
        ("2026-01-01T15:00:01Z", "is in the future; the server has 2026-01-01T15:00:00Z"),
        ("2026-01-01T11:59:59Z", "is before the end of the oldest backup, 2026-01-01T12:00:00Z"),
    ],
)
def test_a_time_that_cannot_be_restored_is_refused(target: str, problem: str) -> None:
    assert problem in chosen(target)["problem"]


@pytest.mark.parametrize(
    "info",
    [
        "",
        "[]",
        "null",
        "[1]",
        '[{"name": "other", "backup": [{"label": "20260101-120000F", "timestamp": {"stop": 1}}]}]',
        '[{"name": "ivy", "backup": []}]',
        '[{"name": "ivy", "backup": [{"label": "20260101-120000F", "timestamp": {"stop": "x"}}]}]',
        '[{"name": "ivy", "backup": [{"label": "--config=/x", "timestamp": {"stop": 1}}]}]',
        '[{"name": "ivy", "backup": [{"label": "20260101-120000F", "timestamp": {"stop": 1}, "error": true}]}]',
    ],
)
def test_without_a_complete_backup_nothing_can_be_restored(info: str) -> None:
    for target in ("latest", "2026-01-01T12:00:00Z"):
        assert "no complete backup" in choose(target, info, NOW, "ivy")["problem"]


def test_a_time_at_which_the_database_was_that_of_another_engine_is_refused() -> None:
    schema = {"created_at": "2025-01-01T00:00:00Z", "migrated_at": "2026-01-01T13:00:00Z", "migrated_from": "11.3.0"}
    assert "that of engine 11.3.0" in chosen("2026-01-01T12:59:59Z", schema=schema)["problem"]
    assert chosen("2026-01-01T13:00:00Z", schema=schema)["problem"] == ""
    created = {"created_at": "2026-01-01T13:00:00Z"}
    assert "when the tables were created" in chosen("2026-01-01T12:30:00Z", schema=created)["problem"]


def test_it_names_what_was_done_to_the_cluster_since() -> None:
    history = [
        {"time": "2026-01-01T12:30:00Z", "operation": "site", "owner": "kim"},
        {"time": "2026-01-01T14:00:00Z", "operation": "deploy"},
        {"time": 7},
    ]
    found = chosen("2026-01-01T13:00:00Z", history=history)
    assert found["later"] == ["2026-01-01T14:00:00Z deploy by unknown"]


def test_times_are_compared_in_utc() -> None:
    assert moment("2026-01-01T12:00:00Z") == moment("2026-01-01T17:30:00+05:30")
