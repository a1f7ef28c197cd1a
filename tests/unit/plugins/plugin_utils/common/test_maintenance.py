# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t

from ansible_collections.ivy.cluster.plugins.plugin_utils.common import maintenance as sut


def result(balancer: str, **state: t.Any) -> dict[str, t.Any]:
    return {"item": balancer, "maintenance": {"active": True, "since": "10:00", "allowed_sources": [], **state}}


def test_balancers_with_the_same_state_are_named_together_and_others_apart() -> None:
    assert sut.of_loop([]) == ""
    assert sut.of_loop([result("lb1", active=False), {"item": "lb2", "maintenance": None}]) == ""
    assert sut.of_loop([result("lb1"), result("lb2")]).startswith("IN MAINTENANCE since 10:00 (lb1, lb2); to end it: ")
    text = sut.of_loop([result("lb1"), result("lb2", since="11:00"), result("lb3", active=False)])
    assert "since 10:00 (lb1); IN MAINTENANCE since 11:00 (lb2); NOT ON lb3, where users are served" in text


def test_an_answer_of_any_kind_makes_one_plain_line() -> None:
    hostile: list[t.Any] = [
        result("lb1", since="\x1b[2J" * 1000, allowed_sources=["a\nb", {"c": 1}] * 50),
        result("lb2", since=None, allowed_sources="0.0.0.0/0"),
        {"item": "lb3", "maintenance": {"active": "yes"}},
        {"item": "lb4", "maintenance": [True]},
    ]
    text = sut.of_loop(hostile)
    assert text.isprintable()
    assert len(text) < 2000
    assert "and 95 more" in text


def test_what_was_closed_is_added_up() -> None:
    assert sut.counted([]) == ""
    assert (
        sut.counted([{"requests": 1, "websockets": 0}, {"requests": 0, "websockets": 2}])
        == "1 request and 2 WebSockets"
    )
    assert sut.counted([{"requests": "many"}, {}]) == ""
