# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The backup that a restore to a point in time starts from, and the times that are refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.ivy.cluster.plugins.plugin_utils.operations.point_in_time import (
    Archive,
    Fork,
    Request,
    choose,
    forks,
    moment,
    other_databases,
)

NOON = 1767268800  # 2026-01-01T12:00:00Z
HOUR = 3600


def backup(label: str, stop: int, timeline: int = 1, position: str = "0/3000138", **more: Any) -> dict[str, Any]:
    return {
        "label": label,
        "timestamp": {"start": stop - 60, "stop": stop},
        "archive": {"start": f"{timeline:08X}0000000000000003", "stop": f"{timeline:08X}0000000000000003"},
        "lsn": {"start": "0/3000028", "stop": position},
        **more,
    }


FULL, INCREMENTAL = "20260101-120000F", "20260101-120000F_20260101-130000I"
BACKUPS = [backup(INCREMENTAL, NOON + HOUR, 1, "0/6000088"), backup(FULL, NOON)]
NOW = NOON + 3 * HOUR


def chosen(
    target: str,
    backups: list[dict[str, Any]] | None = None,
    *,
    timelines: str = "",
    current: int = 0,
    databases: str = "[]",
    options: dict[str, Any] | None = None,
    now: int = NOW,
    servers: list[dict[str, Any]] | None = None,
    **record: Any,
) -> dict[str, Any]:
    stanza = {
        "name": "ivy",
        "archive": [{"id": "15-1"}],
        "db": servers if servers is not None else [],
        "backup": BACKUPS if backups is None else backups,
    }
    archive = Archive(json.dumps([stanza]), now, "ivy", current, timelines, databases)
    return choose(Request(target, **(options or {})), archive, record)


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
        '[{"name": "ivy", "backup": [{"label": "20260101-120000F", "timestamp": {"stop": 1}}]}]',
        *(
            json.dumps([{"name": "ivy", "backup": [{**backup(FULL, NOON), **wrong}]}])
            for wrong in (
                {"timestamp": {"stop": "x"}},
                {"label": "--config=/x"},
                {"error": True},
                {"lsn": {"stop": "1"}},
                {"archive": {"start": None}},
            )
        ),
    ],
)
def test_without_a_complete_backup_nothing_can_be_restored(info: str) -> None:
    for target in ("latest", "2026-01-01T12:00:00Z"):
        assert "no complete backup" in choose(Request(target), Archive(info, NOW, "ivy"))["problem"]


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


# A restore on the next day at noon went back to 14:00 of the first day, where timeline 2 begins.
DAY = 24 * HOUR
SECOND = "20260102-010000F"
THIRD = "20260103-010000F"
FORKED = "== 15-1/00000002.history\n1\t0/7000000\tbefore 2026-01-01 14:00:03+00\n"
TWO = [*BACKUPS, backup(SECOND, NOON + 13 * HOUR, 1, "0/9000000"), backup(THIRD, NOON + 37 * HOUR, 2, "0/9000000")]
RESTORES = [
    {
        "time": "2026-01-02T12:00:00Z",
        "operation": "database restored",
        "target": "2026-01-01T14:00:00Z",
        "timeline": 1,
        "left": 1,
        "begun": 2,
    }
]


def forked(target: str, timeline: str = "", **more: Any) -> dict[str, Any]:
    values = {"timelines": FORKED, "current": 2, "now": NOON + 3 * DAY, "history": RESTORES, **more}
    options = {"timeline": timeline, "repeat": values.pop("repeat", ""), "backup": values.pop("named", "")}
    return chosen(target, values.pop("backups", TWO), options=options, **values)


