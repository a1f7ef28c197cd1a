# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A virtual address as one load balancer sees it: whether the host has it, whether it fits, and who else has it."""

from __future__ import annotations

import contextlib
import ipaddress
import json
import socket
import time
import typing as t

from ..node.engine import sockets
from .packages import output

# A host on the same network answers within milliseconds. The kernel repeats its question after a second.
_SECONDS = 1.5
_PAUSE = 0.05
# Nothing has to listen there: the kernel asks for the hardware address before it sends anything.
_DISCARD = 9
_OWN_CONFIGURATION = "/etc/keepalived/keepalived.conf"
# In the first lines of what the role writes.
_MARK = "Managed by ivy.cluster"

Address = t.Union[ipaddress.IPv4Address, ipaddress.IPv6Address]


class Assigned(t.NamedTuple):
    """An address of an interface."""

    interface: str
    address: Address
    length: int


def assigned() -> list[Assigned]:
    """The addresses of all interfaces."""
    return parse(output("ip", "-json", "address", "show") or "")


def parse(text: str) -> list[Assigned]:
    """The addresses in the output of ip; none if it is of another form."""
    found = []
    with contextlib.suppress(ValueError, KeyError, TypeError, AttributeError):
        for link in json.loads(text):
            for item in link.get("addr_info") or []:
                # Tunnels have entries without a local address.
                if "local" in item:
                    address = ipaddress.ip_address(item["local"])
                    found.append(Assigned(str(link["ifname"]), address, int(item["prefixlen"])))
    return found


def holder(all_of_host: t.Iterable[Assigned], address: str) -> str:
    """The interface that has the address; empty if none has."""
    wanted = ipaddress.ip_address(address)
    return next((one.interface for one in all_of_host if one.address == wanted), "")


def selected_interface(all_of_host: t.Sequence[Assigned], name: str, own: t.Container[str]) -> str:
    """The interface with this name, or the one that has an address of the host; empty if there is none."""
    if name:
        return next((one.interface for one in all_of_host if one.interface == name), "")
    return next((one.interface for one in all_of_host if str(one.address) in own), "")


def networks(all_of_host: t.Iterable[Assigned], interface: str, address: str) -> list[str]:
    """The networks of the interface, by its addresses of the same kind as the virtual one, but without that one."""
    wanted = ipaddress.ip_address(address)
    found = [
        str(ipaddress.ip_interface(f"{one.address}/{one.length}").network)
        for one in all_of_host
        if one.interface == interface
        and one.address != wanted
        and one.address.version == wanted.version
        and not one.address.is_link_local
    ]
    return list(dict.fromkeys(found))


def hardware_address(text: str) -> str:
    """The hardware address of the neighbour in the output of ip; empty as long as there is none."""
    with contextlib.suppress(ValueError, KeyError, TypeError, AttributeError):
        for entry in json.loads(text or "[]"):
            if entry.get("lladdr") and "FAILED" not in entry.get("state", []):
                return str(entry["lladdr"])
    return ""


def neighbour(address: str, interface: str, seconds: float = _SECONDS) -> str:
    """The hardware address of the host on this network that has the address; empty if none answers."""
    # An entry of the cache may be of a host that had the address before.
    output("ip", "neigh", "delete", address, "dev", interface)
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as stream:
        stream.sendto(b"", (address, _DISCARD))
    deadline = time.monotonic() + seconds
    while True:
        found = hardware_address(output("ip", "-json", "neigh", "show", "to", address, "dev", interface) or "")
        if found or time.monotonic() >= deadline:
            return found
        time.sleep(_PAUSE)


def has_other_configuration(path: str = _OWN_CONFIGURATION) -> bool:
    """Whether keepalived has a configuration that the role has not written."""
    try:
        with open(path, encoding="utf-8", errors="replace") as stream:
            return _MARK not in stream.read(4096)
    except OSError:
        return False


def inspect(address: str, interface: str, own: str) -> dict[str, t.Any]:
    """Everything that preflight compares. Another host is searched for only if this one does not have the address."""
    all_of_host = assigned()
    selected = selected_interface(all_of_host, interface, sockets.resolved(own))
    found = networks(all_of_host, selected, address)
    held = bool(holder(all_of_host, address))
    reachable = any(ipaddress.ip_address(address) in ipaddress.ip_network(network) for network in found)
    return {
        "held": held,
        "interface": selected,
        "networks": found,
        "neighbour": neighbour(address, selected) if reachable and not held else "",
        "other_configuration": has_other_configuration(),
    }
