# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The address that the load balancers share: whether they can, in the inventory and on the hosts."""

from __future__ import annotations

import ipaddress
import re
import typing as t

from ansible_collections.ivy.cluster.plugins.plugin_utils.common.findings import Finding
from ansible_collections.ivy.cluster.plugins.plugin_utils.common.text import listed
from ansible_collections.ivy.cluster.plugins.plugin_utils.preflight.model.host_facts import Look, Looks
from ansible_collections.ivy.cluster.plugins.plugin_utils.preflight.model.inventory import (
    BALANCERS,
    Inventory,
    ip,
    is_loopback,
    odd_spelling,
)

OPTION = "ivy_virtual_address"
_INTERNAL = "ivy_internal_address"
_EXAMPLE = "Write an unused address of the load balancers' network with its prefix length, as in 192.0.2.100/24."

Interface = t.Union[ipaddress.IPv4Interface, ipaddress.IPv6Interface]


def problem_of(text: str) -> str:
    """Why a text cannot be the virtual address; empty if it can."""
    address, slash, length = text.partition("/")
    if not slash or not re.fullmatch(r"[0-9]{1,3}", length):
        return "it has no prefix length"
    try:
        interface = ipaddress.ip_interface(text)
    except ValueError:
        return "it is not an address with a prefix length"
    spelling = odd_spelling(address)
    if spelling:
        return spelling
    if (
        interface.ip.is_loopback
        or interface.ip.is_multicast
        or interface.ip.is_unspecified
        or interface.ip.is_link_local
    ):
        return f"{interface.ip} is the address of no host that others can reach"
    network = interface.network
    if network.num_addresses > 2 and interface.ip in (network.network_address, network.broadcast_address):
        return f"{interface.ip} is the first or the last address of {network}, which no host can have"
    return ""


def check(inventory: Inventory) -> list[Finding]:
    """The checks that need no host."""
    return [*_check_virtual(inventory), *_check_internal(inventory)]


def _check_virtual(inventory: Inventory) -> t.Iterator[Finding]:
    text = inventory.text(OPTION)
    if not text:
        return
    problem = problem_of(text)
    if problem:
        yield Finding("virtual-address", "Inventory", OPTION, f"'{text}' cannot be used: {problem}", _EXAMPLE)
    balancers = inventory.of(BALANCERS)
    if len(balancers) == 1:
        what = f"{balancers[0].name} is the only load balancer, so nothing could take the address over"
        advice = f"Add a second host to the group {BALANCERS}, or leave the option empty."
        yield Finding("virtual-address-alone", "Inventory", OPTION, what, advice)
    if problem:
        return
    interface = ipaddress.ip_interface(text)
    same = [host.name for host in inventory.hosts if ip(host.address) == interface.ip]
    if same:
        what = f"{interface.ip} is the address of {listed(same)}"
        yield Finding("virtual-address-host", "Inventory", OPTION, what, "Use an address that no host has.")
    other = [f"{host.name}={host.address}" for host in balancers if _is_of_other_kind(host.address, interface)]
    if other:
        what = f"it is an address of IPv{interface.version}, and these of load balancers are not: {listed(other)}"
        advice = "Set ivy_address of the load balancers to addresses of the same kind."
        yield Finding("virtual-address-kind", "Inventory", OPTION, what, advice)


def _is_of_other_kind(address: str, interface: Interface) -> bool:
    found = ip(address)
    return found is not None and found.version != interface.version


def _check_internal(inventory: Inventory) -> t.Iterator[Finding]:
    text = inventory.text(_INTERNAL)
    given = any(_INTERNAL in host.given for host in inventory.hosts)
    if given and text and is_loopback(text):
        what = f"'{text}' is a loopback address, which is another host on each host"
        advice = "Set the address by which all hosts reach the load balancers, or leave the option empty."
        yield Finding("internal-address", "Inventory", _INTERNAL, what, advice)


# --- on the hosts


def on_hosts(looks: Looks) -> t.Iterator[Finding]:
    """What the load balancers themselves know about the address."""
    balancers = [look for look in looks.values() if look.plan.virtual_address and look.seen.get("virtual_address")]
    for look in balancers:
        yield from _on_host(look)
    yield from _in_use(balancers)


def _on_host(look: Look) -> t.Iterator[Finding]:
    plan, seen = look.plan.virtual_address or {}, look.seen["virtual_address"]
    if seen["other_configuration"]:
        what = "keepalived has a configuration there that the role keepalived has not written, and would be replaced"
        advice = f"Remove it (apt-get purge keepalived), or leave {OPTION} empty and manage the address yourself"
        yield Finding("keepalived-foreign", "Network", look.host, what, advice)
    if not seen["interface"]:
        name = plan["interface"]
        what = f"it has no interface {name}" if name else f"no interface has its address {look.plan.address}"
        advice = "Set keepalived_interface to the interface for the virtual address"
        yield Finding("virtual-address-interface", "Network", look.host, what, advice)
        return
    wanted = ipaddress.ip_interface(f"{plan['address']}/{plan['length']}").network
    if str(wanted) not in seen["networks"]:
        has = listed(seen["networks"]) or "none of this kind"
        what = f"its interface {seen['interface']} has the network {has}, and {OPTION} is in {wanted}"
        advice = f"Correct {OPTION} and its prefix length, or set keepalived_interface to the interface in that network"
        yield Finding("virtual-address-network", "Network", look.host, what, advice)


def _in_use(balancers: t.Sequence[Look]) -> t.Iterator[Finding]:
    """Whether another host answers. A load balancer outside of this run may hold the address, so all are needed."""
    plans = [look.plan.virtual_address or {} for look in balancers]
    seen = [look.seen["virtual_address"] for look in balancers]
    if not balancers or len(balancers) < plans[0]["balancers"] or any(one["held"] for one in seen):
        return
    found = sorted({one["neighbour"] for one in seen} - {""})
    if found:
        what = (
            f"{plans[0]['address']} is in use already: the host with the hardware address {listed(found)} answers, and "
            "no load balancer holds it"
        )
        advice = f"Find that host, and give it another address, or choose another one in {OPTION}"
        yield Finding("virtual-address-in-use", "Network", ", ".join(look.host for look in balancers), what, advice)
