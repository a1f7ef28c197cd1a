# Copyright: the ivy.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The address that the load balancers share."""

from __future__ import annotations

from ansible_collections.ivy.cluster.plugins.plugin_utils.common.commands import command
from ansible_collections.ivy.cluster.plugins.plugin_utils.node import virtual_address
from ansible_collections.ivy.cluster.plugins.plugin_utils.node.snapshot import Snapshot
from ansible_collections.ivy.cluster.plugins.plugin_utils.verify.checks.results import (
    VIRTUAL_ADDRESS,
    Row,
    failed,
    passed,
    skipped,
)


def check_virtual_address(facts: Snapshot) -> list[Row]:
    address = facts.virtual_address
    if not address:
        return []
    present = [facts.hosts[name] for name in facts.balancers if name in facts.hosts]
    if len(present) < len(facts.balancers):
        return [skipped(VIRTUAL_ADDRESS, address, "not all load balancers are part of this run (--limit)")]
    state = virtual_address.state_of(present)
    if not state.problems:
        return [passed(VIRTUAL_ADDRESS, address, state.words)]
    fix = (
        "See journalctl -u keepalived -u haproxy on the load balancers. If two of them hold the address, they do not "
        "receive each other's VRRP packets: check the firewalls between them. To restore what the role sets up, run: "
        f"{command('site', '--limit', 'load_balancers')}"
    )
    lost = "" if state.ready else "; no redundancy"
    return [failed(VIRTUAL_ADDRESS, address, f"{state.words}{lost}: {'; '.join(state.problems)}", fix)]
