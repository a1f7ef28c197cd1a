# Copyright: the ivy.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rows that checks return, and the rule for missing facts: a check that lacks a fact has failed."""

from __future__ import annotations

import dataclasses
import enum
import typing as t

from ansible_collections.ivy.cluster.plugins.plugin_utils.common.findings import Finding
from ansible_collections.ivy.cluster.plugins.plugin_utils.node.snapshot import FactError, Host, Snapshot

HOSTS = "hosts"
DATABASE = "database"
SEARCH = "search"
SEARCH_CLUSTER = "search_cluster"
CONFIGURATION = "configuration"
LOCAL_CHANGE = "local_change"
DEPLOYMENT = "deployment"
PEERS = "peers"
BALANCER = "balancer"
VIRTUAL_ADDRESS = "virtual_address"
SHARE = "share"
ETCD = "etcd"
REPLICATION = "replication"
APPLICATION = "application"

TITLES: t.Final = {
    HOSTS: "Every host is reachable, every engine runs and responds",
    DATABASE: "Restriction 1: every node uses the same system database",
    SEARCH: "Restriction 2: every node uses the same search engine",
    SEARCH_CLUSTER: "The search servers are one cluster, and each may be lost",
    CONFIGURATION: "Restriction 3: every node runs the same configuration",
    LOCAL_CHANGE: "Restriction 4: no node has local changes",
    DEPLOYMENT: "Restriction 5: nothing was deployed while the engine ran",
    PEERS: "The nodes are connected to each other",
    BALANCER: "The load balancer distributes users over the nodes and keeps each user on one node",
    VIRTUAL_ADDRESS: "One load balancer holds the virtual address, and another one can take it over",
    ETCD: "Every member of etcd is healthy",
    REPLICATION: "Every member of the database runs, and a replica is synchronous",
    SHARE: "A file that one node writes can be read on the others",
    APPLICATION: "An entry that one node stores can be read and found through the others",
}

ONLY_NODES = "not part of this run (--limit); only the nodes' connections were checked"


class Status(enum.Enum):
    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclasses.dataclass(frozen=True)
class Row:
    """One check of one host. A failed one has a finding."""

    check: str
    subject: str
    status: Status
    message: str
    finding: Finding | None = None

    @property
    def fix(self) -> str:
        return self.finding.fix if self.finding else ""

    def to_dict(self) -> dict[str, t.Any]:
        return {
            "check": self.check,
            "subject": self.subject,
            "status": self.status.value,
            "message": self.message,
            "fix": self.fix,
        }


def passed(check: str, subject: str, message: str) -> Row:
    return Row(check, subject, Status.PASSED, message)


def failed(check: str, subject: str, message: str, fix: str) -> Row:
    finding = Finding(check, TITLES[check], subject, message, fix)
    return Row(check, subject, Status.FAILED, message, finding)


def skipped(check: str, subject: str, message: str) -> Row:
    return Row(check, subject, Status.SKIPPED, message)


def failures(rows: t.Iterable[Row]) -> list[Row]:
    return [row for row in rows if row.status is Status.FAILED]


def host_rows(check: str, hosts: t.Iterable[Host], what: str, row: t.Callable[[Host], Row]) -> list[Row]:
    """One row for each host. If a fact is missing, the row has failed and names the fact."""

    def guarded(host: Host) -> Row:
        try:
            return row(host)
        except FactError as exc:
            return failed(
                check, host.name, f"{what} could not be inspected: {exc}", "Fix this first, then verify again."
            )

    return [guarded(host) for host in hosts]


def running_rows(check: str, facts: Snapshot, what: str, row: t.Callable[[Host], Row]) -> list[Row]:
    """One row for each node. A node that does not run fails the check of the hosts only."""
    rows: list[Row] = []
    for node in facts.present:
        if node.runs:
            rows += host_rows(check, [node], what, row)
        else:
            rows.append(skipped(check, node.name, "does not run" if node.reachable else "not reachable"))
    return rows