@pytest.mark.parametrize(
    ("target", "timeline", "label", "followed"),
    [
        # An undo does not start from a backup of what it undoes.
        ("latest", "1", SECOND, 1),
        ("2026-01-02T09:00:00Z", "1", SECOND, 1),
        ("latest", "", THIRD, 2),
        ("2026-01-03T02:00:00Z", "", THIRD, 2),
        # The second backup contains what timeline 2 does not have.
        ("2026-01-02T13:00:00Z", "", INCREMENTAL, 2),
        ("2026-01-01T13:30:00Z", "", INCREMENTAL, 2),
        ("2026-01-01T12:30:00Z", "2", FULL, 2),
    ],
)
def test_the_backup_belongs_to_the_timeline(target: str, timeline: str, label: str, followed: int) -> None:
    found = forked(target, timeline)
    assert (found["problem"], found["set"], found["timeline"]) == ("", label, followed)


def test_before_the_first_backup_of_a_timeline_an_earlier_one_is_used() -> None:
    found = forked("latest", backups=TWO[:-1])
    assert (found["problem"], found["set"]) == ("", INCREMENTAL)


def test_an_old_pgbackrest_names_only_the_file_in_which_a_backup_ended() -> None:
    old = [{name: value for name, value in one.items() if name != "lsn"} for one in TWO]
    # The files end at 0/4000000.
    assert forked("2026-01-02T13:00:00Z", backups=old)["set"] == SECOND
    early = FORKED.replace("0/7000000", "0/3F00000")
    assert "no backup of timeline 2" in forked("latest", backups=old[:-1], timelines=early)["problem"]


def test_what_a_timeline_does_not_contain_is_refused() -> None:
    # What users did between 14:00 and the restore is on timeline 1 only.
    problem = forked("2026-01-01T15:00:00Z")["problem"]
    assert "Add -e restore_database_timeline=1" in problem
    assert forked("2026-01-01T15:00:00Z", "1")["problem"] == ""
    assert "Add -e restore_database_timeline=2" in forked("2026-01-03T02:00:00Z", "1")["problem"]
    assert "the archive has no timeline 3. It has 1, 2." in forked("latest", "3")["problem"]
    only = [backup(THIRD, NOON + 37 * HOUR, 2, "0/9000000")]
    assert "no backup of timeline 1" in forked("latest", "1", backups=only)["problem"]
    # The server is on a timeline that the archive does not know.
    assert "the archive has no timeline 3" in forked("latest", current=3)["problem"]


def test_without_the_history_a_time_that_the_timeline_may_not_have_is_refused() -> None:
    # Of this restore, PostgreSQL knows only the time to which it went back.
    for target in ("2026-01-01T14:00:03Z", "2026-01-02T13:00:00Z", "2026-01-03T00:59:59Z"):
        problem = forked(target, history=[])["problem"]
        assert "nobody knows on which timeline" in problem
        assert "restore_database_timeline=1 if it was made after" in problem
        assert "otherwise -e restore_database_timeline=2" in problem
        assert [forked(target, named, history=[])["problem"] for named in ("1", "2")] == ["", ""]
    # Before that time, and after the first backup of the timeline, it is sure.
    for target in ("2026-01-01T14:00:02Z", "2026-01-03T01:00:00Z", "latest"):
        assert forked(target, history=[])["problem"] == ""
    assert "nobody knows" in forked("2026-01-03T02:00:00Z", backups=TWO[:-1], history=[])["problem"]
    unreadable = FORKED.replace("14:00:03+00", "at two")
    assert "nobody knows" in forked("2026-01-01T13:30:00Z", timelines=unreadable, history=[])["problem"]
    # One that has all of the first one.
    whole = "== 15-1/00000002.history\n1\t0/7000000\tno recovery target specified\n"
    assert forked("2026-01-02T13:00:00Z", timelines=whole, history=[])["problem"] == ""
    # A third one continues the second one.
    third = FORKED + "== 15-1/00000003.history\n1\t0/7000000\tx\n2\t0/A000000\tbefore 2026-01-03 14:00:00+00\n"
    known = [
        {**RESTORES[0], "time": "2026-01-03T20:00:00Z", "target": "2026-01-03T14:00:00Z", "timeline": 2, "begun": 3}
    ]
    more: dict[str, Any] = {"timelines": third, "current": 3, "history": known, "now": NOON + 4 * DAY}
    assert "Timeline 2 does not contain" in forked("2026-01-02T13:00:00Z", **more)["problem"]
    for target in ("2026-01-03T02:00:00Z", "2026-01-03T21:00:00Z"):
        assert forked(target, **more)["problem"] == ""
    damaged = FORKED.replace("\n1\t", "\n2\t")
    assert "nobody knows" in forked("2026-01-01T13:30:00Z", timelines=damaged, history=[])["problem"]


