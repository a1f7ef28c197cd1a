# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import errno
import fcntl
import json
import os
import tempfile
import typing as t
from pathlib import Path

import pytest

from ansible_collections.ivy.cluster.plugins.module_utils.node.cluster import fence, lease, record
from ansible_collections.ivy.cluster.plugins.module_utils.node.files import bounded
from ansible_collections.ivy.cluster.plugins.module_utils.node.files.errors import NodeError
from ansible_collections.ivy.cluster.tests.timing import Clock

A, B, C, D, E = ("a" * 32, "b" * 32, "c" * 32, "d" * 32, "e" * 32)


NOON = 1_800_000_000.0
NOON_TEXT = "2027-01-15T08:00:00Z"
HOUR = 3600.0


def change(state: t.Any, release: t.Any = "", operation: t.Any = "site", **more: t.Any) -> t.Any:
    values = {"run_id": "run1", "owner": "admin", "node": "n1", "now": NOON, **more}
    return record.Change(state=state, release=release, operation=operation, **values)


def after(*changes: t.Any, start: t.Any = None) -> t.Any:
    """The record after changes of runs that took the lease before and gave it up at their end."""
    value = start or record.empty("demo")
    for one in changes:
        value = record.apply(value, one._replace(state="taken"))
        value = record.apply(value, one)
        value = record.apply(value, one._replace(state="released"))
    return value


def ids() -> tuple[int, int]:
    return os.geteuid(), os.getegid()


def test_after_a_rollback_that_was_cut_off_the_way_on_is_named() -> None:
    cut_off = after(change("opened", A), change("closed", A), change("opened", B), change("opened", A, "rollback"))
    with pytest.raises(NodeError, match=r"run ivy\.cluster\.rollback again"):
        after(change("opened", A), start=cut_off)


def test_a_rollout_from_nothing_to_its_end() -> None:
    opened = after(change("opened", A, engine_version="11.3.0"))
    assert opened["desired_release"] == A
    assert opened["operation"]["name"] == "site"
    assert opened["engine_version"] == "11.3.0"
    closed = after(change("closed", A), start=opened)
    assert closed["operation"] is None
    assert [one["operation"] for one in closed["history"]] == ["site", "site done"]


def test_the_same_again_changes_nothing() -> None:
    done = after(change("opened", A), change("closed", A))
    assert after(change("opened", A), start=done) == done
    assert after(change("closed", A), start=done) == done
    assert after(change("schema_created", engine_version="11.3.0"), start=done) != done
    made = after(change("schema_created", engine_version="11.3.0"), start=done)
    assert after(change("schema_created", engine_version="11.3.0"), start=made) == made


def test_the_tables_are_recorded_with_where_and_when_and_again_only_for_another_engine() -> None:
    done = after(change("opened", A), change("closed", A))
    made = after(change("schema_created", engine_version="11.3.0", node="n2"), start=done)
    assert made["schema"] == {"engine_version": "11.3.0", "created_at": NOON_TEXT, "node": "n2"}
    assert (made["history"][-1]["operation"], made["history"][-1]["node"]) == ("schema created", "n2")
    # A run that does not name its engine knows nothing better.
    assert after(change("schema_created"), start=made) == made
    other = after(change("schema_created", engine_version="11.3.1"), start=made)
    assert other["schema"]["engine_version"] == "11.3.1"


def refused(release: str, value: t.Any, node: str = "n1", now: float = NOON) -> str:
    return fence.refusal(release, value, "demo", node, now)


def test_while_open_every_replaced_release_may_start_and_none_afterwards() -> None:
    done = after(change("opened", A), change("closed", A))
    rolling = after(change("opened", B), change("opened", C), change("opened", D), start=done)
    assert rolling["previous_release"] == A
    # A rollout that failed half way may have left nodes on any of them, not only on the last.
    assert rolling["allowed_releases"] == [A, B, C]
    for release in (A, B, C, D):
        assert refused(release, rolling) == ""
    closed = after(change("closed", D), start=rolling)
    assert closed["previous_release"] is None
    assert closed["allowed_releases"] == []
    assert closed["passed"] == {}
    assert closed["old_releases_until"] is None
    assert refused(D, closed) == ""
    # They are not allowed again by the next rollout.
    again = after(change("opened", E), start=closed)
    for release in (A, B, C):
        assert "the cluster wants" in refused(release, closed)
        assert "the cluster wants" in refused(release, again)
    assert refused(D, again) == ""


def test_a_node_that_has_passed_the_gate_does_not_start_with_a_replaced_release() -> None:
    rolling = after(change("opened", A), change("closed", A), change("opened", B), change("passed", node="n1"))
    assert "the cluster wants" in refused(A, rolling, "n1")
    assert refused(B, rolling, "n1") == ""
    assert refused(A, rolling, "n2") == ""


def test_a_node_that_has_passed_with_an_earlier_release_of_the_rollout_starts_with_that_one() -> None:
    rolling = after(
        change("opened", A), change("closed", A), change("opened", B), change("passed", node="n1"), change("opened", C)
    )
    assert refused(B, rolling, "n1") == ""
    assert "the cluster wants" in refused(A, rolling, "n1")
    assert refused(C, rolling, "n1") == ""
    back = after(change("passed", node="n1"), start=rolling)
    assert "the cluster wants" in refused(B, back, "n1")


def test_replaced_releases_end_by_time_once_a_node_has_passed() -> None:
    opened = after(change("opened", A), change("closed", A), change("opened", B))
    # Nothing but the replaced release can serve.
    assert refused(A, opened, "n2", NOON + 1000 * HOUR) == ""
    rolling = after(change("passed", node="n1", now=NOON + HOUR), start=opened)
    assert refused(A, rolling, "n2", NOON + 25 * HOUR) == ""
    over = refused(A, rolling, "n2", NOON + 25 * HOUR + 1)
    assert "left open" in over
    assert "ivy.cluster.site" in over
    assert refused(B, rolling, "n1", NOON + 1000 * HOUR) == ""
    # Running again without progress does not prolong it, progress does.
    again = after(change("opened", B, now=NOON + 20 * HOUR), start=rolling)
    assert refused(A, again, "n2", NOON + 26 * HOUR) != ""
    assert (
        after(change("passed", node="n1", now=NOON + 20 * HOUR), start=rolling)["old_releases_until"]
        == (rolling["old_releases_until"])
    )
    progress = after(change("passed", node="n3", now=NOON + 20 * HOUR), start=rolling)
    assert refused(A, progress, "n2", NOON + 26 * HOUR) == ""


def test_a_rollout_is_not_closed_while_a_node_has_another_release() -> None:
    rolling = after(change("opened", A), change("closed", A), change("opened", B))
    with pytest.raises(NodeError, match=f"n2 is at {A}, n3 is at none"):
        after(change("closed", B, nodes={"n1": B, "n2": A, "n3": None}), start=rolling)
    passed = after(change("passed", node="n1"), change("passed", node="n2"), start=rolling)
    assert after(change("closed", B, nodes={"n1": B, "n2": B}), start=passed)["operation"] is None


def test_a_rollout_is_not_closed_before_every_node_of_the_run_has_passed_the_gate() -> None:
    rolling = after(change("opened", A), change("closed", A), change("opened", B), change("passed", node="n2"))
    close = change("closed", B, nodes={"n1": B, "n2": B, "n3": B})
    with pytest.raises(NodeError, match=rf"{B} cannot be closed: n1, n3 did not pass the gate with it\. .* Run again"):
        after(close, start=rolling)
    # With an earlier release of the rollout is not enough.
    newer = after(change("opened", C), change("passed", node="n1"), change("passed", node="n3"), start=rolling)
    with pytest.raises(NodeError, match="n2 did not pass"):
        after(close._replace(release=C, nodes={"n1": C, "n2": C, "n3": C}), start=newer)
    passed = after(change("passed", node="n1"), change("passed", node="n3"), start=rolling)
    closed = after(close, start=passed)
    assert (closed["operation"], closed["passed"]) == (None, {})
    # Whoever closes it need not say in which operation. A clock that was set back makes no negative duration.
    for more in ({"operation": ""}, {"now": NOON - HOUR}):
        value = record.apply(passed, close._replace(state="taken"))
        value = record.apply(value, close._replace(**more))
        assert (value["operation"], value["history"][-1]["seconds"]) == (None, 0)
    # A run that repaired a node without a rollout has nothing to close.
    assert after(close, start=closed) == closed


