# Copyright: the ivy.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every member of etcd is healthy, so that the loss of one host ends nothing."""

from __future__ import annotations

from ansible_collections.ivy.cluster.plugins.plugin_utils.node.snapshot import Snapshot
from ansible_collections.ivy.cluster.plugins.plugin_utils.verify.checks.results import (
    ETCD,
    Row,
    failed,
    passed,
    skipped,
)
from ansible_collections.ivy.cluster.plugins.plugin_utils.verify.members import etcd as quorum

_FIX = "Start etcd.service on the host, or run ivy.cluster.site: it lets a member without data join again."


def check_etcd(facts: Snapshot) -> list[Row]:
    if not facts.etcd_members:
        return []
    found = quorum.gather(facts)
    rows = [passed(ETCD, name, "healthy") for name in found.healthy]
    rows += [failed(ETCD, name, why, _FIX) for name, why in found.problems.items()]
    return rows + [skipped(ETCD, name, "not part of this run (--limit)") for name in found.unknown]
