# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether running engines serve the protocol that the load balancers are about to use."""

from __future__ import annotations

import typing as t

from ansible_collections.ivy.cluster.plugins.plugin_utils.common.findings import Finding
from ansible_collections.ivy.cluster.plugins.plugin_utils.preflight.model.host_facts import Look, Looks

HTTP, HTTPS = "ivy_http_port", "ivy_https_port"


def on_hosts(looks: Looks) -> t.Iterator[Finding]:
    """Balancers change before the nodes, so every node that serves must already serve what they change to."""
    for look in looks.values():
        if look.plan.node_protocol:
            yield from _check(look)


def _check(look: Look) -> t.Iterator[Finding]:
    states = {
        port.option: state
        for port, state in zip(look.plan.ports, look.seen["ports"], strict=False)
        if port.option in (HTTP, HTTPS) and any(one["unit"] == port.unit for one in state["holders"])
    }
    if not states:
        # The engine does not run, so no user depends on it.
        return
    served = states.get(HTTPS if look.plan.node_protocol == "https" else HTTP)
    if served is not None and not served.get("local_only"):
        return
    if look.plan.node_protocol == "https":
        what = "its engine serves no HTTPS yet, which the load balancers are to use"
        fix = "Set ivy_node_tls: allow, and run site. Then set the value that you want, and run site again"
    else:
        what = "its engine serves HTTP on the loopback interface only, and the load balancers are to use HTTP"
        fix = "Set ivy_node_tls: prefer, and run site. Then set the value that you want, and run site again"
    yield Finding("node-tls-step", "Network", look.host, what, fix)