def test_after_a_rollback_the_replaced_release_ends_by_time_too() -> None:
    """The node with that release is away. The others kept the one that is desired again."""
    rolling = after(change("opened", A), change("closed", A), change("opened", B), change("passed", node="n1"))
    back = after(change("opened", A, operation="rollback", reason="it hangs"), start=rolling)
    assert refused(B, back, "n1", NOON + 1000 * HOUR) == ""
    passed = after(change("passed", node="n2"), change("passed", node="n3"), start=back)
    assert refused(B, passed, "n1", NOON + 24 * HOUR) == ""
    assert "left open" in refused(B, passed, "n1", NOON + 24 * HOUR + 1)


def test_the_fence_says_why_and_what_to_run() -> None:
    closed = after(change("opened", A), change("closed", A))
    assert "no cluster record" in fence.refusal(A, None, "demo", "n1")
    # Nobody knows which release the cluster runs, so none may start.
    assert "names none" in fence.refusal(A, record.empty("demo"), "demo", "n1")
    assert "No release was ever applied" in fence.refusal(None, closed, "demo", "n1")
    assert "--limit n1" in fence.refusal(B, closed, "demo", "n1")
    assert "belongs to cluster demo" in fence.refusal(A, closed, "other", "n1")
    # Without a name on one of the two sides there is nothing to compare.
    assert fence.refusal(A, closed, "", "n1") == ""
    assert fence.refusal(A, {**closed, "cluster": ""}, "other", "n1") == ""
    assert "--limit <this node>" in fence.refusal(B, closed, "demo", "")


def test_the_fence_knows_the_time_itself() -> None:
    rolling = after(change("opened", A), change("closed", A), change("opened", B), change("passed", node="n1"))
    past, future = "2000-01-01T00:00:00Z", "9999-01-01T00:00:00Z"
    assert "left open" in fence.refusal(A, {**rolling, "old_releases_until": past}, "demo", "n2")
    assert fence.refusal(A, {**rolling, "old_releases_until": future}, "demo", "n2") == ""
    # A record of an earlier version has no time.
    assert fence.refusal(A, {**rolling, "old_releases_until": None}, "demo", "n2") == ""


def test_without_an_open_operation_no_replaced_release_may_start() -> None:
    """Whatever else the record names: another version, or somebody by hand, may have written it."""
    rolling = after(change("opened", A), change("closed", A), change("opened", B))
    assert refused(A, rolling) == ""
    assert "the cluster wants" in refused(A, {**rolling, "operation": None})


def test_another_operation_is_not_overrun() -> None:
    opened = after(change("opened", A, operation="upgrade", owner="kim"))
    with pytest.raises(NodeError, match=r"upgrade of kim, since .*step: none"):
        after(change("opened", B), start=opened)
    with pytest.raises(NodeError, match="upgrade of kim"):
        after(change("closed", A), start=opened)
    taken = after(change("opened", B, take_over="kim is on holiday"), start=opened)
    assert taken["operation"]["name"] == "site"
    assert any(one.get("reason") == "kim is on holiday" for one in taken["history"])


def test_the_step_of_an_operation_is_kept() -> None:
    opened = after(change("opened", A), change("opened", A, step="restart engine2"))
    assert opened["operation"]["step"] == "restart engine2"


def test_an_operation_that_is_continued_keeps_its_beginning_and_its_step() -> None:
    opened = after(change("opened", A, step="restart engine2"))
    later = after(change("opened", B, now=NOON + HOUR, owner="kim", step=""), start=opened)
    assert later["operation"] == opened["operation"]
    with pytest.raises(NodeError, match="step: restart engine2"):
        after(change("opened", C, "upgrade"), start=later)
    # A step alone opens nothing.
    closed = after(change("closed", A), start=opened)
    assert after(change("opened", A, step="restart engine2"), start=closed)["operation"] is None


def test_an_operation_without_a_release_leaves_everything_as_it_is_and_heeds_no_pin() -> None:
    pinned = after(change("opened", A, engine_version="11.3.0"), change("closed", A), change("pinned", reason="freeze"))
    opened = after(change("opened", "", "upgrade"), start=pinned)
    assert opened["operation"]["name"] == "upgrade"
    rest = {"operation": None, "old_releases_until": None, "lease": None}
    assert {**opened, **rest} == {**pinned, **rest}
    assert after(change("opened", "", "upgrade", pin=True), start=pinned)["pin"] == pinned["pin"]
    completed = after(change("opened", "", "rollout"), start=after(change("opened", A)))
    assert completed["history"][-1]["reason"] == "completes the open rollout"
    with pytest.raises(NodeError, match="release"):
        after(change("opened", "../x"))


def test_a_pin_without_a_reason_and_a_rollback_to_another_release_than_the_pinned_one() -> None:
    done = after(change("opened", A), change("closed", A), change("opened", B), change("closed", B), change("pinned"))
    with pytest.raises(NodeError, match=r"\(no reason given\)"):
        after(change("opened", C), start=done)
    back = after(change("opened", A, "rollback", reason="B hangs", pin=True), start=done)
    assert (back["pin"]["release"], back["pin"]["reason"]) == (A, "B hangs")


def test_a_pin_and_its_end_are_in_the_history_with_the_release_that_is_pinned() -> None:
    done = after(change("opened", A), change("closed", A))
    pinned = after(change("pinned", B, reason="audit"), start=done)
    assert (pinned["desired_release"], pinned["pin"]["release"]) == (A, B)
    event = pinned["history"][-1]
    assert (event["operation"], event["reason"], event["release"]) == ("pin", "audit", B)
    lifted = after(change("unpinned", reason="audit passed"), start=pinned)
    event = lifted["history"][-1]
    assert (event["operation"], event["reason"], event["release"]) == ("unpin", "audit passed", B)
    # Without a pin there is nothing to lift.
    assert after(change("unpinned"), start=lifted) == lifted
    with pytest.raises(NodeError, match="release"):
        after(change("pinned", "../x"), start=done)


@pytest.mark.parametrize(
    ("operation", "more", "reason"),
    [
        ("rollback", {}, "rolled back"),
        ("rollback", {"reason": "B hangs"}, "B hangs"),
        ("rollback", {"reason": "B hangs", "take_over": "kim is away"}, "kim is away"),
        ("restore", {}, "restored"),
        ("restore", {"reason": "disk lost"}, "disk lost"),
    ],
)
def test_the_history_says_why_an_open_rollout_was_taken_over(operation: str, more: t.Any, reason: str) -> None:
    left = after(change("opened", A), change("closed", A), change("opened", B, owner="kim"))
    value = after(change("opened", A, operation, **more), start=left)
    event = next(one for one in value["history"] if one["operation"] == "take over")
    assert (event["reason"], event["from_owner"]) == (reason, "kim")


def test_an_open_rollout_may_be_taken_over_with_a_reason() -> None:
    left = after(change("opened", A), change("closed", A), change("opened", B))
    with pytest.raises(NodeError, match="if nobody works on it any more, take it over by naming a reason"):
        after(change("opened", C, "upgrade"), start=left)


def test_a_release_that_is_wanted_again_gives_the_others_their_whole_time() -> None:
    """A node has passed with it before, so nothing but the opening prolongs the time."""
    rolling = after(change("opened", A), change("closed", A), change("opened", B), change("passed", node="n1"))
    again = after(change("opened", C, now=NOON + 20 * HOUR), change("opened", B, now=NOON + 40 * HOUR), start=rolling)
    assert refused(A, again, "n2", NOON + 64 * HOUR) == ""
    assert "left open" in refused(A, again, "n2", NOON + 64 * HOUR + 1)
    # A rollout that an earlier version of the collection has opened gets a time when it is continued.
    without = {**rolling, "old_releases_until": None}
    continued = after(change("opened", B, now=NOON + HOUR), start=without)
    assert "left open" in refused(A, continued, "n2", NOON + 25 * HOUR + 1)


def test_the_engine_stays_known_if_a_run_does_not_name_it() -> None:
    opened = after(change("opened", A, engine_version="11.3.0"), change("opened", B))
    assert opened["engine_version"] == "11.3.0"
    assert after(change("opened", C, engine_version="11.3.1"), start=opened)["engine_version"] == "11.3.1"


@pytest.mark.parametrize(("length", "kept"), [(300, True), (301, False)])
def test_a_text_is_shortened_if_it_is_too_long(length: int, kept: bool) -> None:
    text = "x" * length
    found = change("opened", A, owner=text).shortened().owner
    assert found == (text if kept else f"{'x' * 296} ...")
    assert len(found) == 300


def test_a_rollout_that_somebody_else_overtook_is_not_closed() -> None:
    opened = after(change("opened", A), change("opened", B))
    with pytest.raises(NodeError, match=f"the cluster record wants {B} by now"):
        after(change("closed", A), start=opened)


