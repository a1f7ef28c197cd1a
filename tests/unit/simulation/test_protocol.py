# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The protocol of record, lease and fence under losses, in schedules that are made by chance but repeatable."""

from __future__ import annotations

import os
import typing as t

import hypothesis
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from ansible_collections.ivy.cluster.plugins.module_utils.node.cluster import fence, lease, record
from ansible_collections.ivy.cluster.tests.unit.simulation import role
from ansible_collections.ivy.cluster.tests.unit.simulation.world import (
    NODES,
    RELEASES,
    STALE_AFTER,
    Violation,
    World,
    random_schedule,
    repair,
)

# SIMULATION_SCHEDULES=10000 is the long run, about half a minute.
SCHEDULES = int(os.environ.get("SIMULATION_SCHEDULES", "300"))
# Within this many schedules each fault below is found.
SEARCHED = 1000


def broken_promise(seeds: t.Iterable[int], mutations: t.Iterable[str] = ()) -> str:
    """What went wrong first, and in which schedule; empty if nothing did."""
    seed = -1
    try:
        for seed in seeds:
            random_schedule(seed, mutations)
    except Violation as exc:
        return f"random_schedule({seed}): {exc}"
    return ""


def test_random_schedules_keep_every_promise() -> None:
    assert broken_promise(range(SCHEDULES)) == ""


def test_a_schedule_can_be_repeated() -> None:
    assert random_schedule(7).record == random_schedule(7).record


def test_the_schedules_reach_what_they_are_about() -> None:
    """Without rollouts that end, that are cut off and that are taken over, nothing would be proved."""
    events = [event for seed in range(100) for event in random_schedule(seed).record["history"]]
    names = {event["operation"] for event in events}
    assert {"site", "site done", "rollback", "rollback done", "take over"} <= names
    reasons = {str(event.get("reason", "")).partition(" since")[0] for event in events}
    assert {"it hangs", "its run has ended", "no sign of life"} <= reasons


class Fault(t.NamedTuple):
    """A fault of the earlier code, or one that would be like it."""

    name: str
    put_in: t.Callable[[pytest.MonkeyPatch], None]
    mutations: tuple[str, ...] = ()


def nothing(_patch: pytest.MonkeyPatch) -> None:
    pass


