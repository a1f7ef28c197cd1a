# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lease by itself: what it says, and where its limits are. How runs change the record with it is in test_record."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.ivy.cluster.plugins.module_utils.node.cluster import lease

NOON = 1_800_000_000.0


def claim(**more: t.Any) -> lease.Claim:
    values = {"owner": "kim", "operation": "site", "step": "stop", "node": "n1", "now": NOON, "stale_after": 900}
    return lease.Claim(**{"run_id": "run1", **values, **more})


HELD = lease.take(None, claim()).lease


@pytest.mark.parametrize(("later", "minutes"), [(0, 15), (300, 10), (331, 9), (899, 1)])
def test_a_refused_run_learns_who_works_and_when_it_can_take_over(later: int, minutes: int) -> None:
    with pytest.raises(lease.LeaseError) as caught:
        lease.take(HELD, claim(run_id="run2", now=NOON + later))
    assert str(caught.value).startswith("Another run changes the cluster: site of kim, since 2027-")
    assert f"it can be taken over in {minutes} min, or at once" in str(caught.value)
    assert caught.value.lease == HELD


def test_the_time_until_it_can_be_taken_over_is_in_minutes() -> None:
    with pytest.raises(lease.LeaseError, match="it can be taken over in 600 min"):
        lease.take(lease.take(None, claim(stale_after=36000)).lease, claim(run_id="run2"))


def test_a_run_that_has_lost_the_lease_learns_who_has_it() -> None:
    with pytest.raises(lease.LeaseError) as caught:
        lease.renew(HELD, claim(run_id="run2"))
    assert str(caught.value).startswith("This run has lost the lease of the cluster")
    assert caught.value.lease == HELD


def test_a_lease_is_described_as_far_as_it_is_known() -> None:
    times = f"since {HELD['started']}, last sign of life {HELD['renewed']}"
    assert lease.describe(HELD) == f"site of kim, {times}, step: stop on n1"
    unnamed = {**HELD, "operation": "", "owner": "", "step": "", "node": ""}
    assert lease.describe(unnamed) == f"an operation of an unknown user, {times}"


def test_the_run_that_holds_the_lease_is_known() -> None:
    assert lease.run_of({"lease": HELD}) == "run1"
    assert lease.run_of({"lease": None}) == ""
    assert lease.run_of(None) == ""


def test_where_nobody_has_the_lease_nothing_is_wrong() -> None:
    assert lease.problem(None) == ""


@pytest.mark.parametrize("limit", ["900", 900.0, None, True, 59, 86401])
def test_only_whole_seconds_within_the_limits_are_read(limit: t.Any) -> None:
    assert lease.problem({**HELD, "stale_after": limit}) == "lease.stale_after is not a number of seconds"


def test_a_renewal_takes_over_what_it_names() -> None:
    renewed = lease.renew(HELD, claim(step="start", node="n2", stale_after=1200, now=NOON + 60))
    assert (renewed["step"], renewed["node"], renewed["stale_after"]) == ("start", "n2", 1200)
    assert lease.seconds(renewed["renewed"]) == NOON + 60
    assert (renewed["run_id"], renewed["started"]) == ("run1", HELD["started"])