def test_a_pin_holds_until_it_is_lifted() -> None:
    done = after(change("opened", A), change("closed", A), change("pinned", reason="incident 7"))
    with pytest.raises(NodeError, match="incident 7"):
        after(change("opened", B), start=done)
    assert after(change("opened", A), start=done) == done
    assert after(change("opened", B, operation="rollback"), start=done)["desired_release"] == B
    assert after(change("unpinned"), change("opened", B), start=done)["desired_release"] == B
    with pytest.raises(NodeError, match="no release to pin"):
        after(change("pinned"))


def test_a_rollback_pins_with_its_reason_in_the_same_step() -> None:
    done = after(change("opened", A), change("closed", A), change("opened", B), change("closed", B))
    back = after(change("opened", A, operation="rollback", reason="incident 7", pin=True), start=done)
    assert back["desired_release"] == A
    assert back["operation"]["name"] == "rollback"
    assert (back["pin"]["release"], back["pin"]["reason"], back["pin"]["owner"]) == (A, "incident 7", "admin")
    assert (back["history"][-1]["operation"], back["history"][-1]["reason"]) == ("rollback", "incident 7")
    assert after(change("opened", A, operation="rollback", reason="incident 7", pin=True), start=back) == back
    closed = after(change("closed", A, operation="rollback"), start=back)
    with pytest.raises(NodeError, match="incident 7"):
        after(change("opened", B), start=closed)


def test_a_further_reason_is_added_to_the_pin_and_to_the_history() -> None:
    done = after(change("opened", A), change("closed", A), change("opened", B), change("closed", B))
    back = after(change("opened", A, operation="rollback", reason="incident 7", pin=True), start=done)
    second = change("opened", A, operation="rollback", reason="incident 8", owner="kim", pin=True)
    again = after(second, start=back)
    assert again["pin"] == {**back["pin"], "reason": "incident 7; incident 8"}
    last = again["history"][-1]
    assert (last["operation"], last["reason"], last["owner"]) == ("pin", "incident 8", "kim")
    # The same reasons again change nothing, in any order.
    assert after(second, start=again) == again
    assert after(second._replace(reason="incident 7"), second._replace(reason=""), start=again) == again
    without = after(change("pinned"), start=done)
    assert after(change("pinned", reason="late"), start=without)["pin"]["reason"] == "late"
    with pytest.raises(NodeError, match="incident 7; incident 8"):
        after(change("opened", B), start=after(change("closed", A, operation="rollback"), start=again))


def test_site_and_rollout_complete_each_other_under_their_own_names() -> None:
    done = after(change("opened", A), change("closed", A))
    for first, then in (("site", "rollout"), ("rollout", "site")):
        left = after(change("opened", B, operation=first), start=done)
        open_again = after(change("opened", B, operation=then, owner="kim"), start=left)
        assert (open_again["operation"]["name"], open_again["operation"]["owner"]) == (then, "kim")
        closed = after(change("closed", B, operation=then), start=open_again)
        assert closed["operation"] is None
        names = [one["operation"] for one in closed["history"]]
        assert names == ["site", "site done", first, then, f"{then} done"]
        assert closed["history"][-2]["reason"] == "completes the open rollout"
        # With a newer release, too.
        newer = after(change("opened", C, operation=then), start=left)
        assert [one["operation"] for one in newer["history"]][-2:] == [first, then]
        back = after(change("opened", A, operation="rollback", reason="B is broken", pin=True), start=left)
        assert back["operation"]["name"] == "rollback"
        with pytest.raises(NodeError, match="Another operation is under way"):
            after(change("opened", B, operation="upgrade"), start=left)


def test_a_run_that_repairs_a_node_without_a_new_release_is_in_the_history() -> None:
    done = after(change("opened", A), change("closed", A))
    run = [change("taken", operation="rollout", now=NOON + HOUR), change("opened", A, operation="rollout")]
    passed = [change("passed", operation="rollout", node=node, now=NOON + HOUR + 60) for node in ("n1", "n2")]
    value = done
    # A repeated step is one entry.
    for one in [*run, *passed, *passed, change("closed", A, operation="rollout"), change("released")]:
        value = record.apply(value, one)
    more = value["history"][len(done["history"]) :]
    assert [(one["operation"], one["node"], one["reason"], one["release"]) for one in more] == [
        ("rollout", "n1", "repaired", A),
        ("rollout", "n2", "repaired", A),
    ]
    assert (value["operation"], value["passed"]) == (None, {})
    # The next run is another event, and in it a repeated step is one entry, too, however soon it comes.
    again = change("passed", operation="rollout", node="n1", now=NOON + 2 * HOUR, reason="its disk was lost")
    for one in (again._replace(state="taken"), again._replace(reason=""), again._replace(reason=""), again, again):
        value = record.apply(value, one)
    assert [one["reason"] for one in value["history"][len(done["history"]) + 2 :]] == ["repaired", "its disk was lost"]


def test_pinning_what_runs_already_is_in_the_history() -> None:
    done = after(change("opened", A), change("closed", A))
    pinned = after(change("opened", A, operation="rollback", reason="freeze", pin=True), start=done)
    assert pinned["operation"] is None
    assert (pinned["history"][-1]["operation"], pinned["history"][-1]["reason"]) == ("pin", "freeze")


def test_a_rollback_reverts_an_open_rollout_once_it_holds_the_lease() -> None:
    done = after(change("opened", A), change("closed", A))
    at_work = record.apply(done, change("taken", owner="kim", run_id="run2"))
    at_work = record.apply(at_work, change("opened", B, owner="kim", run_id="run2"))
    for state in ("taken", "opened"):
        with pytest.raises(lease.LeaseError, match="site of kim"):
            record.apply(at_work, change(state, A, operation="rollback", reason="B is broken", pin=True))
    failed = record.apply(at_work, change("released", run_id="run2"))
    back = after(change("opened", A, operation="rollback", reason="B is broken", pin=True), start=failed)
    assert back["operation"]["name"] == "rollback"
    assert back["desired_release"] == A
    assert B in back["allowed_releases"]
    upgrading = after(change("opened", B, operation="upgrade", owner="kim"), start=done)
    with pytest.raises(NodeError, match="upgrade of kim"):
        after(change("opened", A, operation="rollback", pin=True), start=upgrading)


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ({"now": NOON + 901}, "no sign of life since "),
        ({"now": NOON - 901}, "no sign of life since "),
        ({"take_over": " kim is on holiday "}, "kim is on holiday"),
        ({"ended_run": "run2"}, "its run has ended"),
    ],
)
def test_a_lease_is_taken_over(how: t.Any, reason: str) -> None:
    held = record.apply(record.empty("demo"), change("taken", owner="kim", run_id="run2"))
    taken = record.apply(held, change("taken", **how))
    assert (taken["lease"]["run_id"], taken["lease"]["owner"]) == ("run1", "admin")
    event = taken["history"][-1]
    assert (event["operation"], event["from_owner"]) == ("take over", "kim")
    assert event["reason"].startswith(reason)
    # The run that lost it can do nothing more.
    for state in ("renewed", "opened", "passed", "closed", "pinned", "unpinned", "schema_created"):
        with pytest.raises(lease.LeaseError, match="This run has lost the lease"):
            record.apply(taken, change(state, A, run_id="run2"))
    assert record.apply(taken, change("released", run_id="run2")) == taken


@pytest.mark.parametrize("how", [{}, {"now": NOON + 900}, {"take_over": " "}, {"ended_run": "run3"}])
def test_a_fresh_lease_is_refused(how: t.Any) -> None:
    held = record.apply(record.empty("demo"), change("taken", owner="kim", run_id="run2", step="restart", node="n2"))
    with pytest.raises(lease.LeaseError, match=r"site of kim, since 2027-.*step: restart on n2.*ivy_take_over_reason"):
        record.apply(held, change("taken", **how))


def test_a_lease_is_kept_as_long_as_its_run_renews_it() -> None:
    value = record.apply(record.empty("demo"), change("taken"))
    for minute in range(10, 100, 10):
        value = record.apply(value, change("renewed", now=NOON + minute * 60, step=f"step {minute}"))
        assert value["lease"]["step"] == f"step {minute}"
        with pytest.raises(lease.LeaseError):
            record.apply(value, change("taken", run_id="run2", now=NOON + minute * 60 + 800))
    assert value["history"] == []


@pytest.mark.parametrize(
    "state", ["renewed", "opened", "passed", "closed", "pinned", "unpinned", "drained", "deployed"]
)
def test_nothing_changes_without_the_lease(state: str) -> None:
    with pytest.raises(lease.LeaseError, match="does not hold the lease"):
        record.apply(record.empty("demo"), change(state, A, drained=[], applications={}))
    with pytest.raises(NodeError, match="run_id"):
        record.apply(record.empty("demo"), change("taken", run_id=""))


def test_a_lease_that_nobody_has_can_be_given_up() -> None:
    """Another run may have removed the one that it took over."""
    done = after(change("opened", A))
    assert record.apply(done, change("released")) == done


