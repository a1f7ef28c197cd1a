# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.ivy.cluster.plugins.filter.rollback_choice import rollback_choice
from ansible_collections.ivy.cluster.plugins.module_utils.node.cluster import record
from ansible_collections.ivy.cluster.plugins.plugin_utils.operations import history, rollback
from ansible_collections.ivy.cluster.plugins.plugin_utils.report.document import Document

A, B, C, D = "a" * 32, "b" * 32, "bc" + "c" * 30, "d" * 32


def made(*steps: tuple[str, str, str]) -> dict[str, t.Any]:
    """A record to which these changes were made: state, operation, release."""
    value = record.empty("demo")
    for state, operation, release in steps:
        change = record.Change("taken", "run1", release, operation=operation, owner="kim", node="n1", reason="why")
        value = record.apply(value, change)
        change = change._replace(pin=state == "back")
        value = record.apply(value, change._replace(state="opened" if state == "back" else state))
    return value


def rolled(*releases: str) -> dict[str, t.Any]:
    return made(*((state, "site", release) for release in releases for state in ("opened", "closed")))


def store(*releases: str, applied: str | None = A, version: str = "11.3.0", incomplete: str = "") -> dict[str, t.Any]:
    return {
        "applied": applied,
        "releases": [
            {"id": one, "staged": "2026-01-01T00:00:00Z", "engine_version": version, "complete": one != incomplete}
            for one in releases
        ],
    }


def known(value: t.Mapping[str, t.Any], *cached: str, **nodes: dict[str, t.Any]) -> rollback.Available:
    return rollback.Available(value, nodes, [{"id": one, "engine_version": "11.3.0"} for one in cached])


def choose(wanted: str, what: rollback.Available) -> rollback.Choice:
    return rollback.choose(wanted, what, "11.3.0")


def test_the_one_before_is_the_last_that_reached_all_nodes() -> None:
    assert choose("", known(rolled(A, B), n1=store(A, B))).release == A
    failed_twice = made(
        ("opened", "site", A), ("closed", "site", A), ("opened", "site", B), ("opened", "site", D)
    )  # neither B nor D was ever rolled out to its end
    assert choose("", known(failed_twice, n1=store(A, B, D))).release == A
    # Not the first one of all. A node that does not say what it has is asked nothing.
    three = known(rolled(A, B, D), n1=store(A, B, D), n2={"applied": A})
    assert (choose("", three).release, choose("", three).sources) == (B, ("n1",))


def test_a_release_is_named_by_its_beginning() -> None:
    what = known(rolled(A, B, D), n1=store(A, B, C, D))
    assert choose("d", what).release == D
    assert choose("BC", what).release == C
    assert "More than one release begins with b" in choose("b", what).problem


def test_an_unknown_release_is_refused_with_what_there_is() -> None:
    choice = choose("feed", known(rolled(A, B), C, n1=store(A, B, applied=B), n2=store(B)))
    assert choice.release == ""
    assert "There is no release feed. Nothing was changed." in choice.problem
    lines = choice.problem.splitlines()
    assert lines[1] == "n1 has:"
    assert lines[2].split()[0] == A
    assert "applied, desired" in lines[3]
    assert lines[4:] == ["n2 has:", lines[5], f"the controller's cache has: {C}"]
    gone = choose("", known(rolled(A, B), n1=store(B)))
    assert "was rolled out once, but neither a node of this run nor the controller's cache has it" in gone.problem


def test_where_the_release_comes_from() -> None:
    choice = choose(A, known(rolled(A, B), n1=store(B), n2=store(A, B), n3=store(A, incomplete=A)))
    assert (choice.sources, choice.in_cache) == (("n2",), False)
    only_cache = choose(A, known(rolled(A, B), A, n1=store(B)))
    assert (only_cache.sources, only_cache.in_cache) == ((), True)
    half = choose("", known(rolled(A, B), A, n1=store(A, B, incomplete=A)))
    assert (half.release, half.sources, half.in_cache) == (A, (), True)
    assert "not complete" in choose(A, known(rolled(A, B), n1=store(A, incomplete=A))).problem


