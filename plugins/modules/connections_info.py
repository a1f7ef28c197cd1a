#!/usr/bin/python
# Copyright: the ivy.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: connections_info
short_description: Lists the established TCP connections of a host or of one of its services
version_added: 0.1.0
description:
  - Reads the kernel's own tables, so that it sees what is, not what a program says or a file configures.
  - On a server it shows who is connected; on a client, with O(unit), to where the processes of a service are connected.
  - Needs no program on the host beyond Python, and changes nothing.
  - Where the kernel does not let even root look at the files of a process, as in a container without
    C(CAP_SYS_PTRACE), the connections of the process's user stand for those of the process.
options:
  unit:
    description:
      - Name of a systemd unit. Only the connections of its main process and of what that started are listed.
      - Empty lists the connections of the whole host.
    type: str
    default: ""
  local_ports:
    description: Only the connections at these ports of this host. Empty lists all.
    type: list
    elements: int
    default: []
  expect:
    description:
      - Connections that should show up, for instance those of a pool that opens them when it needs them.
      - The module looks again until each was seen or O(wait) is over, and lists all connections that it saw in between.
    type: list
    elements: dict
    default: []
    suboptions:
      address:
        description: Address or name of the other side. A name is resolved on this host.
        type: str
        required: true
      port:
        description: Port of the other side.
        type: int
        required: true
  wait:
    description: Greatest number of seconds to wait for the connections of O(expect).
    type: float
    default: 0
author:
  - The ivy.cluster contributors (@ivy-cluster)
extends_documentation_fragment:
  - ivy.cluster.attributes
seealso:
  - module: ivy.cluster.engine_info
"""

EXAMPLES = r"""
- name: See which hosts use the search server
  ivy.cluster.connections_info:
    local_ports:
      - 9200
  register: search

- name: See to where the engine is connected
  ivy.cluster.connections_info:
    unit: axonivy-engine.service
    expect:
      - address: search.example.com
        port: 9200
    wait: 5
  become: true
  register: engine
"""

RETURN = r"""
connections:
  description: The established connections, each once, in a stable order.
  returned: always
  type: list
  elements: dict
  contains:
    direction:
      description: V(in) where the other side connected to a port on which this host listens, else V(out).
      type: str
      sample: out
    local_address:
      description: Address of this host.
      type: str
      sample: 192.0.2.21
    local_port:
      description: Port of this host.
      type: int
      sample: 40112
    remote_address:
      description: Address of the other side.
      type: str
      sample: 192.0.2.40
    remote_port:
      description: Port of the other side.
      type: int
      sample: 9200
addresses:
  description: The addresses of this host, without those of its loopback interface.
  returned: always
  type: list
  elements: str
  sample: [192.0.2.21]
listening:
  description: Ports on which the host, or the processes of O(unit), accept connections.
  returned: always
  type: list
  elements: int
  sample: [7800, 8080]
resolved:
  description:
    - The addresses that this host finds for each name or address of O(expect).
    - Empty for a name that it cannot resolve.
  returned: always
  type: dict
  sample: {search.example.com: [192.0.2.40]}
main_pid:
  description: The main process of O(unit); 0 when it does not run or no unit was named.
  returned: always
  type: int
  sample: 4711
"""

import contextlib
import socket
import time
import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ivy.cluster.plugins.module_utils.node.engine import sockets
from ansible_collections.ivy.cluster.plugins.module_utils.node.engine import unit as units

_PAUSE = 0.25


class Connection(t.NamedTuple):
    """One established connection, as this host sees it."""

    direction: str
    local_address: str
    local_port: int
    remote_address: str
    remote_port: int


def own_addresses(fib_trie: str, if_inet6: str) -> list[str]:
    """The host's addresses from the kernel's routing table and list of IPv6 addresses."""
    found: set[str] = set()
    last = ""
    for line in fib_trie.splitlines():
        parts = line.replace("|--", "").split()
        if "|--" in line and parts:
            last = parts[0]
        elif parts[-2:] == ["host", "LOCAL"] and parts[0] == "/32":
            found.add(last)
    for line in if_inet6.splitlines():
        fields = line.split()
        if fields:
            found.add(socket.inet_ntop(socket.AF_INET6, bytes.fromhex(fields[0])))
    return sorted(address for address in found if address != "::1" and not address.startswith("127."))


def listening_ports(found: t.Iterable[sockets.Socket]) -> list[int]:
    return sorted({one.local_port for one in found if one.state == sockets.LISTEN})


def connections(found: t.Sequence[sockets.Socket], local_ports: t.Collection[int]) -> set[Connection]:
    """The established ones, at certain ports of this host where any are named."""
    listening = set(listening_ports(found))
    return {
        Connection(
            "in" if one.local_port in listening else "out",
            one.local_address,
            one.local_port,
            one.remote_address,
            one.remote_port,
        )
        for one in found
        if one.state == sockets.ESTABLISHED and (not local_ports or one.local_port in local_ports)
    }


def all_seen(found: t.Collection[Connection], wanted: t.Sequence[tuple[t.Collection[str], int]]) -> bool:
    return all(
        any(one.remote_address in addresses and one.remote_port == port for one in found) for addresses, port in wanted
    )


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as stream:
            return stream.read()
    except OSError:
        return ""


def of_host(proc: str = "/proc") -> list[sockets.Socket]:
    return sockets.parse(_read(f"{proc}/net/tcp")) + sockets.parse(_read(f"{proc}/net/tcp6"))


def resolve(name: str) -> list[str]:
    with contextlib.suppress(OSError):
        return sorted({str(info[4][0]) for info in socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)})
    return []


def watch(
    see: t.Callable[[], t.Sequence[sockets.Socket]],
    ports: t.Collection[int],
    wanted: t.Sequence[tuple[t.Collection[str], int]],
    wait: float,
) -> tuple[set[Connection], list[int]]:
    """Look until what is wanted was seen or time is over. What was seen once counts, since pools come and go."""
    end = time.monotonic() + wait
    found: set[Connection] = set()
    while True:
        now = see()
        found |= connections(now, ports)
        if all_seen(found, wanted) or time.monotonic() >= end or not now:
            return found, listening_ports(now)
        time.sleep(_PAUSE)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "unit": {"type": "str", "default": ""},
            "local_ports": {"type": "list", "elements": "int", "default": []},
            "expect": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {"address": {"type": "str", "required": True}, "port": {"type": "int", "required": True}},
            },
            "wait": {"type": "float", "default": 0},
        },
        supports_check_mode=True,
    )
    unit = module.params["unit"]
    resolved = {item["address"]: resolve(item["address"]) for item in module.params["expect"]}
    wanted = [(set(resolved[item["address"]]), item["port"]) for item in module.params["expect"]]
    pid = units.show(unit).main_pid if unit else 0
    try:
        found, listening = watch(
            (lambda: sockets.of_process(pid)) if unit else of_host,
            set(module.params["local_ports"]),
            wanted,
            module.params["wait"],
        )
    except OSError as exc:
        module.fail_json(msg=f"The connections of this host cannot be read: {exc}.")
    module.exit_json(
        changed=False,
        connections=[one._asdict() for one in sorted(found)],
        addresses=own_addresses(_read("/proc/net/fib_trie"), _read("/proc/net/if_inet6")),
        listening=listening,
        resolved=resolved,
        main_pid=pid,
    )


if __name__ == "__main__":
    main()