@pytest.mark.parametrize("wrong", [0, 59, 24 * 3600 + 1])
def test_a_lease_lasts_a_minute_to_a_day(wrong: int) -> None:
    with pytest.raises(NodeError, match="60 to 86400 seconds"):
        record.apply(record.empty("demo"), change("taken", stale_after=wrong))


@pytest.mark.parametrize("hours", [8761, 99_999_999, 10**12])
def test_the_time_of_replaced_releases_can_be_read_afterwards(hours: int, tmp_path: Path) -> None:
    value = after(change("opened", A), change("closed", A), change("opened", B, old_release_hours=hours))
    value = after(change("passed", old_release_hours=hours), start=value)
    record.write(str(tmp_path), value, *ids())
    assert record.read(str(tmp_path), *ids()) == value
    assert "left open" in refused(A, value, "n2", NOON + 366 * 24 * HOUR)


def test_a_record_with_the_longest_texts_can_be_read_afterwards(tmp_path: Path) -> None:
    value = after(change("opened", A), change("closed", A), change("opened", B), change("closed", B))
    for number in range(record.HISTORY):
        texts = {name: f"{number} {chr(0x1F600) * 100_000}" for name in ("owner", "step", "take_over", "reason")}
        back = change("opened", (A, B)[number % 2], "rollback", pin=number < 50, **texts)
        value = after(back, change("opened", back.release, **{**texts, "operation": "rollback"}, pin=True), start=value)
    value = after(change("deployed", applications={f"{number}.zip": "0" * 64 for number in range(500)}), start=value)
    assert len(value["history"]) == record.HISTORY
    assert all(len(str(text)) <= 300 for event in value["history"] for text in event.values())
    assert value["history"][-2]["reason"].endswith(" ...")
    assert len(value["pin"]["reason"]) <= 300
    record.write(str(tmp_path), value, *ids())
    assert record.read(str(tmp_path), *ids()) == value


def test_a_further_reason_that_does_not_fit_any_more_changes_nothing_twice() -> None:
    pinned = after(change("opened", A), change("closed", A), change("pinned", reason="x" * 1000))
    again = after(change("pinned", reason="y"), change("pinned", reason="y"), start=pinned)
    assert again["pin"] == pinned["pin"]
    assert again["history"] == pinned["history"]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"old_releases_until": "13434-01-01T00:00:00Z"}, "old_releases_until is not a time"),
        ({"applications": {"x" * (1 << 20): "0"}}, "bytes, and more than 1048576 are not read"),
        ({"pin": {"reason": "\udcff"}}, "surrogates not allowed"),
        ({"drained": [1]}, "drained contains an invalid value"),
    ],
)
def test_a_record_that_nobody_could_read_is_not_written(wrong: t.Any, message: str, tmp_path: Path) -> None:
    good = after(change("opened", A))
    record.write(str(tmp_path), good, *ids())
    with pytest.raises(NodeError, match=message):
        record.write(str(tmp_path), {**good, **wrong}, *ids())
    assert record.read(str(tmp_path), *ids()) == good


def old_record() -> t.Any:
    """As an earlier version wrote it."""
    value = after(change("opened", A), change("closed", A))
    for name in ("lease", "passed", "old_releases_until"):
        del value[name]
    return {**value, "format": 1}


def test_a_record_of_the_earlier_format_is_raised_when_every_node_has_the_new_helper(tmp_path: Path) -> None:
    (tmp_path / record.FILE_NAME).write_text(json.dumps(old_record()))
    value = record.read(str(tmp_path), *ids())
    assert value is not None
    assert refused(A, value) == ""
    # The helper of the earlier version must be able to read it until it is replaced.
    rolling = after(change("opened", B), change("passed"), start=value)
    assert rolling["format"] == 1
    back = after(change("closed", B, nodes={"n1": B}, operation="rollback", take_over="test"), start=rolling)
    assert back["format"] == 1
    # Without the nodes nobody knows which helper they have.
    assert after(change("closed", B), start=rolling)["format"] == 1
    closed = after(change("closed", B, nodes={"n1": B}), start=rolling)
    assert closed["format"] == 2
    assert record.empty("demo")["format"] == 2


def test_applications_are_remembered_once() -> None:
    value = after(change("deployed", applications={"b.zip": "2", "a.zip": "1"}))
    assert list(value["applications"].items()) == [("a.zip", "1"), ("b.zip", "2")]
    event = value["history"][-1]
    assert (event["operation"], event["applications"]) == ("deployed", "a.zip, b.zip")
    again = after(change("deployed", applications={"a.zip": "1", "b.zip": "2"}), start=value)
    assert again == value


def test_the_states_that_drained_nodes_had_before_are_kept_until_they_are_used_again() -> None:
    first = {"lb1/engine_nodes": "drain", "lb2/engine_nodes": "ready"}
    value = after(change("drained", drained=["a"], drained_states={"a": first}))
    assert value["drained_states"] == {"a": first}
    # The next run that leaves it out finds the maintenance that this one has set; drain on lb2 is an operator's.
    second = {"lb1/engine_nodes": "maint", "lb2/engine_nodes": "drain", "lb3/engine_nodes": "maint"}
    value = after(change("drained", drained=["a", "b"], drained_states={"a": second}), start=value)
    assert value["drained_states"] == {"a": {**first, "lb2/engine_nodes": "drain", "lb3/engine_nodes": "maint"}}
    value = after(change("undrained", node="a"), start=value)
    assert (value["drained"], value["drained_states"]) == (["b"], {})
    with pytest.raises(NodeError, match="drained_states"):
        after(change("drained", drained=["a"], drained_states={"a": {"lb1/x": "off"}}))


def test_the_drain_of_a_run_is_not_taken_for_an_operators() -> None:
    first = after(change("drained", drained=["a"], drained_states={"a": {"lb1/x": "ready", "lb2/x": "closed"}}))
    # An operator has closed it there.
    assert first["drained_states"] == {"a": {"lb1/x": "ready", "lb2/x": "closed"}}
    again = change("drained", drained=["a"], drained_states={"a": {"lb1/x": "closed", "lb2/x": "ready"}})
    assert after(again, start=first)["drained_states"] == {"a": {"lb1/x": "ready", "lb2/x": "ready"}}


def test_of_a_node_that_an_operator_lets_in_again_only_what_others_have_set_is_kept() -> None:
    """Its own maintenance is to end, so nothing is known of it."""
    let_in = after(change("drained", drained=["a"]))
    states = {"lb1/x": "drain", "lb2/x": "maint", "lb3/x": "closed", "lb4/x": "ready"}
    value = after(change("drained", drained=["a"], drained_states={"a": states}), start=let_in)
    assert value["drained_states"] == {"a": {"lb1/x": "drain", "lb4/x": "ready"}}
    # Of a node that nobody has taken out, all of them.
    assert after(change("drained", drained=["a"], drained_states={"a": states}))["drained_states"] == {"a": states}


def test_a_node_that_is_used_again_leaves_the_others_their_states() -> None:
    states = {"a": {"lb1/x": "ready"}, "b": {"lb1/x": "drain"}}
    value = after(change("drained", drained=["a", "b"], drained_states=states), change("undrained", node="a"))
    assert (value["drained"], value["drained_states"]) == (["b"], {"b": states["b"]})


def test_a_run_has_to_say_which_nodes_it_drained() -> None:
    with pytest.raises(NodeError, match="name the drained nodes, or give an empty list"):
        after(change("drained"))


def test_drained_nodes_and_the_length_of_history() -> None:
    value = after(change("drained", drained=["b", "a", "b"]))
    assert value["drained"] == ["a", "b"]
    for number in range(150):
        value = after(change("opened", f"{number:032x}"), start=value)
    assert len(value["history"]) == record.HISTORY


def test_written_and_read(tmp_path: Path) -> None:
    assert record.read(str(tmp_path), *ids()) is None
    assert record.read(str(tmp_path / "away"), *ids()) is None
    value = after(change("opened", A))
    with record.locked(str(tmp_path), *ids()):
        record.write(str(tmp_path), value, *ids())
    assert record.read(str(tmp_path), *ids()) == value
    text = (tmp_path / "record.json").read_text()
    assert text == json.dumps(value, indent=2, sort_keys=True) + "\n"
    assert not list(tmp_path.glob(".ivy*"))


