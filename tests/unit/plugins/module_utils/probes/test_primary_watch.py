# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import threading

from ansible_collections.ivy.cluster.plugins.module_utils.probes import primary_watch as sut

ANSWERS = [
    sut.Answer("db1", 1.0, 1.1, True),
    sut.Answer("db2", 1.0, 1.1, False),
    sut.Answer("db1", 2.0, 2.1, True),
    sut.Answer("db1", 3.0, 3.1, False),
    sut.Answer("db2", 3.2, 3.5, True),
    sut.Answer("db3", 3.2, 3.3, False),
    sut.Answer("db2", 4.2, 4.3, True),
]


def test_the_gap_is_from_the_last_answer_of_one_primary_to_the_first_of_the_next() -> None:
    assert sut.gap(ANSWERS, "db1") == 1.5
    assert sut.new_primary(ANSWERS, "db1") == "db2"


def test_without_both_answers_there_is_no_gap() -> None:
    assert sut.gap(ANSWERS[:4], "db1") is None
    assert sut.gap(ANSWERS[4:], "db1") is None
    assert sut.gap([], "db1") is None
    assert sut.new_primary(ANSWERS[:4], "db1") == ""


def test_members_are_asked_until_another_one_leads() -> None:
    asked: list[str] = []
    switched = threading.Event()

    def leads(url: str) -> bool:
        asked.append(url)
        return url == ("new" if switched.is_set() else "old")

    with sut.Watch(leads, {"db1": "old", "db2": "new"}, "db1", interval=0.01) as watch:
        assert watch.wait(0.1) == ""
        switched.set()
        assert watch.wait(60) == "db2"
    assert set(asked) == {"old", "new"}
    gap = watch.gap()
    assert gap is not None
    assert gap >= 0
    count = len(asked)
    switched.wait(0.05)
    assert len(asked) == count
