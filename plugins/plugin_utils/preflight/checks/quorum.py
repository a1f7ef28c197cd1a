# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The members of etcd: how many there are, and whether one host can take most of them away."""

from __future__ import annotations

import collections

from ansible_collections.ivy.cluster.plugins.plugin_utils.common.findings import WARNING, Finding
from ansible_collections.ivy.cluster.plugins.plugin_utils.common.text import listed
from ansible_collections.ivy.cluster.plugins.plugin_utils.preflight.model.inventory import ETCDS, Inventory

_AREA = "Inventory"


def check(inventory: Inventory) -> list[Finding]:
    members = inventory.of(ETCDS)
    if not members:
        return []
    findings = [*_number(len(members))]
    for address, count in collections.Counter(member.address.lower() for member in members).items():
        if count < 2:
            continue
        names = [member.name for member in members if member.address.lower() == address]
        lost = "all" if count == len(members) else "most" if count > len(members) // 2 else "several"
        problem = f"{listed(names)} have the same address {address}, so one host takes {lost} of the members with it"
        findings.append(Finding("etcd-one-host", _AREA, f"group {ETCDS}", problem, "Use a host for each member."))
    return findings


def _number(count: int) -> list[Finding]:
    subject = f"group {ETCDS}"
    if count % 2 == 0:
        problem = f"it has {count} members, which tolerate the loss of no more hosts than {count - 1} would"
        return [Finding("etcd-even", _AREA, subject, problem, f"Use {count - 1} or {count + 1} members.")]
    if count == 1:
        problem = "it has one member, so the database has no primary after a failure while that host is lost"
        return [Finding("etcd-too-few", _AREA, subject, problem, "Use three members.", WARNING)]
    return []