LEASE = lease.take(None, change("taken").claim()).lease
WRONG: tuple[dict[str, t.Any], ...] = (
    {"format": 0},
    {"format": True},
    {"format": "2"},
    {"format": 2.0},
    {"schema": {"migrating": []}},
    {"drained_states": {"n1": ["ready"]}},
    {"drained_states": {"n1": {"lb1/x": "ready", "lb2/x": "off"}}},
    {"passed": []},
    {"passed": {"n1": 1}},
    {"old_releases_until": 1},
    {"old_releases_until": "soon"},
    {"lease": []},
    {"lease": {}},
    {"lease": {**LEASE, "run_id": ""}},
    {"lease": {**LEASE, "owner": "x" * 2000}},
    {"lease": {**LEASE, "renewed": "noon"}},
    {"lease": {**LEASE, "stale_after": 1e9}},
    {"lease": {**LEASE, "stale_after": 10**9}},
)
DAMAGED = [b"", b"{", b"[]", b"\xff\xfe", b'{"format": 1, "history": 5}', b'{"format": 1']
DAMAGED += [json.dumps({"format": 2, **parts}).encode() for parts in WRONG]


@pytest.mark.parametrize("content", DAMAGED)
def test_a_damaged_record_is_refused_in_words(tmp_path: Path, content: t.Any) -> None:
    (tmp_path / "record.json").write_bytes(content)
    with pytest.raises(NodeError, match=r"damaged|format"):
        record.read(str(tmp_path), *ids())


@pytest.mark.parametrize(
    "parts",
    [
        {"format": 1},
        {"schema": {"engine_version": "11.3.0"}},
        {"schema": {"migrating": {"to": "12.0.9"}}},
        {"drained_states": {"n1": {}, "n2": {"lb1/x": "ready", "lb2/x": "maint"}}},
    ],
)
def test_what_a_record_may_have_is_read(parts: t.Any) -> None:
    value = record.parse(json.dumps({**record.empty("demo"), **parts}).encode(), "here")
    assert {name: value[name] for name in parts} == parts


def test_the_longest_record_can_be_written_and_read_and_no_longer_one(tmp_path: Path) -> None:
    value = {**record.empty("demo"), "applications": {"x": ""}}
    room = (1 << 20) - len(record.to_bytes(value, "here"))
    longest = {**value, "applications": {"x": "y" * room}}
    record.write(str(tmp_path), longest, *ids())
    assert (tmp_path / record.FILE_NAME).stat().st_size == 1 << 20
    assert record.read(str(tmp_path), *ids()) == longest
    with pytest.raises(NodeError, match="more than 1048576 are not read"):
        record.write(str(tmp_path), {**value, "applications": {"x": "y" * (room + 1)}}, *ids())


def test_the_record_is_durable_and_closed_to_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = os.umask(0)
    synchronised: list[int] = []
    genuine = os.fsync

    def synchronise(fd: int) -> None:
        synchronised.append(fd)
        genuine(fd)

    monkeypatch.setattr(os, "fsync", synchronise)
    try:
        with record.locked(str(tmp_path), *ids()):
            record.write(str(tmp_path), record.empty("demo"), *ids())
    finally:
        os.umask(before)
    for name in (record.FILE_NAME, record.LOCK_NAME):
        assert (tmp_path / name).stat().st_mode & 0o777 == 0o640
    assert synchronised


def test_what_cannot_hold_the_record_is_named(tmp_path: Path) -> None:
    with pytest.raises(NodeError, match="away does not exist, so the cluster record cannot be written there"):
        record.write(str(tmp_path / "away"), record.empty("demo"), *ids())
    (tmp_path / "file").write_text("")
    with pytest.raises(NodeError, match="file is not a directory"):
        record.read(str(tmp_path / "file"), *ids())
    (tmp_path / record.LOCK_NAME).mkdir()
    with pytest.raises(NodeError, match=r"record\.lock cannot be opened"), record.locked(str(tmp_path), *ids()):
        pass


def test_a_share_that_fails_is_named_with_what_to_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_arguments: t.Any) -> t.NoReturn:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(record, "read_at", fail)
    with pytest.raises(NodeError, match=r"The cluster record \S+/record\.json cannot be read \(Input/output error\)"):
        record.read(str(tmp_path), *ids())
    monkeypatch.setattr(record, "open_directory", fail)
    words = rf"The directory of the cluster record {tmp_path} cannot be opened \(Input/output error\)\. .*mount -a"
    with pytest.raises(NodeError, match=words):
        record.read(str(tmp_path), *ids())
    with pytest.raises(NodeError, match=words), record.locked(str(tmp_path), *ids()):
        pass


