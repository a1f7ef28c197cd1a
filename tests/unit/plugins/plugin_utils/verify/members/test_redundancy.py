# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How redundant status reports each component, and which hosts it says must not be lost."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.ivy.cluster.plugins.plugin_utils.node.snapshot import Host, Service, Snapshot
from ansible_collections.ivy.cluster.plugins.plugin_utils.verify.members import redundancy as sut

ENGINE: dict[str, t.Any] = {"engine": {"engine": {"unit": {"active": "active"}, "health": {"ok": True}}}}
BALANCER: dict[str, t.Any] = {"balancer": {"servers": []}, "virtual_address": {"held": False, "service": "active"}}
MEMBERS = [
    {"name": "db1", "role": "leader", "state": "running", "leads": True, "synchronous": False, "runs": True},
    {"name": "db2", "role": "sync", "state": "streaming", "leads": False, "synchronous": True, "runs": True},
    {"name": "db3", "role": "replica", "state": "streaming", "leads": False, "synchronous": False, "runs": True},
]
ETCD = {"etcd": {"member": {"has_data": True, "healthy": True, "status": {}}}}
NONE = Service("192.0.2.100", 0)
GROUPS = {"lb": ("lb1", "lb2"), "engine": ("engine1", "engine2"), "db": ("db1", "db2", "db3")}
SEARCH = ("search1", "search2", "search3")


def health(**changes: t.Any) -> dict[str, t.Any]:
    return {"search_state": {"json": {"status": "green", "number_of_nodes": 3, **changes}}}


def patroni(members: list[dict[str, t.Any]]) -> dict[str, t.Any]:
    return {"patroni": {"member": {"members": members, "answers": True, "problem": ""}}, **ETCD}


def facts(changes: dict[str, Host | None] | None = None) -> Snapshot:
    hosts: dict[str, Host | None] = {
        **{name: Host(name, name, results=BALANCER) for name in GROUPS["lb"]},
        **{name: Host(name, name, results=ENGINE) for name in GROUPS["engine"]},
        **{name: Host(name, name, results=patroni(MEMBERS)) for name in GROUPS["db"]},
        **{name: Host(name, name, results=health()) for name in SEARCH},
        **(changes or {}),
    }
    return Snapshot(
        "c",
        "u",
        "12.0.9",
        GROUPS["engine"],
        GROUPS["lb"],
        {name: host for name, host in hosts.items() if host},
        NONE,
        "d",
        "u",
        NONE,
        etcd_members=GROUPS["db"],
        patroni_members=GROUPS["db"],
        virtual_address="192.0.2.100",
        search_servers=SEARCH,
    )


def spares(given: Snapshot) -> dict[str, int | None]:
    return {one.name: one.spare for one in sut.components(given)}


def summary(given: Snapshot) -> str:
    return sut.summary(sut.components(given))


def away(name: str) -> dict[str, Host | None]:
    return {name: Host(name, name, False, "no answer")}


def test_any_host_of_a_complete_cluster_may_be_lost() -> None:
    given = facts()
    assert spares(given) == {
        "load balancers": 1,
        "engine nodes": 1,
        "database": 2,
        "etcd": 1,
        "search": 1,
        "file share": None,
    }
    assert summary(given) == "any one of the hosts may be lost"
    assert sut.lines(sut.components(given))[1] == "  load balancers  2 of 2 serve; 1 more may be lost"


@pytest.mark.parametrize(
    ("changes", "critical"),
    [
        (away("lb1"), {"lb2": ["load balancers"]}),
        ({"lb2": Host("lb2", "", results={**BALANCER, "virtual_address": {"held": False, "service": "failed"}})},
         {"lb1": ["load balancers"]}),
        ({"lb2": Host("lb2", "", results={"virtual_address": {"held": True, "service": "active"}})},
         {"lb1": ["load balancers"]}),
        (away("engine2"), {"engine1": ["engine nodes"]}),
        ({"engine1": Host("engine1", "", results={"engine": {"engine": {"unit": {"active": "active"}, "health": {}}}})},
         {"engine2": ["engine nodes"]}),
        # Two members of etcd are left, which are a majority. Neither may be lost.
        (away("db3"), {"db1": ["etcd"], "db2": ["etcd"]}),
        (away("search3"), {"search1": ["search"], "search2": ["search"]}),
        ({name: Host(name, name, results=health(status="yellow")) for name in SEARCH},
         {name: ["search"] for name in SEARCH}),
        # It answers, but the other two do not know it.
        ({"search3": Host("search3", "", results=health(number_of_nodes=2))},
         {name: ["search"] for name in SEARCH}),
        ({name: Host(name, name, results=patroni([{**one, "synchronous": False} for one in MEMBERS]))
          for name in GROUPS["db"]}, {"db1": ["database"]}),
    ],
)  # fmt: skip
def test_what_must_not_be_lost_next(changes: dict[str, Host | None], critical: dict[str, list[str]]) -> None:
    found = sut.components(facts(changes))
    assert sut.critical_hosts(found) == critical
    assert sut.summary(found).startswith("MUST NOT BE LOST: ")
    assert not all(one.redundant for one in found if one.spare is not None)


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({**away("lb1"), **away("lb2")}, "load balancers"),
        ({**away("engine1"), **away("engine2")}, "engine nodes"),
        ({**away("db1"), **away("db2")}, "etcd"),
        ({name: Host(name, name, results=patroni(MEMBERS[1:])) for name in GROUPS["db"]}, "database"),
        ({**away("search1"), **away("search2")}, "search"),
        ({name: Host(name, name, results=health(status="red")) for name in SEARCH}, "search"),
    ],
)
def test_what_does_not_work_is_named(changes: dict[str, Host | None], name: str) -> None:
    assert summary(facts(changes)) == f"DOES NOT WORK: {name}"


@pytest.mark.parametrize("name", ["lb1", "engine1", "db1", "search1"])
def test_with_a_limit_the_redundancy_is_unknown(name: str) -> None:
    given = facts({name: None})
    unknown = [one.name for one in sut.components(given) if one.spare is None and one.members]
    assert unknown
    assert "--limit" in summary(given)