def no_check(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(lease, "renew", lambda held, claim: held or lease._new(claim))


def no_refusal(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(lease, "take", lambda _held, claim: lease.Taken(lease._new(claim)))


def rollback_takes_over(patch: pytest.MonkeyPatch) -> None:
    real = lease.take

    def take(held: t.Any, claim: lease.Claim) -> lease.Taken:
        return real(held, claim._replace(reason="rolled back") if claim.operation == record.ROLLBACK else claim)

    patch.setattr(lease, "take", take)


def never_stale(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(lease, "is_stale", lambda _held, _now: False)


def passed_is_ignored(patch: pytest.MonkeyPatch) -> None:
    real = fence.replaced
    patch.setattr(fence, "replaced", lambda found, node: real({**found, "passed": {}}, node))


def no_end(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(fence, "is_over", lambda _found, _now: False)


def after_each(
    patch: pytest.MonkeyPatch, change_of: t.Callable[[record.Record, record.Record, record.Change], None]
) -> None:
    real = record.apply

    def apply(before: record.Record, change: record.Change) -> record.Record:
        after = real(before, change)
        change_of(before, after, change)
        return after

    patch.setattr(record, "apply", apply)


def only_the_last(patch: pytest.MonkeyPatch) -> None:
    def change_of(_before: record.Record, after: record.Record, change: record.Change) -> None:
        if change.state == "opened":
            after["allowed_releases"] = after["allowed_releases"][-1:]

    after_each(patch, change_of)


def not_emptied(patch: pytest.MonkeyPatch) -> None:
    def change_of(before: record.Record, after: record.Record, change: record.Change) -> None:
        if change.state == "closed":
            after["allowed_releases"] = before["allowed_releases"]

    after_each(patch, change_of)


def passed_is_kept(patch: pytest.MonkeyPatch) -> None:
    def change_of(before: record.Record, after: record.Record, change: record.Change) -> None:
        if change.state == "closed":
            after["passed"] = before["passed"]

    after_each(patch, change_of)


def absent_stay(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(role, "takes_out", lambda *_found: False)


def unlisted_passes(patch: pytest.MonkeyPatch) -> None:
    real = role.is_settled
    patch.setattr(role, "is_settled", lambda listed, *found: not listed or real(listed, *found))


def gate_is_skipped(patch: pytest.MonkeyPatch) -> None:
    real = role.plan
    patch.setattr(role, "plan", lambda *found: real(*found)._replace(gate=False))


def any_release_serves(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(role, "may_serve", lambda *_found: True)


FAULTS = [
    Fault("the lease is not checked", no_check),
    Fault("the lease is taken from anybody", no_refusal),
    Fault("a rollback takes over a run at work", rollback_takes_over),
    Fault("a lease never ends", never_stale),
    Fault("nodes that are left out stay in the balancers", absent_stay),
    Fault("a node that no balancer lists passes", unlisted_passes),
    Fault("a run after a failed gate skips the gate", gate_is_skipped),
    Fault("a node that kept running with a replaced release is brought back", any_release_serves),
    Fault("an engine is stopped while users are on it", nothing, ("not drained",)),
    Fault("a run takes a lease that it has lost again", nothing, ("taken twice",)),
    Fault("a release that others have rolled out since is not noticed", nothing, ("not compared",)),
    Fault("a node that has passed may go back", passed_is_ignored),
    Fault("replaced releases have no end", no_end),
    Fault("only the last replaced release is allowed", only_the_last),
    Fault("replaced releases outlast the rollout", not_emptied),
    Fault("passed nodes outlast the rollout", passed_is_kept),
]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_every_fault_is_found(fault: Fault, monkeypatch: pytest.MonkeyPatch) -> None:
    fault.put_in(monkeypatch)
    assert broken_promise(range(SEARCHED), fault.mutations) != ""


class Protocol(RuleBasedStateMachine):
    """The same world. Hypothesis chooses what happens, and shortens a schedule that breaks a promise."""

    world: World

    @initialize(nodes=st.integers(2, 5), controllers=st.integers(2, 3))
    def create(self, nodes: int, controllers: int) -> None:
        self.world = World(nodes, controllers)

    def node(self, number: int) -> t.Any:
        return list(self.world.nodes.values())[number % len(self.world.nodes)]

    def controller(self, number: int) -> int:
        return number % len(self.world.controllers)

    @rule(
        controller=st.integers(0, 2),
        operation=st.sampled_from(["site", "rollback", "backup"]),
        release=st.sampled_from(RELEASES),
        left_out=st.frozensets(st.sampled_from(NODES), max_size=1),
        reason=st.sampled_from(["", "", "it hangs"]),
        hot=st.booleans(),
        steps=st.integers(1, 60),
    )
    def begin(
        self,
        controller: int,
        operation: str,
        release: str,
        left_out: frozenset[str],
        reason: str,
        hot: bool,
        steps: int,
    ) -> None:
        number = self.controller(controller)
        self.world.begin(number, operation, release, left_out & set(self.world.nodes), reason, hot)
        for _step in range(steps):
            self.world.step(number)

    @rule(controller=st.integers(0, 2), steps=st.integers(1, 30))
    def proceed(self, controller: int, steps: int) -> None:
        for _step in range(steps):
            self.world.step(self.controller(controller))

    @rule(controller=st.integers(0, 2))
    def repeat(self, controller: int) -> None:
        self.world.repeat(self.controller(controller))

    @rule(controller=st.integers(0, 2))
    def kill(self, controller: int) -> None:
        self.world.kill(self.controller(controller))

    @rule(seconds=st.sampled_from([1, 60, STALE_AFTER - 1, STALE_AFTER + 1, 13 * 3600, 25 * 3600, -60, -3600]))
    def wait(self, seconds: int) -> None:
        self.world.wait(seconds)

    @rule(number=st.integers(0, 4), what=st.sampled_from(["ssh", "share", "listed"]))
    def lose(self, number: int, what: str) -> None:
        setattr(self.node(number), what, False)

    @rule(number=st.integers(0, 4))
    def break_engine(self, number: int) -> None:
        self.node(number).bad = True

    @rule(number=st.integers(0, 4))
    def lose_power(self, number: int) -> None:
        self.world.power(self.node(number), False)

    @rule(number=st.integers(0, 4))
    def crash(self, number: int) -> None:
        self.world.crash(self.node(number))

    @rule(number=st.integers(0, 4), image=st.integers(0, 7))
    def restore(self, number: int, image: int) -> None:
        self.world.restore(self.node(number), image)

    @rule(number=st.integers(0, 4))
    @precondition(
        lambda self: not all(one.ssh and one.share and one.powered and not one.bad for one in self.world.nodes.values())
    )
    def repair(self, number: int) -> None:
        repair(self.world, self.node(number))

    def teardown(self) -> None:
        if hasattr(self, "world"):
            self.world.finish()


TestProtocol = Protocol.TestCase
TestProtocol.settings = hypothesis.settings(max_examples=50, stateful_step_count=40, deadline=None)
