# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why nodes cannot be added to the cluster, or removed from it. All reasons, so that one run reports them together."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.ivy.cluster.plugins.plugin_utils.common.commands import command, completing
from ansible_collections.ivy.cluster.plugins.plugin_utils.common.text import count, listed, plain_text
from ansible_collections.ivy.cluster.plugins.plugin_utils.operations import node_answers

Record = t.Mapping[str, t.Any]
Servers = t.Sequence[t.Mapping[str, t.Any]]
Change = t.TypeVar("Change", "Addition", "Removal")
# Digits of a checksum in a message.
_SHORT = 12


@dataclasses.dataclass(frozen=True)
class Addition:
    """What is known when nodes are to be added.

    ``limited`` are the hosts that --limit leaves out, ``left_out`` the nodes in ivy_proceed_without, and ``applied``
    the nodes to which a release was applied before. ``applications`` are the digests of the declared archives by name,
    None where nodes share their applications: a new one finds them on the file share.
    """

    names: tuple[str, ...]
    nodes: tuple[str, ...]
    limited: tuple[str, ...]
    left_out: tuple[str, ...]
    applied: tuple[str, ...]
    record: Record | None
    engine_version: str
    applications: t.Mapping[str, str] | None = None


@dataclasses.dataclass(frozen=True)
class Removal:
    """What is known when nodes are to be removed.

    ``balancers`` are the servers of each load balancer, None of one that does not answer. ``active`` are the nodes
    whose engine runs; they count where the inventory has no load balancer.
    """

    names: tuple[str, ...]
    nodes: tuple[str, ...]
    limited: tuple[str, ...]
    active: tuple[str, ...]
    record: Record | None
    balancers: t.Mapping[str, Servers | None]
    minimum: int


def problems_of(
    kind: type[Change],
    find: t.Callable[[Change], list[str]],
    names: t.Iterable[str],
    nodes: t.Mapping[str, t.Iterable[str]],
    **known: t.Any,
) -> list[str]:
    """What a filter returns. The cluster record is an answer of a node, so its shape is checked first."""
    if wrong := node_answers.problem({"record": known["record"]}, "record"):
        return [f"The cluster record: {wrong}."]
    lists = {name: tuple(str(node) for node in found) for name, found in {"names": names, **nodes}.items()}
    arguments: dict[str, t.Any] = {**lists, **known}
    return find(kind(**arguments))


def addition_problems(given: Addition) -> list[str]:
    """Empty if the nodes can be added."""
    problems = [
        f"{plain_text(name)} is not in the group engine_nodes. Add it to the inventory first, or correct the name."
        for name in given.names
        if name not in given.nodes
    ]
    problems += _limited(given.limited)
    others = [node for node in given.nodes if node not in given.names]
    waiting = [node for node in others if node not in (*given.left_out, *given.limited, *given.applied)]
    record = given.record or {}
    if not others or not record.get("desired_release"):
        problems.append(f"Nothing was rolled out to this cluster yet. This sets it up: {command('site')}")
        return problems
    if waiting:
        problems.append(
            f"No release was ever applied to {listed(waiting)} either, and the other hosts would get to know "
            f"{'it' if len(waiting) == 1 else 'them'} in this run. Name all new nodes in add_node_names."
        )
    operation = record.get("operation")
    if operation:
        problems.append(
            f"The operation {plain_text(operation.get('name'))} of {plain_text(operation.get('owner') or 'unknown')} "
            f"is open since {plain_text(operation.get('since'))}, and the nodes may have different releases. Complete "
            f"it first: {completing(str(operation.get('name')))}"
        )
    deploying = record.get("deploying")
    if deploying and given.applications is not None:
        problems.append(
            f"A deployment of {plain_text(deploying['owner'] or 'unknown')} since {plain_text(deploying['since'])} was "
            f"not completed, and the engines may have different applications. Finish it first: {command('deploy')}"
        )
    if record.get("isolated"):
        problems.append(
            "The cluster was restored and is isolated, so no load balancer may use a node, and a new one would get "
            f"users. Let them in first: {command('go_live')}"
        )
    version = record.get("engine_version")
    if version and version != given.engine_version:
        problems.append(
            f"The cluster runs engine {plain_text(version)}, and ivy_engine_version is {given.engine_version}. "
            "Versions must not mix: add the node with the version of the cluster."
        )
    return problems + _other_applications(record, given.applications)


