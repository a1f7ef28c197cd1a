# Copyright: the ivy.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hosts and the connections between the nodes: reachable, running, connected."""

from __future__ import annotations

from ansible_collections.ivy.cluster.plugins.plugin_utils.common.commands import command
from ansible_collections.ivy.cluster.plugins.plugin_utils.common.text import count, listed
from ansible_collections.ivy.cluster.plugins.plugin_utils.node.snapshot import Host, Snapshot
from ansible_collections.ivy.cluster.plugins.plugin_utils.verify.checks.results import (
    HOSTS,
    PEERS,
    Row,
    failed,
    host_rows,
    passed,
    running_rows,
    skipped,
)


def check_hosts(facts: Snapshot) -> list[Row]:
    rows: list[Row] = []
    for name, host in facts.hosts.items():
        if not host.reachable:
            rows.append(_unreachable_row(host, name in facts.proceed_without))
        elif name in facts.nodes:
            rows += host_rows(HOSTS, [host], "the engine", lambda node: _engine_row(facts, node))
    return rows


def _unreachable_row(host: Host, expected: bool) -> Row:
    if expected:
        return skipped(HOSTS, host.name, "not reachable, named in ivy_proceed_without")
    return failed(
        HOSTS,
        host.name,
        f"not reachable: {host.why}",
        f"Nothing is known about this host. {host.advice}.",
    )


def _engine_row(facts: Snapshot, node: Host) -> Row:
    engine = node.engine
    unit, health, version = engine["unit"], engine.get("health") or {}, engine.get("installed_version")
    if unit["active"] != "active":
        state = f"the engine does not run ({unit['active']}, {unit['sub']})"
        if node.name in facts.proceed_without:
            return skipped(HOSTS, node.name, f"{state}, named in ivy_proceed_without")
        return failed(
            HOSTS,
            node.name,
            state,
            f"Find the cause: journalctl -u {facts.unit} -n 50. If the fence prevents the start, run: "
            f"{command('site', '--limit', node.name)}",
        )
    if not health.get("ok"):
        return failed(
            HOSTS,
            node.name,
            f"the engine runs but does not serve: {health.get('reason') or health.get('status')}",
            f"See the engine's logs and journalctl -u {facts.unit} -n 50.",
        )
    if version and version != facts.engine_version:
        return failed(
            HOSTS,
            node.name,
            f"engine {version} runs, the inventory has {facts.engine_version}",
            f"All nodes need exactly one version. Run: {command('site')}",
        )
    return passed(
        HOSTS,
        node.name,
        f"engine {facts.engine_version} runs since {unit.get('since') or 'unknown'}, "
        f"responds with {health.get('status')}",
    )


def check_peers(facts: Snapshot) -> list[Row]:
    return running_rows(PEERS, facts, "the engine", lambda node: _peers_row(facts, node))


def _peers_row(facts: Snapshot, node: Host) -> Row:
    peers = node.engine.get("peers") or {}
    connected = set(peers.get("connected") or [])
    names = {host.address: host.name for host in facts.hosts.values()}
    # The node's own list includes nodes outside of this run whose port is open.
    missing = {names.get(address, address) for address in peers.get("missing") or []}
    if facts.transport == "tcp":
        missing |= {peer.name for peer in facts.running if peer.name != node.name and peer.address not in connected}
        expected = "every other running node"
    else:
        # With multicast, only the ring of the failure detection has connections.
        expected = "its neighbours in the ring of the failure detection"
    if missing:
        return failed(
            PEERS,
            node.name,
            f"not connected to {listed(sorted(missing))}",
            "Check that the nodes can reach each other on the JGroups ports (firewall, bind address of the engine), "
            "then restart this node.",
        )
    if not connected:
        return skipped(PEERS, node.name, "the only running node")
    return passed(PEERS, node.name, f"connected to {expected} ({count(len(connected), 'peer')})")