def test_an_archive_that_is_newer_than_the_timeline_of_the_server_can_be_restored() -> None:
    newer: dict[str, Any] = {"backups": [backup(FULL, NOON, 4)], "timelines": "", "current": 4, "history": []}
    found = forked("2026-01-01T12:00:00Z", **newer)
    assert [found[name] for name in ("problem", "set", "timeline", "follow")] == ["", FULL, 4, "current"]
    assert "before the end of the oldest backup" in forked("2026-01-01T11:00:00Z", **newer)["problem"]
    assert [forked("latest", named)["follow"] for named in ("1", "2")] == ["1", "2"]
    assert "the archive has no timeline 3" in forked("latest", "3", **newer)["problem"]


def test_after_an_undo_the_time_between_is_on_the_timeline_that_was_undone() -> None:
    undone = {
        "time": "2026-01-03T12:00:00Z",
        "operation": "database restored",
        "target": "latest",
        "timeline": 1,
        "left": 2,
        "begun": 3,
    }
    timelines = FORKED + "== 15-1/00000003.history\n1\t0/A000000\tno recovery target specified\n"
    more: dict[str, Any] = {"timelines": timelines, "current": 3, "history": [*RESTORES, undone]}
    assert forked("2026-01-01T15:00:00Z", **more)["set"] == INCREMENTAL
    assert forked("2026-01-02T09:00:00Z", **more)["set"] == SECOND
    assert "restore_database_timeline=2" in forked("2026-01-03T09:00:00Z", **more)["problem"]
    assert forked("2026-01-03T09:00:00Z", "2", **more)["set"] == THIRD
    assert forked("2026-01-03T13:00:00Z", **more)["problem"] == ""


NEW_SERVER = [{"id": 1, "system-id": 7300000000000000001}]
# What the server of before went through.
FORMER = {**RESTORES[0], "time": "2025-12-01T10:00:00Z", "target": "2025-12-01T08:00:00Z", "system": "71"}


@pytest.mark.parametrize("former", [FORMER, {name: value for name, value in FORMER.items() if name != "system"}])
def test_a_new_server_has_no_restores_of_the_one_of_before(former: dict[str, Any]) -> None:
    new: dict[str, Any] = {"servers": NEW_SERVER, "history": [former]}
    for target in ("2026-01-01T12:30:00Z", "latest"):
        for current in (0, 1):
            for timeline in ("", "1"):
                found = chosen(target, current=current, options={"timeline": timeline}, **new)
                assert (found["problem"], found["timeline"]) == ("", 1)
                assert found["system"] == "7300000000000000001"
    # It was restored itself, and the timelines have the same numbers.
    own = {
        **former,
        "time": "2026-01-01T13:30:00Z",
        "target": "2026-01-01T12:30:00Z",
        "system": "7300000000000000001",
    }
    timelines = "== 15-1/00000002.history\n1\t0/7000000\tbefore 2026-01-01 12:30:01+00\n"
    more: dict[str, Any] = {"servers": NEW_SERVER, "current": 2, "timelines": timelines, "history": [former, own]}
    assert "Add -e restore_database_timeline=1" in chosen("2026-01-01T12:45:00Z", **more)["problem"]
    assert chosen("2026-01-01T14:00:00Z", **more)["problem"] == ""
    assert "was to 2026-01-01T12:30:00Z already" in chosen("2026-01-01T12:30:00Z", **more)["problem"]