def test_a_share_without_locks_is_named_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    def flock(_fd: int, _how: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", flock)
    with (
        pytest.raises(NodeError, match=r"does not support locks .*No locks available"),
        record.locked(str(tmp_path), *ids()),
    ):
        pass
    assert clock.naps == []


def test_a_record_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    (tmp_path / "record.json").write_text('{"format": 3}')
    with pytest.raises(NodeError, match="newer version"):
        record.read(str(tmp_path), *ids())


def test_what_is_planted_instead_of_a_record_is_not_followed(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("{}")
    share = tmp_path / "share"
    share.mkdir()
    (share / "record.json").symlink_to(secret)
    with pytest.raises(NodeError, match="cannot be read"):
        record.read(str(share), *ids())
    (share / "record.json").unlink()
    os.mkfifo(share / "record.json")
    with pytest.raises(NodeError, match="not a regular file"):
        record.read(str(share), *ids())


def test_two_writers_do_not_meet(tmp_path: Path, clock: Clock) -> None:
    held = record.locked(str(tmp_path), *ids())
    with held, pytest.raises(NodeError, match="another run"), record.locked(str(tmp_path), *ids(), seconds=60):
        pass
    assert sum(clock.naps) == pytest.approx(60, abs=0.2)


def test_a_share_that_is_away_is_named(tmp_path: Path) -> None:
    with (
        pytest.raises(NodeError, match="Is the file share mounted") as caught,
        record.locked(str(tmp_path / "away"), *ids()),
    ):
        pass
    # It says what to run.
    assert f"findmnt --target {tmp_path}/away; to mount it, run: mount -a" in str(caught.value)
    assert "mount -a" in fence.refusal(A, None, "demo", "n1")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as somebody else")
def test_root_writes_as_the_engines_user() -> None:
    # pytest's own directories are closed to other users.
    with tempfile.TemporaryDirectory() as base:
        os.chmod(base, 0o755)
        share = Path(base) / "share"
        share.mkdir(mode=0o700)
        os.chown(share, 12345, 12345)
        with record.locked(str(share), 12345, 12345) as now:
            assert now == (share / record.LOCK_NAME).stat().st_mtime
            record.write(str(share), after(change("opened", A)), 12345, 12345)
        assert os.geteuid() == 0
        assert (share / "record.json").stat().st_uid == 12345
        assert (record.read(str(share), 12345, 12345) or {})["desired_release"] == A


class TestFenceAtTheStart:
    """The step before the engine's start, on real files."""

    def apply(self, node: t.Any, text: t.Any = b"1") -> t.Any:
        release = node.build({"engine:configuration/ivy.yaml": node.File(b"A: " + text + b"\n", "yaml", "keys")})
        node.apply(release)
        node.record.mkdir(exist_ok=True)
        return release

    def roll(self, node: t.Any, *changes: t.Any) -> t.Any:
        value = record.read(str(node.record), *ids()) or record.empty("demo")
        record.write(str(node.record), after(*changes, start=value), *ids())

    def test_without_a_record_nobody_starts(self, node: t.Any) -> None:
        self.apply(node)
        assert "no cluster record" in node.start(fence=True)
        assert not (node.run / "started.json").exists()

    def test_the_wanted_release_starts(self, node: t.Any) -> None:
        release = self.apply(node)
        self.roll(node, change("opened", release.id), change("closed", release.id))
        assert node.start(fence=True) == ""

    def test_a_node_that_was_away_does_not_start_until_it_is_brought_up_to_date(self, node: t.Any) -> None:
        release = self.apply(node)
        self.roll(node, change("opened", release.id), change("closed", release.id))
        self.roll(node, change("opened", B), change("closed", B))
        assert f"has release {release.id}, the cluster wants {B}" in node.start(fence=True)

    def test_during_a_rollout_the_old_one_may_start(self, node: t.Any) -> None:
        release = self.apply(node)
        self.roll(node, change("opened", release.id), change("closed", release.id), change("opened", B))
        assert node.start(fence=True) == ""

    def test_a_damaged_record_keeps_everybody_out(self, node: t.Any, capsys: pytest.CaptureFixture[str]) -> None:
        self.apply(node)
        (node.record / "record.json").write_text("{")
        assert "damaged" in node.start(fence=True)

    def test_a_node_to_which_nothing_was_applied(self, node: t.Any) -> None:
        self.apply(node)
        (node.store / "applied.json").unlink()
        assert "No release was ever applied" in node.start()


def test_no_more_is_read_than_a_record_can_have(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (tmp_path / record.FILE_NAME).open("wb") as stream:
        stream.truncate(8 << 20)
    lengths: list[int] = []
    real = os.read

    def read(fd: int, length: int) -> bytes:
        block = real(fd, length)
        lengths.append(len(block))
        return block

    monkeypatch.setattr(os, "read", read)
    monkeypatch.setattr(bounded, "call", lambda function, _seconds: function())
    with pytest.raises(NodeError, match="larger than any record"):
        record.read(str(tmp_path), os.geteuid(), os.getegid())
    assert sum(lengths) < 2 << 20


@pytest.mark.parametrize("limit", [lease.SHORTEST, lease.LONGEST])
def test_the_limits_of_a_lease_belong_to_it(limit: int) -> None:
    claim = change("taken", stale_after=limit).claim()
    taken = lease.take(None, claim).lease
    assert lease.problem(taken) == ""
    assert lease.problem({**taken, "owner": "x" * 1000}) == ""
    renewed = lease.seconds(taken["renewed"])
    assert not lease.is_stale(taken, renewed + limit)
    assert lease.is_stale(taken, renewed + limit + 1)
    # The same run takes it again, as after a lost connection.
    assert lease.take(taken, claim).lease["run_id"] == taken["run_id"]


def test_a_renewal_keeps_what_it_does_not_name() -> None:
    taken = lease.take(None, change("taken", stale_after=100).claim()).lease
    named = lease.renew(taken, change("taken", step="stop", node="n1", stale_after=100).claim())
    kept = lease.renew(named, change("taken", step="", node="", stale_after=0).claim())
    assert (kept["step"], kept["node"], kept["stale_after"]) == ("stop", "n1", 100)


def test_a_removed_node_is_forgotten_and_does_not_start_until_a_run_starts_it() -> None:
    value = after(
        change("opened", A, operation="site"),
        change("passed", node="n2"),
        change("drained", drained=["n2"], drained_states={"n2": {"lb1/x": "ready"}}),
    )
    value["durations"] = [{"kind": "start", "node": node, "seconds": 90} for node in ("n1", "n2")]
    removed = after(change("removed", operation="remove_node", node="n2"), start=value)
    assert (removed["passed"], removed["drained"], removed["drained_states"]) == ({}, [], {})
    assert [entry["node"] for entry in removed["durations"]] == ["n1"]
    assert removed["history"][-1] == {
        "time": removed["removed"]["n2"],
        "operation": "remove_node",
        "release": A,
        "owner": "admin",
        "node": "n2",
    }
    # Once more, later.
    again = after(change("removed", operation="remove_node", node="n2", now=NOON + HOUR), start=removed)
    assert {**again, "lease": None} == {**removed, "lease": None}

    assert "was removed from the cluster" in fence.refusal(A, removed, "demo", "n2")
    assert fence.refusal(A, removed, "demo", "n1") == ""
    started = after(change("renewed", operation="add_node", node="n2", step="start"), start=removed)
    assert started["removed"] == {}
    assert fence.refusal(A, started, "demo", "n2") == ""
    # Only the start of this node counts.
    for other in ({"node": "n1", "step": "start"}, {"node": "n2", "step": "stop"}):
        assert after(change("renewed", **other), start=removed)["removed"] == removed["removed"]


def test_a_forced_restart_does_not_wait_for_a_node_that_was_removed() -> None:
    value = after(change("restart_requested", operation="restart", restart=["n1", "n2"]))
    assert after(change("removed", operation="remove_node", node="n2"), start=value)["restarts"]["nodes"] == ["n1"]


def test_a_lease_without_an_owner_can_be_taken_over() -> None:
    held = record.apply(record.empty("demo"), change("taken", owner="", run_id="run2"))
    taken = record.apply(held, change("taken", take_over="it hangs"))
    assert taken["history"][-1]["from_owner"] == "unknown"


def test_no_more_removed_nodes_are_kept_than_events() -> None:
    value = record.empty("demo")
    for number in range(record.HISTORY + 5):
        value = after(change("removed", operation="remove_node", node=f"n{number}"), start=value)
    assert next(iter(value["removed"])) == "n5"
    assert len(value["removed"]) == record.HISTORY


def test_only_a_node_passes_and_only_with_a_release() -> None:
    rolling = after(change("opened", A), change("closed", A), change("opened", B))
    assert after(change("passed", node=""), start=rolling) == rolling
    assert after(change("passed", node="n1")) == record.empty("demo")


def test_the_backup_of_an_upgrade_is_kept_until_there_is_another() -> None:
    opened = upgrading(change("opened", B, "upgrade", engine_version=NEW))
    assert opened["operation"]["backup"] == "20261129T115500Z"
    other = upgrading(change("opened", B, "upgrade", engine_version=NEW, backup="20261130T115500Z"))
    assert other["operation"]["backup"] == "20261130T115500Z"
    # Without an operation there is nothing to which it belongs.
    done = after(change("opened", A), change("closed", A))
    assert after(change("opened", A, backup="20261129T115500Z"), start=done) == done


def test_an_added_node_is_in_the_history_as_such() -> None:
    value = after(change("opened", A), change("passed"), change("closed", A, nodes={"n1": A}))
    value = after(change("passed", operation="add_node", node="n2"), start=value)
    assert (value["history"][-1]["operation"], value["history"][-1]["reason"]) == ("add_node", "added")


@pytest.mark.parametrize("removed", [["n2"], {"n2": 1}])
def test_a_damaged_list_of_removed_nodes_is_an_error(removed: t.Any) -> None:
    with pytest.raises(NodeError, match="removed"):
        record.parse(json.dumps({**record.empty("demo"), "removed": removed}).encode(), "here")


def restored(value: t.Any, **more: t.Any) -> t.Any:
    return change("restored", A, operation="restore", restored=value, **more)


def test_a_restore_is_an_operation_also_with_the_same_release() -> None:
    """It stops and starts every engine, and until it is finished no other operation begins."""
    done = after(change("opened", A), change("closed", A))
    opened = after(change("opened", A, operation="restore", reason="backup x"), start=done)
    assert opened["operation"]["name"] == "restore"
    with pytest.raises(NodeError, match=r"run ivy\.cluster\.restore again"):
        after(change("opened", A), start=opened)
    with pytest.raises(NodeError, match="did not pass the gate"):
        after(change("closed", A, operation="restore", nodes={"n1": A}), start=opened)
    closed = after(
        change("passed", operation="restore"), change("closed", A, operation="restore", nodes={"n1": A}), start=opened
    )
    assert closed["operation"] is None
    assert closed["history"][-1]["operation"] == "restore done"


def test_a_restore_of_the_database_is_an_operation_and_its_reason_is_in_the_history() -> None:
    done = after(change("opened", A), change("closed", A))
    begin = change("opened", A, operation="restore_database", reason="to noon: cases deleted")
    opened = after(begin, start=done)
    assert opened["operation"]["name"] == "restore_database"
    assert (opened["history"][-1]["operation"], opened["history"][-1]["reason"]) == (
        "restore_database",
        "to noon: cases deleted",
    )
    # The same command continues it.
    assert after(begin, start=opened)["history"] == opened["history"]
    with pytest.raises(NodeError, match=r"run ivy\.cluster\.restore_database again"):
        after(change("opened", A), start=opened)
    # It replaces nothing but the database, so it does not take an open rollout over, and a pin stays.
    with pytest.raises(NodeError, match="Another operation is under way"):
        after(begin, start=after(change("opened", B), start=done))


def begin_database(target: str = "2027-01-15T07:00:00Z", timeline: int = 1, **more: t.Any) -> t.Any:
    given = {"target": target, "timeline": timeline, "left": 1}
    return change("opened", A, operation="restore_database", database=given, **more)


RESTORED = change("database_restored", operation="restore_database", database={"begun": 2})


def test_a_restore_that_has_restored_the_database_does_not_begin_again() -> None:
    done = after(change("opened", A), change("closed", A))
    opened = after(begin_database(), start=done)
    part = {"target": "2027-01-15T07:00:00Z", "timeline": 1, "left": 1, "restored": None, "system": ""}
    assert opened["operation"]["database"] == part
    # Until the database is restored, nobody works with it.
    assert after(begin_database(), start=opened) == opened
    other = after(begin_database("latest"), start=opened)
    assert other["operation"]["database"] == {**part, "target": "latest"}
    assert other["history"][-1]["operation"] == "restore_database"
    restored = after(RESTORED, start=opened)
    assert restored["operation"]["database"] == {**part, "restored": NOON_TEXT}
    entry = restored["history"][-1]
    assert [entry[name] for name in ("operation", "target", "timeline", "left", "begun")] == [
        "database restored",
        "2027-01-15T07:00:00Z",
        1,
        1,
        2,
    ]
    assert after(RESTORED, start=restored) == restored
    # The rollout of the continuation opens it as well, and keeps it.
    passed = after(
        change("opened", A, operation="restore_database"),
        change("passed", operation="restore_database"),
        start=restored,
    )
    assert passed["operation"]["database"] == restored["operation"]["database"]
    for begin in (begin_database(), begin_database("latest")):
        with pytest.raises(NodeError, match=r"was restored to 2027-01-15T07:00:00Z on timeline 1 at .* already"):
            after(begin, start=passed)
    for other in ("true", "2027-01-15T07:00:00Z"):
        with pytest.raises(NodeError, match=f"set restore_database_repeat: {NOON_TEXT}"):
            after(begin_database("latest", repeat=other), start=passed)
    second = after(begin_database("latest", repeat=NOON_TEXT), start=passed)
    assert second["operation"]["database"] == {**part, "target": "latest"}
    assert second["passed"] == {}


def replacing(files: t.Any = "/var/lib/postgresql/15/main") -> t.Any:
    return change("database_replacing", operation="restore_database", database={"files": files})


def test_nothing_but_a_restore_follows_a_database_that_is_half_restored() -> None:
    done = after(change("opened", A), change("closed", A))
    opened = after(begin_database(), start=done)
    # Its files are as they were.
    assert after(change("opened", A, take_over="given up"), start=opened)["operation"]["name"] == "site"
    half = after(replacing(), start=opened)
    assert half["operation"]["database"]["files"] == "/var/lib/postgresql/15/main"
    assert after(replacing(), start=half) == half
    for operation in ("site", "upgrade", "rollback"):
        with pytest.raises(NodeError, match="The database in /var/lib/postgresql/15/main is half restored"):
            after(change("opened", A, operation=operation, take_over="given up"), start=half)
    # Another attempt does not make them whole.
    other = after(begin_database("latest"), start=half)
    assert other["operation"]["database"]["files"] == half["operation"]["database"]["files"]
    restored = after(RESTORED, start=half)
    assert "files" not in restored["operation"]["database"]
    assert after(change("opened", A, take_over="given up"), start=restored)["operation"]["name"] == "site"
    assert "files" not in after(begin_database("latest", repeat=NOON_TEXT), start=restored)["operation"]["database"]
    for start in (done, restored):
        with pytest.raises(NodeError, match="No restore of the database is under way"):
            after(replacing(), start=start)
    # It has turned out that no file was changed.
    kept = after(change("database_kept", operation="restore_database"), start=half)
    assert kept == opened
    assert after(change("database_kept", operation="restore_database"), start=kept) == kept
    for start in (done, restored):
        with pytest.raises(NodeError, match="No restore of the database is under way"):
            after(change("database_kept", operation="restore_database"), start=start)
    for wrong in ("", "main", "/x\n", "/x y"):
        with pytest.raises(NodeError, match="not changed: the files of the database are not a directory"):
            after(replacing(wrong), start=opened)
    damaged = {**half, "operation": {**half["operation"], "database": {**half["operation"]["database"], "files": 7}}}
    with pytest.raises(NodeError, match="files of the database"):
        record.parse(json.dumps(damaged).encode(), "x")


def test_a_backup_that_is_brought_back_leaves_the_files_half_restored_until_it_has_exchanged_the_database() -> None:
    half = after(begin_database(), replacing(), start=after(change("opened", A), change("closed", A)))
    part = half["operation"]["database"]
    backup = after(change("opened", A, operation="restore"), start=half)
    assert (backup["operation"]["name"], backup["operation"]["database"]) == ("restore", part)
    record.parse(json.dumps(backup).encode(), "x")
    # The server may be an empty one. An engine would create its tables there.
    assert "ivy.cluster.restore." not in fence.refusal(A, backup, "demo", "n1")
    assert fence.refusal(A, backup, "demo", "n1").endswith("ansible-playbook ivy.cluster.restore")
    with pytest.raises(NodeError, match="is half restored"):
        after(change("opened", A, take_over="given up"), start=backup)
    # The run that it was taken over from may still be there.
    for late in (RESTORED, replacing(), change("database_kept", operation="restore_database")):
        with pytest.raises(NodeError, match="No restore of the database is under way"):
            after(late, start=backup)
    back = after(begin_database("latest", take_over="lost"), start=backup)
    assert back["operation"]["database"] == {**part, "target": "latest"}
    brought = after(change("restored", operation="restore", restored=record.empty("demo")), start=backup)
    assert "database" not in brought["operation"]
    assert fence.refusal(A, brought, "demo", "n1") == ""
    assert after(change("opened", A, take_over="given up"), start=brought)["operation"]["name"] == "site"


def test_no_reason_takes_the_lease_of_a_run_that_changes_the_files_of_the_database() -> None:
    opened = after(begin_database(), start=after(change("opened", A), change("closed", A)))
    working = [record.apply(one, change("taken", run_id="a")) for one in (opened, after(replacing(), start=opened))]
    for operation in ("site", "drain"):
        taking = change("taken", run_id="b", operation=operation, take_over="lost")
        assert record.apply(working[0], taking)["lease"]["run_id"] == "b"
        with pytest.raises(lease.LeaseError, match="is half restored, so no reason takes the lease from the run"):
            record.apply(working[1], taking)
        # That run has ended.
        for free in (taking._replace(ended_run="a"), taking._replace(now=NOON + 10000.0)):
            assert record.apply(working[1], free)["lease"]["run_id"] == "b"
    for operation in ("restore", "restore_database"):
        taking = change("taken", run_id="b", operation=operation, take_over="lost")
        assert record.apply(working[1], taking)["lease"]["run_id"] == "b"


def test_a_restore_in_the_history_names_the_server() -> None:
    given = {"target": "latest", "timeline": 1, "left": 1, "system": "7123456789012345678"}
    begin = change("opened", A, operation="restore_database", database=given)
    done = after(change("opened", A), change("closed", A))
    assert after(begin, RESTORED, start=done)["history"][-1]["system"] == "7123456789012345678"
    assert "system" not in after(begin_database(), RESTORED, start=done)["history"][-1]


def test_a_restore_that_took_another_operation_over_is_known_since_when() -> None:
    site = after(change("opened", A), start=after(change("opened", B), change("closed", B)))
    taken = after(begin_database(take_over="lost"), start=site)
    restored = after(RESTORED, start=taken)
    assert restored["history"][-1]["since"] == restored["operation"]["since"]


def test_no_engine_starts_while_the_database_is_being_restored() -> None:
    done = after(change("opened", A), change("closed", A))
    opened = after(begin_database(), start=done)
    # PostgreSQL may be there again before the run that restores it.
    for state in (opened, after(begin_database("latest"), start=opened)):
        assert "ivy.cluster.restore_database" in fence.refusal(A, state, "demo", "n1")
    restored = after(RESTORED, start=opened)
    assert fence.refusal(A, restored, "demo", "n1") == ""
    again = after(begin_database("latest", repeat=NOON_TEXT), start=restored)
    assert "is being restored since" in fence.refusal(A, again, "demo", "n1")
    taken = after(change("opened", A, operation="restore"), start=opened)
    assert fence.refusal(A, taken, "demo", "n1") == ""


def test_how_far_a_restore_of_the_database_came_belongs_to_that_operation() -> None:
    done = after(change("opened", A), change("closed", A))
    with pytest.raises(NodeError, match="No restore of the database is under way"):
        after(RESTORED, start=done)
    with pytest.raises(NodeError, match="not begun: the target"):
        after(begin_database("noon"), start=done)
    restored = after(begin_database(), RESTORED, start=done)
    taken = after(change("opened", A, operation="restore"), start=restored)
    assert "database" not in taken["operation"]
    back = after(begin_database(take_over="lost"), start=taken)
    assert back["operation"]["database"]["restored"] is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"target": "noon"},
        {"target": None},
        {"target": "2027-01-15T07:00:00Z" * 1000},
        {"timeline": "1"},
        {"timeline": True},
        {"left": -1},
        {"left": 2**32},
        {"restored": "yesterday"},
        {"restored": 1},
        {"system": 7},
        {"system": "x"},
    ],
)
def test_a_record_that_does_not_say_how_far_the_restore_came_is_refused(wrong: dict[str, t.Any]) -> None:
    start = after(change("opened", A), change("closed", A))
    valid = after(begin_database(), RESTORED, start=start)
    record.parse(json.dumps(valid).encode(), "here")
    valid["operation"]["database"].update(wrong)
    with pytest.raises(NodeError, match="is damaged"):
        record.parse(json.dumps(valid).encode(), "here")
    valid["operation"]["database"] = []
    with pytest.raises(NodeError, match="is damaged"):
        record.parse(json.dumps(valid).encode(), "here")