def _other_applications(record: Record, declared: t.Mapping[str, str] | None) -> list[str]:
    """A new node gets declared archives, and only those that the other nodes use. It must not lack one of them."""
    if declared is None:
        return []
    found = []
    for name, digest in (record.get("applications") or {}).items():
        if declared.get(name) == digest:
            continue
        named = (
            f"engine_applications declares another archive under this name, {declared[name][:_SHORT]}"
            if name in declared
            else "engine_applications does not declare it any more"
        )
        found.append(
            f"The nodes use {plain_text(name)} with the checksum {plain_text(digest)[:_SHORT]} (sha256), and {named}. "
            "A new node would start without this application. Declare the archive in use again, or bring the cluster "
            f"to what is declared first: {command('deploy')}"
        )
    return found


def removal_problems(given: Removal) -> list[str]:
    """Empty if the nodes can be removed."""
    known = {*given.nodes, *_named_by(given.record)}
    for servers in given.balancers.values():
        known.update(str(server["name"]) for server in servers or ())
    problems = [
        f"{plain_text(name)} is neither in the group engine_nodes nor in the cluster record nor in a load balancer. "
        "Correct the name."
        for name in given.names
        if name not in known
    ]
    problems += _limited(given.limited)
    remaining = [node for node in given.nodes if node not in given.names]
    leaving = [node for node in given.nodes if node in given.names]
    if not remaining:
        problems.append("No node would remain. The last node of a cluster cannot be removed.")
        return problems
    if leaving and len(remaining) < given.minimum:
        problems.append(
            f"{count(len(remaining), 'node')} would remain, and engine_minimum_available asks for {given.minimum}."
        )
    for balancer, servers in given.balancers.items():
        if servers is None:
            problems.append(f"HAProxy on {balancer} does not answer, so it could send users to a node that is stopped.")
            continue
        up = {str(server["name"]) for server in servers if server.get("up")}
        problems += _too_few(given, f"HAProxy on {balancer} would have", up, leaving, remaining)
    if not given.balancers:
        problems += _too_few(given, "There would be", set(given.active), leaving, remaining)
    return problems


def _limited(hosts: t.Sequence[str]) -> list[str]:
    if not hosts:
        return []
    return [
        f"--limit leaves out {listed(hosts)}, and every host has to know which nodes belong to the cluster. Run "
        "without --limit. An engine node that is away can be named in ivy_proceed_without."
    ]


def _too_few(
    given: Removal, begin: str, up: t.Collection[str], leaving: t.Sequence[str], remaining: t.Sequence[str]
) -> list[str]:
    """A node that serves is not taken from a cluster in which too few others serve."""
    serving = [node for node in remaining if node in up]
    if len(serving) >= given.minimum or not any(node in up for node in leaving):
        return []
    return [
        f"{begin} {listed(serving) or 'no node'} to serve, and engine_minimum_available asks for {given.minimum}. "
        f"Bring the other nodes back first ({command('status')}), or accept an interruption: "
        "-e engine_minimum_available=0"
    ]


def _named_by(record: Record | None) -> set[str]:
    found = record or {}
    names = {*(found.get("drained") or ()), *(found.get("passed") or ()), *(found.get("removed") or ())}
    entries = [*(found.get("durations") or ()), *(found.get("history") or ())]
    return names | {str(entry["node"]) for entry in entries if isinstance(entry, dict) and entry.get("node")}