def test_an_upgraded_server_does_not_start_from_a_backup_of_before() -> None:
    servers = [{"id": 1, "system-id": 71}, {"id": 2, "system-id": 72}]
    backups = [backup(FULL, NOON, database={"id": 1}), backup(SECOND, NOON + HOUR, database={"id": 2})]
    assert chosen("latest", backups, servers=servers)["set"] == SECOND
    assert "before the end of the oldest" in chosen("2026-01-01T12:30:00Z", backups, servers=servers)["problem"]
    assert "no complete backup" in chosen("latest", backups[:1], servers=servers)["problem"]


def test_a_restore_that_is_open_is_not_continued_with_another_server() -> None:
    words = "was begun with another database server"
    for files in ({"files": "/x"}, {}):
        for target in ("latest", "2026-01-01T13:30:00Z"):
            assert words in interrupted(target, None, system="71", servers=NEW_SERVER, **files)["problem"]
            assert interrupted(target, None, system="7300000000000000001", servers=NEW_SERVER)["problem"] == ""
            assert interrupted(target, None, servers=NEW_SERVER)["problem"] == ""
    # It has restored the database, and engines are left to start.
    assert interrupted("2026-01-01T13:30:00Z", AT, system="71", servers=NEW_SERVER)["done"]


def test_the_backup_to_start_from_can_be_named() -> None:
    for target in ("latest", "2026-01-01T14:00:00Z"):
        assert chosen(target, options={"backup": FULL})["set"] == FULL
        assert chosen(target, options={"backup": ""})["set"] == INCREMENTAL
        assert f"It has {FULL}, {INCREMENTAL}." in chosen(target, options={"backup": SECOND})["problem"]
    early = chosen("2026-01-01T12:30:00Z", options={"backup": INCREMENTAL})["problem"]
    assert f"before the end of backup {INCREMENTAL}, 2026-01-01T13:00:00Z" in early
    # It must belong to the timeline.
    assert "timeline 2 has no such complete backup" in forked("latest", named=SECOND)["problem"]
    assert forked("latest", named=FULL)["set"] == FULL


def test_the_end_of_an_earlier_timeline_is_compared_with_the_upgrade() -> None:
    schema = {"migrated_at": "2026-01-03T00:00:00Z", "migrated_from": "11.3.0"}
    assert "that of engine 11.3.0" in forked("latest", "1", schema=schema)["problem"]
    assert "that of engine 11.3.0" in forked("latest", "1", schema=schema, history=[])["problem"]
    assert forked("latest", schema=schema)["problem"] == ""
    before = {"migrated_at": "2026-01-01T00:00:00Z"}
    assert forked("latest", "1", schema=before)["problem"] == ""


def test_timelines_are_read_from_their_files() -> None:
    text = FORKED + "# a comment\n\n3 x/y z\nword\n== 14-1/00000003.history\n1\t0/1\tx\n== 15-1/0000000A.history\n"
    at = moment("2026-01-01T14:00:03Z")
    assert forks(text, "15-1") == {2: Fork(1, at, {1: 0x7000000}), 10: Fork(0, None, {})}
    assert forks("1\t0/1\tx", "15-1") == {}
    for reason, expected in (
        ("before 2026-01-01 19:30:03.5+05:30", at),
        ("after 2026-01-01 15:00:03+01", at),
        ("before 2026-01-01", moment("1970-01-01T00:00:00Z")),
        ("before transaction 7", None),
        ("no recovery target specified", None),
        ("", None),
    ):
        lines = f"== 15-1/00000003.history\n1\t0/1\tbefore 2020-01-01 00:00:00+00\n2\t0/2\t{reason}\n"
        assert forks(lines, "15-1") == {3: Fork(2, expected, {1: 1, 2: 2})}


