# Copyright: the ivy.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several search servers: whether they are one cluster that has all data twice."""

from __future__ import annotations

from ansible_collections.ivy.cluster.plugins.plugin_utils.common.commands import command
from ansible_collections.ivy.cluster.plugins.plugin_utils.node.snapshot import Host, Snapshot
from ansible_collections.ivy.cluster.plugins.plugin_utils.verify.checks.results import (
    SEARCH_CLUSTER,
    Row,
    failed,
    host_rows,
    passed,
)


def check_search_cluster(facts: Snapshot) -> list[Row]:
    if len(facts.search_servers) < 2:
        return []
    reached = [
        facts.hosts[name] for name in facts.search_servers if name in facts.hosts and facts.hosts[name].reachable
    ]
    return host_rows(SEARCH_CLUSTER, reached, "the health of the cluster", lambda host: _row(facts, host))


def _row(facts: Snapshot, host: Host) -> Row:
    health = host.fact("search_state", "json")
    health = health if isinstance(health, dict) else {}
    number, status, expected = health.get("number_of_nodes") or 0, health.get("status"), len(facts.search_servers)
    text = f"{number} of {expected} members, status {status or 'unknown'}"
    if number == expected and status == "green":
        return passed(SEARCH_CLUSTER, host.name, text)
    fix = (
        "Start the members that are missing, and see their journals. A red status means that data is missing, a yellow "
        "one that some is there once only. To set a destroyed member up again, run with its name: "
        f"{command('site', '--limit', host.name)}"
    )
    return failed(SEARCH_CLUSTER, host.name, f"{text}; no redundancy", fix)