def test_a_second_rollback_goes_no_further_back() -> None:
    stores = {"n1": store(A, B, D)}
    cut_off = made(
        ("opened", "site", A),
        ("closed", "site", A),
        ("opened", "site", B),
        ("closed", "site", B),
        ("back", "rollback", A),
    )
    assert choose("", known(cut_off, **stores)).release == A
    assert choose("", known({**cut_off, "pin": None}, **stores)).release == A
    pinned = record.apply(cut_off, record.Change("closed", "run1", A, operation="rollback", owner="kim"))
    assert pinned["operation"] is None
    assert choose("", known(pinned, **stores)).release == A
    assert choose(D, known(pinned, **stores)).release == D
    lifted = record.apply(pinned, record.Change("unpinned", "run1", owner="kim"))
    assert choose("", known(lifted, **stores)).release == B


@pytest.mark.parametrize(
    ("value", "nodes", "problem"),
    [
        (record.empty("demo"), {"n1": store(A)}, "Nothing was rolled out"),
        (None, {"n1": store(A)}, "Nothing was rolled out"),
        (rolled(A), {"n1": store(A)}, "no release before"),
        (rolled(A, B), {"n1": store(A, B), "n2": store(applied=None)}, "No release was ever applied to n2"),
        (rolled(A, B), {"n1": store(A, version="10.0.1"), "n2": store(B)}, "built for engine 10.0.1"),
    ],
)
def test_what_cannot_be_rolled_back_is_refused(value: t.Any, nodes: t.Any, problem: str) -> None:
    choice = choose("", rollback.Available(value or {}, nodes, []))
    assert choice.release == ""
    assert problem in choice.problem
    assert "Nothing was changed." in choice.problem


def test_without_a_record_there_is_nothing_to_go_back_to() -> None:
    what = rollback.Available(t.cast("t.Any", None), {"n1": store(A)}, [])
    assert choose("", what).problem.startswith("Nothing was rolled out to this cluster yet")


def test_the_engine_of_the_chosen_release_counts_and_not_that_of_another() -> None:
    older = store(A, version="11.3.0")["releases"]
    newer = store(B, version="12.0.9")["releases"]
    for releases in (older + newer, newer + older):
        choice = choose("", known(rolled(A, B), n1={"applied": B, "releases": releases}))
        assert (choice.release, choice.problem) == (A, "")
    unknown = store(A, version="")
    assert choose("", known(rolled(A, B), n1=unknown)).release == A
    # One node may know it although another does not.
    other = store(A, version="10.0.1")
    assert "built for engine 10.0.1" in choose("", known(rolled(A, B), n1=unknown, n2=other)).problem


def test_a_release_that_was_completed_twice_in_a_row_is_one_step() -> None:
    value = rolled(A, B)
    value["history"] += [{"operation": "site done", "release": B}, {"operation": "site done"}]
    assert rollback.rolled_out(value) == [A, B]


def test_a_release_is_listed_with_what_is_known_of_it() -> None:
    value = rolled(A, B)
    nodes = {"n1": store(A, B, applied=A, version="", incomplete=A), "n2": {"applied": None}}
    assert rollback.inventory(known(value, **nodes)) == [
        "n1 has:",
        f"  {A}  staged 2026-01-01T00:00:00Z, applied, not complete",
        f"  {B}  staged 2026-01-01T00:00:00Z, desired",
        "n2 has:",
        "  no release",
    ]
    what = known(value, A, C, n1=store(A))
    assert what.ids == [A, C]


