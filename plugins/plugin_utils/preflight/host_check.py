# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The checks of the hosts: all problems of all hosts, at once."""

from __future__ import annotations

from ansible_collections.ivy.cluster.plugins.plugin_utils.common.findings import Finding
from ansible_collections.ivy.cluster.plugins.plugin_utils.preflight.checks import (
    host,
    network,
    node_tls,
    share,
    virtual_address,
)
from ansible_collections.ivy.cluster.plugins.plugin_utils.preflight.model.host_facts import (
    Limits,
    Looks,
    merged,
)


def judge(looks: Looks, limits: Limits) -> list[Finding]:
    """Reports also hosts that could not be inspected; they hide no problem of the others."""
    found: list[Finding] = []
    for look in looks.values():
        found += host.usable(look)
    seen = {name: look for name, look in looks.items() if look.seen_at_all}
    for look in seen.values():
        for check in (host.system, host.memory, host.map_count, host.packages, host.authority):
            found += check(look)
        found += host.disks(look, limits)
        found += network.ports(look)
        for check in (share.accounts, share.mounted, share.written):
            found += check(look)
    found += host.clocks(seen, limits)
    found += host.time_zones(seen)
    found += network.names(seen)
    found += network.reached(seen)
    found += virtual_address.on_hosts(seen)
    found += node_tls.on_hosts(seen)
    found += share.shared(seen)
    found += share.later(seen)
    return merged(found)