def test_a_restore_replaces_a_pin_and_an_open_rollout() -> None:
    done = after(change("opened", A), change("closed", A))
    pinned = after(change("pinned", A, reason="freeze"), start=done)
    left = after(change("opened", B, operation="rollback"), start=pinned)
    opened = after(change("opened", C, operation="restore"), start=left)
    assert (opened["operation"]["name"], opened["desired_release"]) == ("restore", C)
    assert after(restored(done), start=opened)["pin"] is None


def test_a_restored_record_keeps_the_lease_and_the_operation() -> None:
    backup = after(
        change("opened", A),
        change("closed", A),
        change("schema_created", engine_version="11.3.0"),
        change("deployed", applications={"demo.zip": "1"}),
    )
    today = after(change("opened", B, now=NOON + HOUR), change("drained", drained=["n2"], now=NOON + HOUR))
    today = after(change("deploying", applications={"demo.zip": "2"}, now=NOON + HOUR), start=today)
    assert today["deploying"]["applications"] == {"demo.zip": "2"}
    opened = after(change("opened", A, operation="restore", now=NOON + HOUR), start=today)
    held = record.apply(opened, restored(backup)._replace(state="taken", now=NOON + HOUR))
    found = record.apply(held, restored(backup, now=NOON + HOUR))
    assert found["lease"]["run_id"] == "run1"
    assert (found["operation"]["name"], found["desired_release"], found["drained"]) == ("restore", A, ["n2"])
    assert (found["schema"], found["applications"]) == (backup["schema"], {"demo.zip": "1"})
    # The restored engines start with their own applications.
    assert (found["deploying"], found["isolated"]) == (None, None)
    assert [entry["operation"] for entry in found["history"]][:2] == ["site", "site done"]
    assert found["history"][-1]["operation"] == "restored"
    again = record.apply(found, restored(backup, now=NOON + HOUR))
    assert len(again["history"]) == len(found["history"]) + 1


