# Copyright: the ivy.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every member of the database runs, so that the loss of the primary ends nothing."""

from __future__ import annotations

from ansible_collections.ivy.cluster.plugins.plugin_utils.node.snapshot import Snapshot
from ansible_collections.ivy.cluster.plugins.plugin_utils.verify.checks.results import (
    REPLICATION,
    Row,
    failed,
    passed,
)
from ansible_collections.ivy.cluster.plugins.plugin_utils.verify.members import database as members

_FIX = (
    "See journalctl --unit=patroni.service there. To copy a replica that cannot follow again, run there: "
    "patronictl -c /etc/patroni/config.yml reinit"
)


def check_replication(facts: Snapshot) -> list[Row]:
    if not facts.patroni_members:
        return []
    found = members.gather(facts)
    wrong = members.problems(found)
    if "" in wrong:
        return [failed(REPLICATION, "all members", wrong[""], _FIX)]
    rows = []
    for name in found.names:
        role = "primary" if name == found.primary else "synchronous" if name in found.synchronous else "replica"
        rows.append(failed(REPLICATION, name, wrong[name], _FIX) if name in wrong else passed(REPLICATION, name, role))
    return rows