def interrupted(
    target: str,
    restored: str | None,
    timeline: str = "",
    repeat: str = "",
    history: Any = (),
    databases: str = "[]",
    **of: Any,
) -> dict[str, Any]:
    part = {"target": "2026-01-01T13:30:00Z", "timeline": 1, "left": 1, "restored": restored, **of}
    operation = {"name": "restore_database", "database": part}
    options = {"timeline": timeline, "repeat": repeat}
    more: dict[str, Any] = {"operation": operation, "options": options, "history": list(history)}
    more["servers"] = part.pop("servers", None)
    return chosen(target, timelines=FORKED, current=2, databases=databases, **more)


AT = "2026-01-01T14:30:00Z"
EARLIER = "2026-01-01T14:10:00Z"


def test_a_database_that_is_restored_is_not_restored_again() -> None:
    for timeline in ("", "1"):
        found = interrupted("2026-01-01T14:30:00+01:00", AT, timeline)
        assert (found["problem"], found["done"], found["left"], found["words"]) == ("", True, 1, "2026-01-01T13:30:00Z")
    for target, timeline in (("latest", ""), ("2026-01-01T13:30:01Z", ""), ("2026-01-01T13:30:00Z", "2")):
        problem = interrupted(target, AT, timeline)["problem"]
        assert "has restored the database to 2026-01-01T13:30:00Z" in problem
        assert f"restore_database_repeat={AT}" in problem
    for repeat in (AT, "2026-01-01T15:30:00+01:00"):
        again = interrupted("latest", AT, repeat=repeat)
        assert [again[name] for name in ("problem", "done", "timeline", "left", "repeat")] == ["", False, 2, 2, AT]


def test_a_repetition_names_what_it_throws_away_and_happens_once() -> None:
    for target in ("latest", "2026-01-01T13:30:00Z"):
        for repeat in ("true", "True", EARLIER, "2026-01-01T14:30:01Z"):
            assert f"restore_database_repeat={AT}" in interrupted(target, AT, repeat=repeat)["problem"]
    # It has restored the database, and an engine did not start. The same command starts that engine.
    two = [{**RESTORES[0], "time": EARLIER}, {**RESTORES[0], "time": AT, "target": "2026-01-01T13:30:00Z", "begun": 3}]
    same = interrupted("2026-01-01T13:30:00Z", AT, repeat=EARLIER, history=two)
    assert (same["problem"], same["done"]) == ("", True)
    assert f"restore_database_repeat={AT}" in interrupted("latest", AT, repeat=EARLIER, history=two)["problem"]


def test_the_restore_that_was_made_last_is_not_made_twice() -> None:
    done = "restore_database_repeat=2026-01-02T12:00:00Z"
    for target, timeline in (("2026-01-01T14:00:00Z", ""), ("2026-01-01T15:00:00+01:00", "1")):
        assert done in forked(target, timeline)["problem"]
        # The timeline of a server that does not answer is the newest one.
        assert done in forked(target, timeline, current=0)["problem"]
        assert "was to 2026-01-01T14:00:00Z already" in forked(target, timeline, repeat="true")["problem"]
        assert forked(target, timeline, repeat="2026-01-02T12:00:00Z")["problem"] == ""
    # The archive does not have the file of the timeline that it has begun.
    without: dict[str, Any] = {"current": 0, "timelines": "", "backups": TWO[:-1]}
    assert done in forked("2026-01-01T14:00:00Z", **without)["problem"]
    assert "the archive has no timeline 2" in forked("latest", **without)["problem"]
    # Another time, the end, and the undo.
    for target, timeline in (("2026-01-01T13:59:59Z", ""), ("latest", ""), ("latest", "1")):
        assert forked(target, timeline)["problem"] == ""
    undone = {**RESTORES[0], "time": "2026-01-03T12:00:00Z", "target": "latest", "left": 2, "begun": 3}
    timelines = FORKED + "== 15-1/00000003.history\n1\t0/A000000\tno recovery target specified\n"
    more: dict[str, Any] = {"timelines": timelines, "current": 3, "history": [*RESTORES, undone]}
    assert "was to latest already, at 2026-01-03T12:00:00Z" in forked("latest", "1", **more)["problem"]
    for target, timeline in (("latest", ""), ("latest", "2"), ("2026-01-01T14:00:00Z", "")):
        assert forked(target, timeline, **more)["problem"] == ""