def test_the_history_after_a_restore_is_in_the_order_of_time() -> None:
    today = after(change("opened", A), change("closed", A))
    backup = after(change("opened", B, operation="rollout", now=NOON + HOUR))
    backup["history"].append({"operation": "of an unknown time"})
    found = after(restored(backup, now=NOON + 2 * HOUR, reason="backup x"), start=today)
    names = [entry["operation"] for entry in found["history"]]
    assert names == ["of an unknown time", "site", "site done", "rollout", "restored"]
    assert found["history"][-1]["reason"] == "backup x"


def test_a_damaged_record_of_a_backup_is_refused() -> None:
    with pytest.raises(NodeError, match="damaged"):
        after(restored({"format": 1, "cluster": "demo", "pin": 7}))
    with pytest.raises(NodeError, match="restored"):
        after(restored(None))


def test_an_isolated_cluster_is_isolated_until_it_goes_live() -> None:
    isolated = after(restored(record.empty("demo"), isolated=True, reason="backup x"))
    assert isolated["isolated"] == {"since": NOON_TEXT, "owner": "admin", "reason": "backup x"}
    # Before the restore, while the nodes are set to maintenance.
    assert after(change("isolated", reason="backup x")) == {**record.empty("demo"), "isolated": isolated["isolated"]}
    assert after(change("isolated", now=NOON + HOUR), start=isolated)["isolated"] == isolated["isolated"]
    live = after(change("live", operation="go_live", reason="it was tried out"), start=isolated)
    event = live["history"][-1]
    assert (live["isolated"], event["operation"], event["reason"]) == (None, "live", "it was tried out")
    assert after(change("live", operation="go_live"), start=live) == live
    with pytest.raises(NodeError, match="damaged"):
        record.parse(json.dumps({**record.empty("demo"), "isolated": 1}).encode(), "x")


OLD, NEW = "11.3.0", "12.0.9"


def upgrading(*more: t.Any) -> t.Any:
    """An upgrade that was opened, and what followed."""
    before = after(
        change("opened", A, engine_version=OLD), change("schema_created", engine_version=OLD), change("closed", A)
    )
    opened = change("opened", B, "upgrade", engine_version=NEW, backup="20261129T115500Z", now=NOON + HOUR)
    return after(opened, *more, start={**before, "applications": {"demo.zip": "1"}})


BEGUN = change("migration_begun", operation="upgrade", engine_version=NEW)
MIGRATED = change("migrated", operation="upgrade", engine_version=NEW)


def test_only_an_upgrade_or_a_restore_brings_another_version_to_the_database() -> None:
    before = after(change("opened", A), change("schema_created", engine_version=OLD), change("closed", A))
    for operation in ("site", "rollout", "rollback", "restart"):
        with pytest.raises(NodeError, match=r"database is that of engine 11\.3\.0.*run ivy\.cluster\.upgrade"):
            after(change("opened", B, operation, engine_version=NEW), start=before)
        after(change("opened", B, operation, engine_version=OLD), start=before)
        after(change("opened", B, operation), start=before)
    for operation in ("upgrade", "restore"):
        assert after(change("opened", B, operation, engine_version=NEW), start=before)["engine_version"] == NEW


def test_until_the_migration_begins_the_earlier_release_may_start() -> None:
    opened = upgrading()
    assert opened["operation"]["backup"] == "20261129T115500Z"
    assert fence.refusal(A, opened, "demo", "n1") == ""
    assert fence.refusal(B, opened, "demo", "n1") == ""
    undone = after(change("opened", A, "upgrade", engine_version=OLD), start=opened)
    assert (undone["desired_release"], undone["engine_version"]) == (A, OLD)
    with pytest.raises(NodeError, match=r"run ivy\.cluster\.upgrade again"):
        after(change("opened", A, engine_version=OLD), start=opened)


def test_no_engine_starts_while_the_database_is_migrated() -> None:
    begun = upgrading(BEGUN)
    assert begun["schema"]["engine_version"] == OLD
    assert begun["schema"]["migrating"]["backup"] == "20261129T115500Z"
    for release in (A, B):
        assert "is being migrated to engine 12.0.9" in fence.refusal(release, begun, "demo", "n1")
    taken_over = change("opened", A, engine_version=OLD, take_over="it is late")
    with pytest.raises(NodeError, match=r"was begun at .* restore backup 20261129T115500Z"):
        after(taken_over, start=begun)
    assert upgrading(BEGUN, BEGUN) == begun
    by_hand = after(BEGUN, start=after(change("schema_created", engine_version=OLD)))
    assert by_hand["schema"]["migrating"]["backup"] == ""
    with pytest.raises(NodeError, match="restore backup of before"):
        after(change("opened", A, engine_version=OLD), start=by_hand)


def test_after_the_migration_only_the_new_release_starts() -> None:
    done = upgrading(BEGUN, MIGRATED)
    assert "migrating" not in done["schema"]
    assert (done["schema"]["engine_version"], done["schema"]["migrated_from"]) == (NEW, OLD)
    assert done["schema"]["backup"] == "20261129T115500Z"
    # A restore recognises the cluster by it.
    assert done["schema"]["created_at"] == upgrading()["schema"]["created_at"]
    assert fence.refusal(B, done, "demo", "n1") == ""
    assert "the cluster wants" in fence.refusal(A, done, "demo", "n1")
    assert done["applications"] == {"demo.zip": "1"}
    assert upgrading(BEGUN, MIGRATED, MIGRATED) == upgrading(BEGUN, MIGRATED, BEGUN) == done
    assert after(MIGRATED) == record.empty("demo")
    assert upgrading(BEGUN, MIGRATED._replace(applications={}))["applications"] == {}
    assert [entry["operation"] for entry in done["history"]][-2:] == ["migration begun", "migrated"]


def test_nothing_is_migrated_before_the_tables_are_there() -> None:
    with pytest.raises(NodeError, match="not created yet"):
        after(change("opened", A, "upgrade"), BEGUN)


@pytest.mark.parametrize("release", ["r" * 129, "r\n", "\ud800", "r\x1b[2J"])
@pytest.mark.parametrize("name", ["desired_release", "previous_release", "allowed_releases", "passed", "pin"])
def test_a_release_that_is_not_a_short_text_damages_the_record(name: str, release: str) -> None:
    """It would come into the journal, the state of the guard and the labels of a metric."""
    values: dict[str, t.Any] = {"allowed_releases": [release], "passed": {"n1": release}, "pin": {"release": release}}
    text = json.dumps({**record.empty("demo"), name: values.get(name, release)})
    with pytest.raises(NodeError, match="a release is not a text of at most 128 printable characters"):
        record.parse(text.encode(), "here")


def test_a_pin_of_something_else_damages_the_record() -> None:
    with pytest.raises(NodeError, match="a release is not a text"):
        record.parse(json.dumps({**record.empty("demo"), "pin": {"release": ["r"]}}).encode(), "here")
