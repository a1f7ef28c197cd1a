# Copyright: the ivy.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which load balancer holds the virtual address, and which ones could take it over."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.ivy.cluster.plugins.plugin_utils.common.text import listed
from ansible_collections.ivy.cluster.plugins.plugin_utils.node.snapshot import FactError, Host


@dataclasses.dataclass(frozen=True)
class State:
    """The holders, those that could take the address over, and what is wrong."""

    holders: t.Sequence[str]
    ready: t.Sequence[str]
    problems: t.Sequence[str]

    @property
    def words(self) -> str:
        held = f"{listed(self.holders)} {'holds' if len(self.holders) == 1 else 'hold'} it" if self.holders else ""
        ready = f"{listed(self.ready)} can take it over" if self.ready else ""
        return ", ".join(part for part in (held or "no load balancer holds it", ready) if part)


def state_of(balancers: t.Sequence[Host]) -> State:
    """The state by the answers of all load balancers of the cluster."""
    holders, ready, problems = [], [], []
    for host in balancers:
        if not host.reachable:
            problems.append(f"{host.name} is not reachable")
            continue
        try:
            held, service = bool(host.fact("virtual_address", "held")), str(host.fact("virtual_address", "service"))
        except FactError as error:
            problems.append(f"{host.name} could not be inspected: {error}")
            continue
        if held:
            holders.append(host.name)
        if service != "active":
            problems.append(f"keepalived does not run on {host.name} ({service})")
        elif not _answers(host):
            problems.append(f"HAProxy does not answer on {host.name}")
        elif not held:
            ready.append(host.name)
    if len(holders) > 1:
        problems.insert(0, f"{listed(holders)} hold it at the same time")
    elif not holders:
        # A load balancer that Ansible cannot reach may hold it.
        asked = "of those that could be asked " if problems else ""
        problems.insert(0, f"no load balancer {asked}holds it")
    return State(holders, ready, problems)


def _answers(host: Host) -> bool:
    try:
        return host.fact("balancer", "servers") is not None
    except FactError:
        return False
