# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A deployment that was not completed, in the cluster record."""

from __future__ import annotations

import json
import typing as t

import pytest

from ansible_collections.ivy.cluster.plugins.module_utils.node.cluster import record

NOON = 1_800_000_000.0
APPLICATIONS = {"demo.zip": "a" * 64}
DEPLOYING = {"since": "2027-01-15T08:00:00Z", "owner": "admin", "applications": APPLICATIONS}


def after(*states: dict[str, t.Any], start: t.Any = None) -> t.Any:
    value = start or record.empty("demo")
    for state in ({"state": "taken"}, *states, {"state": "released"}):
        fields = {"run_id": "run1", "owner": "admin", "now": NOON, "operation": "deploy", **state}
        value = record.apply(value, record.Change(**fields))
    return value


def read(value: t.Any) -> t.Any:
    return record.parse(json.dumps(value).encode(), "record.json")


def test_a_deployment_is_known_until_every_node_has_the_applications() -> None:
    begun = after({"state": "deploying", "applications": APPLICATIONS})
    assert read(begun)["deploying"] == DEPLOYING
    assert begun["applications"] == {}
    # Another operation does not end it.
    assert after({"state": "passed", "node": "n1"}, start=begun)["deploying"] == DEPLOYING
    done = after({"state": "deployed", "applications": APPLICATIONS}, start=begun)
    assert (done["deploying"], done["applications"]) == (None, APPLICATIONS)
    # Nor is it of today after a restore.
    assert after({"state": "restored", "restored": begun}, start=begun)["deploying"] is None


def test_without_applications_none_are_recorded() -> None:
    begun = after({"state": "deployed", "applications": APPLICATIONS}, {"state": "deploying"})
    assert begun["deploying"] == {**DEPLOYING, "applications": {}}
    done = after({"state": "deployed"}, start=begun)
    assert (done["deploying"], done["applications"]) == (None, {})


@pytest.mark.parametrize(
    "value",
    [
        [],
        "x",
        {**DEPLOYING, "since": "yesterday"},
        {**DEPLOYING, "since": 5},
        {**DEPLOYING, "owner": None},
        {**DEPLOYING, "applications": {}},
        {**DEPLOYING, "applications": {"demo.zip": 1}},
        {**DEPLOYING, "applications": {"x" * 2000: "a"}},
    ],
)
def test_what_is_invalid_is_dropped(value: t.Any) -> None:
    assert read({**record.empty("demo"), "deploying": value})["deploying"] is None