class TestHistory:
    def report(self, value: t.Any, **more: t.Any) -> Document:
        return self.of({"n1": {"record": {"record": value}, "releases": store(B, A, applied=B)}, **more})

    def of(self, nodes: dict[str, t.Any]) -> Document:
        return history.document({"cluster": "demo", "nodes": nodes})

    def test_everything_is_listed(self) -> None:
        value = made(
            ("opened", "site", A),
            ("closed", "site", A),
            ("opened", "site", B),
            ("closed", "site", B),
            ("back", "rollback", A),
        )
        found = self.report(value, n2={"record": {"unreachable": True, "msg": "Task failed: no route"}})
        text, data = found.text, found.data
        assert data["problem"] == ""
        assert f"desired    {A}" in text
        assert f"previous   {B}" in text
        assert f"PINNED     to {A}" in text
        assert "OPEN       rollback of kim" in text
        assert "n2: not reached" in text
        events = text.partition("newest first")[2].splitlines()
        assert "rollback" in events[1]
        assert "(why)" in events[1]
        assert "by kim" in events[1]
        assert "site done" in events[2]
        assert data["nodes"] == {"n1": {"applied": B, "releases": [B, A]}}
        assert data["not_reached"] == {"n2": "not reached"}
        assert [event["release"] for event in data["history"]] == [A, A, B, B, A]

    def test_the_backup_of_an_upgrade_is_listed(self) -> None:
        backup = "20261129T115500Z"
        words = f"backup     {backup}, made by the upgrade"
        open_upgrade = {"name": "upgrade", "owner": "kim", "since": "noon", "backup": backup}
        assert words in self.report({**rolled(A), "operation": open_upgrade}).text
        for schema in ({"backup": backup}, {"backup": "an earlier one", "migrating": {"backup": backup}}):
            found = self.report({**rolled(A), "schema": {"engine_version": "12.0.9", **schema}})
            assert words in found.text
            assert found.data["backup"] == backup
        without = self.report({**rolled(A), "schema": {"engine_version": "12.0.9"}})
        assert (without.data["backup"], "made by the upgrade" in without.text) == (None, False)

    def test_the_commit_of_each_release_and_how_long_its_rollout_took_are_listed(self) -> None:
        value = rolled(A, B)
        value["sources"] = {B: {"commit": "1c9f2d7a4b8e" + "0" * 28, "clean": False}}
        value["history"][-1]["seconds"] = 252
        found = self.report(value)
        assert f"desired    {B}, commit 1c9f2d7a4b8e and changes that are not committed" in found.text
        event = found.text.partition("newest first")[2].splitlines()[1]
        assert "commit 1c9f2d7a4b8e and changes that are not committed  in 4 min 12 s" in event
        listed = found.text.partition("can go back to")[2]
        assert f"{B}  staged 2026-01-01T00:00:00Z, engine 11.3.0, commit 1c9f2d7a4b8e" in listed
        assert "commit" not in next(line for line in listed.splitlines() if A in line)
        assert found.data["sources"] == value["sources"]
        assert "commit 1c9f2d7a4b8e" in found.forms()["html"]

    def test_one_node_that_responds_is_enough(self) -> None:
        nodes: dict[str, t.Any] = {
            "n1": {"record": {"failed": True, "msg": "the share is not mounted"}, "releases": {"unreachable": True}},
            "n2": {"record": {"record": rolled(A)}, "releases": store(A)},
        }
        assert self.of(nodes).data["desired_release"] == A

    def test_a_record_that_cannot_be_read_is_reported(self) -> None:
        assert self.report(None).data["problem"] == "there is no cluster record yet"
        damaged = {"n1": {"record": {"failed": True, "msg": "The cluster record is damaged (x)."}}}
        assert "The cluster record is damaged" in self.of(damaged).data["problem"]
        assert not self.of(damaged).ok
        assert self.of({"n1": {}}).data["problem"] == "not reached"

    @pytest.mark.parametrize(
        "wrong",
        [
            {"releases": {"releases": [{}]}},
            {"releases": {"releases": "x"}},
            {"releases": {"releases": [], "applied": ["x"]}},
            {"record": {"record": []}},
            {"record": {"record": {"history": [1]}}},
            {"record": {"record": {"history": [{"release": {}}]}}},
            {"record": {"record": {"lease": {"run_id": "x"}}}},
            {"record": {"record": {"drained": [None]}}},
            {"record": {"record": {"pin": "x"}}},
            {"record": {"record": {"sources": {A: {"commit": 1, "clean": True}}}}},
            {"record": {"record": {"sources": {A: "x"}}}},
            {"record": {"record": {"schema": {"backup": 1}}}},
            {"record": {"record": {"schema": {"migrating": "x"}}}},
            {"record": {"record": {"durations": [{"kind": "start", "node": "n1", "seconds": "x"}]}}},
        ],
    )
    def test_a_node_with_a_malformed_answer_is_reported_and_the_others_are_shown(self, wrong: t.Any) -> None:
        good = {"record": {"record": rolled(A)}, "releases": store(A)}
        data = self.of({"n1": {**good, **wrong}, "n2": good}).data
        assert data["desired_release"] == A
        assert data["nodes"]["n2"] == {"applied": A, "releases": [A]}
        if "releases" in wrong:
            assert data["not_reached"]["n1"].startswith("its answer cannot be used: ")
        else:
            assert "its answer cannot be used" in self.of({"n1": {**good, **wrong}}).data["problem"]


def test_a_malformed_answer_stops_a_rollback() -> None:
    found = rollback_choice("", rolled(A), {"n1": {"releases": [{}]}}, "11.3.0")
    assert found["release"] == ""
    assert found["problem"].startswith("n1: its answer cannot be used: ")
    assert "the cluster record" in rollback_choice("", t.cast("t.Any", []), {}, "11.3.0")["problem"]
