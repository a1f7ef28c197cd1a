# Copyright: the ivy.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs every check of verify on the facts of one run."""

from __future__ import annotations

from ansible_collections.ivy.cluster.plugins.plugin_utils.node.snapshot import Snapshot
from ansible_collections.ivy.cluster.plugins.plugin_utils.verify.checks import (
    balancer,
    configuration,
    connections,
    database_members,
    deployment,
    etcd,
    hosts,
    search_cluster,
    storage,
    virtual_address,
)
from ansible_collections.ivy.cluster.plugins.plugin_utils.verify.checks.results import Row

CHECKS = (
    hosts.check_hosts,
    connections.check_database,
    connections.check_search,
    search_cluster.check_search_cluster,
    configuration.check_configuration,
    configuration.check_local_change,
    deployment.check_deployment,
    hosts.check_peers,
    balancer.check_balancer,
    virtual_address.check_virtual_address,
    etcd.check_etcd,
    database_members.check_replication,
    storage.check_share,
    storage.check_application,
)


def evaluate(facts: Snapshot) -> list[Row]:
    """The rows of all checks; a failed check does not stop the others."""
    return [row for check in CHECKS for row in check(facts)]
