# Copyright: the ivy.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How redundant each component of the cluster is, and which hosts must not be lost next."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.ivy.cluster.plugins.plugin_utils.common.text import columns, listed, plain_text
from ansible_collections.ivy.cluster.plugins.plugin_utils.node.snapshot import FactError, Host, Snapshot
from ansible_collections.ivy.cluster.plugins.plugin_utils.verify.members import database, etcd


@dataclasses.dataclass(frozen=True)
class Component:
    """The members of a component, and how many more of them may be lost.

    ``spare`` is None where it is unknown, and negative where the component does not work. ``critical`` are the hosts
    whose loss the component does not survive.
    """

    name: str
    members: t.Sequence[str]
    running: t.Sequence[str]
    spare: int | None
    words: str
    critical: t.Sequence[str] = dataclasses.field(default_factory=list)

    @property
    def redundant(self) -> bool:
        return self.spare is not None and self.spare > 0 and not self.critical

    def to_dict(self) -> dict[str, t.Any]:
        return {**dataclasses.asdict(self), "redundant": self.redundant}


def components(facts: Snapshot) -> list[Component]:
    """Every component, in the order in which a request passes them."""
    return [
        *_balancers(facts),
        _of_equals(facts, "engine nodes", facts.nodes, _serves),
        *_databases(facts),
        *_searches(facts),
        Component("file share", [], [], None, "its redundancy is that of the file system at the mount point"),
    ]


def critical_hosts(found: t.Iterable[Component]) -> dict[str, list[str]]:
    """The hosts that must not be lost, each with the components that would stop or lose data."""
    hosts: dict[str, list[str]] = {}
    for component in found:
        for name in component.critical:
            hosts.setdefault(name, []).append(component.name)
    return hosts


def summary(found: t.Sequence[Component]) -> str:
    """What may be lost next, in one sentence."""
    stopped = [component.name for component in found if component.spare is not None and component.spare < 0]
    if stopped:
        return f"DOES NOT WORK: {listed(stopped)}"
    hosts = critical_hosts(found)
    if hosts:
        return f"MUST NOT BE LOST: {listed(f'{name} ({listed(why)})' for name, why in hosts.items())}"
    if any(component.members and component.spare is None for component in found):
        return "unknown, because not all hosts are part of this run (--limit)"
    return "any one of the hosts may be lost"


def rows(found: t.Sequence[Component]) -> list[tuple[str, str]]:
    return [*((component.name, component.words) for component in found), ("next loss", summary(found))]


def lines(found: t.Sequence[Component]) -> list[str]:
    """The components for a terminal."""
    return ["Redundancy", *(f"  {line}" for line in columns(rows(found)))]


def _component(name: str, members: t.Sequence[str], running: t.Sequence[str], spare: int, verb: str) -> Component:
    """A component of which one member is enough, unless ``spare`` says otherwise."""
    text = f"{len(running)} of {len(members)} {verb}"
    missing = [member for member in members if member not in running]
    if missing:
        text += f", not {listed(missing)}"
    if spare < 0:
        return Component(name, members, running, spare, f"{text}; DOES NOT WORK")
    if spare == 0:
        return Component(name, members, running, spare, f"{text}; NOT REDUNDANT", running)
    return Component(name, members, running, spare, f"{text}; {spare} more may be lost")


def _unknown(name: str, members: t.Sequence[str]) -> Component:
    return Component(name, members, [], None, "unknown, because not all of them are part of this run (--limit)")


def _of_equals(
    facts: Snapshot, name: str, members: t.Sequence[str], serves: t.Callable[[Snapshot, Host], bool]
) -> Component:
    if any(member not in facts.hosts for member in members):
        return _unknown(name, members)
    running = [member for member in members if serves(facts, facts.hosts[member])]
    return _component(name, members, running, len(running) - 1, "serve")


def _serves(_facts: Snapshot, node: Host) -> bool:
    try:
        return node.runs and bool((node.engine.get("health") or {}).get("ok"))
    except FactError:
        return False


def _balances(facts: Snapshot, host: Host) -> bool:
    """Whether users can get to the engines by this load balancer."""
    try:
        if not host.reachable or host.fact("balancer", "servers") is None:
            return False
        return not facts.virtual_address or str(host.fact("virtual_address", "service")) == "active"
    except FactError:
        return False


def _balancers(facts: Snapshot) -> list[Component]:
    if not facts.balancers:
        return []
    found = _of_equals(facts, "load balancers", facts.balancers, _balances)
    if len(facts.balancers) > 1 and not facts.virtual_address and found.spare:
        # Something else decides which of them a user reaches.
        found = dataclasses.replace(found, words=f"{found.words}, if what distributes the users among them notices it")
    return [found]


def _databases(facts: Snapshot) -> list[Component]:
    if not facts.patroni_members:
        return [_single(facts, "database", facts.database.host, "database_state", "query_result", str(facts.database))]
    found = [_patroni(facts)]
    quorum = etcd.gather(facts)
    if quorum.unknown:
        return [*found, _unknown("etcd", facts.etcd_members)]
    members = _component("etcd", quorum.members, list(quorum.healthy), quorum.spare, "healthy")
    return [*found, members]


def _patroni(facts: Snapshot) -> Component:
    state = database.gather(facts)
    if state.problem:
        present = all(name in facts.hosts for name in state.names)
        words = plain_text(f"UNKNOWN: {state.problem}")
        return Component("database", state.names, [], -1 if present else None, words)
    if not state.primary:
        return Component("database", state.names, state.running, -1, "NO PRIMARY")
    found = _component("database", state.names, state.running, len(state.running) - 1, "run")
    if found.spare and not state.synchronous:
        words = (
            f"{len(state.running)} of {len(state.names)} run; NO SYNCHRONOUS REPLICA: with {state.primary}, its last "
        )
        return dataclasses.replace(found, words=f"{words}changes would be lost", critical=[state.primary])
    return found


def _searches(facts: Snapshot) -> list[Component]:
    if len(facts.search_servers) < 2:
        return [_single(facts, "search", facts.search.host, "search_state", "json", str(facts.search))]
    members = facts.search_servers
    if any(name not in facts.hosts for name in members):
        return [_unknown("search", members)]
    answers = {name: facts.hosts[name].results.get("search_state", {}).get("json") for name in members}
    health = [one for one in answers.values() if isinstance(one, dict)]
    running = [name for name, one in answers.items() if facts.hosts[name].reachable and isinstance(one, dict)]
    status = str(health[0].get("status")) if health else "unknown"
    # A member that answers but does not belong to the cluster does not count.
    joined = min([len(running), *(int(one.get("number_of_nodes") or 0) for one in health)])
    # The members elect a leader by majority, so two of three have to be left.
    found = _component("search", members, running, joined - (len(members) // 2 + 1), f"answer, status {status}")
    if found.spare is not None and found.spare > 0 and status != "green":
        words = f"{len(running)} of {len(members)} answer, status {status}; SOME DATA IS THERE ONCE ONLY"
        return [dataclasses.replace(found, spare=0 if status == "yellow" else -1, words=words, critical=running)]
    return [found]


def _single(facts: Snapshot, name: str, host: str, fact: str, key: str, address: str) -> Component:
    """One server, which nothing replaces, or one outside of the inventory."""
    if not host:
        return Component(name, [], [], None, f"{address} is not a host of this inventory")
    if host not in facts.hosts:
        return _unknown(name, [host])
    try:
        answers = facts.hosts[host].reachable and bool(facts.hosts[host].fact(fact, key))
    except FactError:
        answers = False
    return _component(name, [host], [host] if answers else [], int(answers) - 1, "serve")
