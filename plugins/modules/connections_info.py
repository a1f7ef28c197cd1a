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
      - Name of a systemd unit. Only the connections of its own processes are listed.
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
processes:
  description: Number of processes of O(unit); 0 when it does not run or no unit was named.
  returned: always
  type: int
  sample: 1
"""

import contextlib
import os
import re
import socket
import subprocess
import sys
import time
import typing as t

from ansible.module_utils.basic import AnsibleModule

_ESTABLISHED = "01"
_LISTEN = "0A"
_SOCKET = re.compile(r"socket:\[(\d+)\]\Z")
_PAUSE = 0.25


class Connection(t.NamedTuple):
    """One established connection, as this host sees it."""

    direction: str
    local_address: str
    local_port: int
    remote_address: str
    remote_port: int


class Socket(t.NamedTuple):
    """One line of the kernel's table."""

    state: str
    local_address: str
    local_port: int
    remote_address: str
    remote_port: int
    uid: int
    inode: int


class Owner(t.NamedTuple):
    """What tells the sockets of one unit from those of others."""

    inodes: set[int]
    uids: set[int]

    def has(self, one: Socket) -> bool:
        return one.inode in self.inodes or one.uid in self.uids


def decode_address(text: str, byteorder: str = sys.byteorder) -> str:
    """The kernel prints each 32 bits of an address as a number in the machine's byte order."""
    raw = bytes.fromhex(text)
    if byteorder == "little":
        raw = b"".join(raw[at:at + 4][::-1] for at in range(0, len(raw), 4))
    if len(raw) == 4:
        return socket.inet_ntop(socket.AF_INET, raw)
    if raw[:12] == b"\0" * 10 + b"\xff\xff":
        # A program that listens on both families sees IPv4 clients so; it is the same client.
        return socket.inet_ntop(socket.AF_INET, raw[12:])
    return socket.inet_ntop(socket.AF_INET6, raw)


def parse_table(text: str) -> list[Socket]:
    """The established and the listening sockets of /proc/net/tcp or tcp6."""
    found = []
    for line in text.splitlines()[1:]:
        fields = line.split()
        if len(fields) < 10 or fields[3] not in (_ESTABLISHED, _LISTEN):
            continue
        local_address, local_port = fields[1].split(":")
        remote_address, remote_port = fields[2].split(":")
        found.append(Socket(
            fields[3], decode_address(local_address), int(local_port, 16),
            decode_address(remote_address), int(remote_port, 16), int(fields[7]), int(fields[9]),
        ))
    return found


def parse_own_addresses(fib_trie: str, if_inet6: str) -> list[str]:
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


def belongs_to_group(cgroup: str, group: str) -> bool:
    """Whether the text of /proc/<pid>/cgroup names the unit's control group or one below it."""
    if not group:
        return False
    paths = [line.split(":", 2)[2] for line in cgroup.splitlines() if line.count(":") >= 2]
    return any(path == group or path.startswith(group + "/") for path in paths)


def connections(sockets: t.Sequence[Socket], local_ports: t.Collection[int], owner: Owner | None) -> set[Connection]:
    """Those that are asked for; without an owner those of the whole host."""
    listening = {one.local_port for one in sockets if one.state == _LISTEN}
    return {
        Connection("in" if one.local_port in listening else "out",
                   one.local_address, one.local_port, one.remote_address, one.remote_port)
        for one in sockets
        if one.state == _ESTABLISHED
        and (not local_ports or one.local_port in local_ports)
        and (owner is None or owner.has(one))
    }


def listening_ports(sockets: t.Sequence[Socket], owner: Owner | None) -> list[int]:
    return sorted({one.local_port for one in sockets if one.state == _LISTEN and (owner is None or owner.has(one))})


def all_seen(found: t.Collection[Connection], wanted: t.Sequence[tuple[t.Collection[str], int]]) -> bool:
    return all(
        any(one.remote_address in addresses and one.remote_port == port for one in found)
        for addresses, port in wanted
    )


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as stream:
            return stream.read()
    except OSError:
        return ""


def read_sockets(proc: str = "/proc") -> list[Socket]:
    return parse_table(_read(f"{proc}/net/tcp")) + parse_table(_read(f"{proc}/net/tcp6"))


def processes_of(group: str, proc: str = "/proc") -> list[int]:
    return sorted(int(name) for name in os.listdir(proc)
                  if name.isdigit() and belongs_to_group(_read(f"{proc}/{name}/cgroup"), group))


def owner_of(pids: t.Iterable[int], proc: str = "/proc") -> Owner:
    """The sockets that the processes hold. A process may end while it is looked at."""
    inodes: set[int] = set()
    uids: set[int] = set()
    for pid in pids:
        directory = f"{proc}/{pid}/fd"
        try:
            uid = os.stat(f"{proc}/{pid}").st_uid
            for name in os.listdir(directory):
                with contextlib.suppress(FileNotFoundError):
                    match = _SOCKET.match(os.readlink(f"{directory}/{name}"))
                    if match:
                        inodes.add(int(match.group(1)))
        except (FileNotFoundError, ProcessLookupError):
            continue
        except PermissionError:
            if os.geteuid() != 0:
                raise
            uids.add(uid)
    return Owner(inodes, uids)


def control_group(unit: str) -> str:
    done = subprocess.run(
        ["systemctl", "show", "-p", "ControlGroup", "--value", "--", unit if "." in unit else f"{unit}.service"],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False, timeout=30,
    )
    return done.stdout.decode("utf-8", "replace").strip()


def resolve(name: str) -> list[str]:
    try:
        infos = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except OSError:
        return []
    return sorted({str(info[4][0]) for info in infos})


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "unit": {"type": "str", "default": ""},
            "local_ports": {"type": "list", "elements": "int", "default": []},
            "expect": {
                "type": "list", "elements": "dict", "default": [],
                "options": {"address": {"type": "str", "required": True}, "port": {"type": "int", "required": True}},
            },
            "wait": {"type": "float", "default": 0},
        },
        supports_check_mode=True,
    )
    unit, ports = module.params["unit"], set(module.params["local_ports"])
    resolved = {item["address"]: resolve(item["address"]) for item in module.params["expect"]}
    wanted = [(set(resolved[item["address"]]), item["port"]) for item in module.params["expect"]]
    end = time.monotonic() + module.params["wait"]
    found: set[Connection] = set()
    pids: list[int] = []
    owner: Owner | None = None
    try:
        group = control_group(unit) if unit else ""
        while True:
            if unit:
                pids = processes_of(group)
                owner = owner_of(pids)
            sockets = read_sockets()
            found |= connections(sockets, ports, owner)
            if all_seen(found, wanted) or time.monotonic() >= end or (unit and not pids):
                break
            time.sleep(_PAUSE)
    except PermissionError as exc:
        module.fail_json(msg=f"Only root may look at the processes of {unit} ({exc}). Set become: true for this task.")
    except (OSError, subprocess.TimeoutExpired) as exc:
        module.fail_json(msg=f"The connections of this host cannot be read: {exc}.")
    module.exit_json(
        changed=False,
        connections=[one._asdict() for one in sorted(found)],
        addresses=parse_own_addresses(_read("/proc/net/fib_trie"), _read("/proc/net/if_inet6")),
        listening=listening_ports(sockets, owner),
        resolved=resolved,
        processes=len(pids),
    )


if __name__ == "__main__":
    main()