def test_the_report_names_the_backup_that_the_undo_starts_from() -> None:
    assert forked("2026-01-01T13:30:00Z")["undo"] == THIRD
    assert chosen("2026-01-01T13:30:00Z", current=1)["undo"] == FULL
    # It would be the same state.
    assert chosen("latest", current=1)["undo"] == ""
    # A server that is stopped was on the newest timeline, if the archive has that.
    assert [chosen("2026-01-01T13:30:00Z")[name] for name in ("left", "undo")] == [1, FULL]
    assert forked("2026-01-01T13:30:00Z", current=0)["left"] == 2
    without = forked("2026-01-01T13:30:00Z", "1", current=0, timelines="", backups=TWO[:-1])
    assert [without[name] for name in ("problem", "left", "undo")] == ["", 0, ""]
    # After an attempt that did not end, a server may be on a timeline that this has begun.
    for known in (0, 1):
        assert interrupted("2026-01-01T13:30:00Z", None, left=known)["left"] == known
    assert interrupted("2026-01-01T13:30:00Z", AT)["undo"] == FULL


def test_an_attempt_that_did_not_end_is_repeated_on_the_timeline_of_before() -> None:
    for target in ("2026-01-01T13:30:00Z", "latest"):
        found = interrupted(target, None)
        assert (found["problem"], found["done"], found["timeline"], found["left"]) == ("", False, 1, 1)
    assert interrupted("latest", None, "2")["timeline"] == 2


def test_a_damaged_record_is_not_continued() -> None:
    operation = {"name": "restore_database", "database": {"target": "latest"}}
    assert "is damaged" in chosen("latest", operation=operation)["problem"]


def test_other_databases_of_the_server_are_restored_only_if_that_is_accepted() -> None:
    databases = json.dumps([{"name": "billing", "clients": None}, {"name": "wiki\n", "clients": "10.0.0.9"}])
    found = chosen("latest", databases=databases)
    assert found["others"] == ["billing", "wiki\\n"]
    assert "2 databases of others: billing, wiki\\n" in found["others_problem"]
    accepted = chosen("latest", databases=databases, options={"others": True})["others_problem"]
    assert (
        accepted
        == "Clients use other databases of the server: wiki\\n from 10.0.0.9. Stop them; they would be cut off."
    )
    unused = json.dumps([{"name": "billing", "clients": ""}])
    assert chosen("latest", databases=unused, options={"others": True})["others_problem"] == ""
    assert other_databases("[]") == ([], "")
    assert chosen("latest", databases="[]")["others_problem"] == ""
    # Not known is not accepted.
    for text in ("", "null", "[1]", "x"):
        assert other_databases(text) is None
        assert "does not say whether it has databases of others" in chosen("latest", databases=text)["others_problem"]
        assert chosen("latest", databases=text, options={"others": True})["others_problem"] == ""
    # An attempt that was interrupted was allowed to begin, and has left a server that does not answer.
    assert interrupted("latest", None, databases="", files="/x")["others_problem"] == ""
    assert interrupted("latest", None, databases=databases, files="/x")["others_problem"] != ""
    # One that was refused has left it to others since.
    assert "does not say" in interrupted("latest", None, databases="")["others_problem"]
    assert "does not say" in interrupted("latest", AT, repeat=AT, databases="")["others_problem"]
