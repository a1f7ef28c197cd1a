#!/usr/bin/python
# Copyright: the ivy.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: preflight_facts
short_description: Looks at a host before anything is installed on it
version_added: 0.1.0
description:
  - Tells in one round trip what the role P(ivy.cluster.preflight#role) wants to know of a host.
  - Changes nothing. Where it is asked to, it leaves a process behind that listens on ports that nobody uses and keeps
    one small file on the share, so that other hosts can try both. As long as that process holds ports, an empty file in
    C(/run) tells later looks of it. M(ivy.cluster.preflight_cleanup) ends it; by itself it
    ends after O(seconds).
  - Where such a process of another run holds ports, it waits some seconds for it.
  - Does so in check mode, too, since nothing of it lasts.
options:
  ports:
    description: The TCP ports that services of this host need.
    type: list
    elements: dict
    default: []
    suboptions:
      port:
        description: The port.
        type: int
        required: true
      addresses:
        description: On what the service will listen; V(*) stands for every address.
        type: list
        elements: str
        default: ["*"]
      unit:
        description: The service's systemd unit. While it starts or runs, no other process takes its port.
        type: str
        default: ""
      listen:
        description: Whether to listen on the port for some seconds, when it is free.
        type: bool
        default: false
  names:
    description: Names to resolve, beside the host's own.
    type: list
    elements: str
    default: []
  paths:
    description: Where something will be written. They need not exist.
    type: list
    elements: path
    default: []
  installed:
    description: Patterns of paths, each under a name of its own. At least one path that fits means that it is there.
    type: dict
    default: {}
  packages:
    description: Packages that have to be there, or that apt has to be able to install.
    type: list
    elements: str
    default: []
  share:
    description: The shared directory. Without it the host has none.
    type: dict
    suboptions:
      root:
        description: Where the share is mounted.
        type: path
        required: true
      directory:
        description: The directory below O(share.root) that the engine uses.
        type: path
        required: true
      user:
        description: Name of the engine's user.
        type: str
        required: true
      group:
        description: Name of the engine's group.
        type: str
        required: true
      uid:
        description: Number of the engine's user. The user need not exist.
        type: int
        required: true
      gid:
        description: Number of the engine's group.
        type: int
        required: true
      name:
        description: Name of this host, part of the name of its file.
        type: str
        required: true
  trust_file:
    description: Certificate of the authority that this host may trust already.
    type: path
    default: ""
  time_zone:
    description: A time zone that the host has to know.
    type: str
    default: ""
  locale:
    description: A locale that the host has to have.
    type: str
    default: C.UTF-8
  token:
    description: What tells this run from others. Letters and digits.
    type: str
    required: true
  seconds:
    description: How long what it leaves behind lives at most.
    type: int
    default: 60
author:
  - The ivy.cluster contributors (@ivy-cluster)
extends_documentation_fragment:
  - ivy.cluster.attributes
seealso:
  - module: ivy.cluster.preflight_connect
  - module: ivy.cluster.preflight_cleanup
"""

EXAMPLES = r"""
- name: Look at a host
  ivy.cluster.preflight_facts:
    ports:
      - port: 8080
        unit: axonivy-engine.service
        listen: true
    paths:
      - /opt/ivy
    token: q7x1
  become: true
  register: host
"""

RETURN = r"""
started:
  description: The host's clock when it began, in seconds since 1970.
  returned: always
  type: float
  sample: 1750000000.25
ended:
  description: The host's clock when it was done.
  returned: always
  type: float
  sample: 1750000000.5
uid:
  description: The number of the user that it ran as.
  returned: always
  type: int
  sample: 0
system:
  description: Distribution, architecture, memory, time zone, locale, Python and kernel.
  returned: always
  type: dict
  sample: {os: {id: debian, version: "12"}, memory_mb: 7900}
disks:
  description: The file system of each path.
  returned: always
  type: list
  elements: dict
  sample: [{path: /opt/ivy, free_mb: 20000, size_mb: 40000, free_files: 100000, read_only: false}]
installed:
  description: Whether there is a path that fits each of O(installed).
  returned: always
  type: dict
  sample: {engine_archive: true}
ports:
  description: Who holds each port.
  returned: always
  type: list
  elements: dict
  sample: [{port: 8080, holders: [{program: nginx, pid: 811, unit: nginx.service, user: root}], quiet: true}]
under_way:
  description: Processes that hold ports for another preflight. Then it listens on no port itself.
  returned: always
  type: list
  elements: int
  sample: []
listening:
  description: The ports on which it listens for some seconds.
  returned: always
  type: list
  elements: int
  sample: [8080]
names:
  description: The addresses of each name, none for one that cannot be resolved.
  returned: always
  type: dict
  sample: {db.example.com: [192.0.2.30]}
hostname:
  description: The host's own name.
  returned: always
  type: str
  sample: engine1
packages:
  description: Missing packages, those that cannot be installed, those on hold, and automatic upgrades.
  returned: always
  type: dict
  sample: {missing: [], without_candidate: [], held: [], lists: true, upgrades: {enabled: false, blacklist: []}}
accounts:
  description: Which numbers the engine's names have here, and which names its numbers.
  returned: with O(share)
  type: dict
  sample: {uid: 1200, gid: 1200, name_of_uid: ivy, name_of_gid: ivy}
mount:
  description: The mount that the share lies on.
  returned: with O(share)
  type: dict
  sample: {target: /srv/ivy, type: nfs4, source: "nas:/ivy"}
probe:
  description: The file that was written to the share, or why none could be.
  returned: with O(share)
  type: dict
  sample: {directory: /srv/ivy/data, path: /srv/ivy/data/.ivy-preflight-q7x1-engine1, uid: 1200, gid: 1200, error: ""}
trusted:
  description: The certificate in O(trust_file), empty when there is none.
  returned: always
  type: str
  sample: ""
listener:
  description: The process that it left behind.
  returned: when there is one
  type: dict
  sample: {pid: 4711, start: "123456"}
"""

import os
import re
import socket
import time
import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ivy.cluster.plugins.module_utils.preflight import (
    disk,
    network,
    packages,
    port_listener,
    ports,
    share,
    system,
)

ARGUMENT_SPEC: dict[str, t.Any] = {
    "ports": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "port": {"type": "int", "required": True},
            "addresses": {"type": "list", "elements": "str", "default": ["*"]},
            "unit": {"type": "str", "default": ""},
            "listen": {"type": "bool", "default": False},
        },
    },
    "names": {"type": "list", "elements": "str", "default": []},
    "paths": {"type": "list", "elements": "path", "default": []},
    "installed": {"type": "dict", "default": {}},
    "packages": {"type": "list", "elements": "str", "default": []},
    "share": {
        "type": "dict",
        "options": {
            "root": {"type": "path", "required": True},
            "directory": {"type": "path", "required": True},
            "user": {"type": "str", "required": True},
            "group": {"type": "str", "required": True},
            "uid": {"type": "int", "required": True},
            "gid": {"type": "int", "required": True},
            "name": {"type": "str", "required": True},
        },
    },
    "trust_file": {"type": "path", "default": ""},
    "time_zone": {"type": "str", "default": ""},
    "locale": {"type": "str", "default": "C.UTF-8"},
    "token": {"type": "str", "required": True, "no_log": False},
    "seconds": {"type": "int", "default": 60},
}
_TOKEN = re.compile(r"[A-Za-z0-9]{1,64}\Z")
# Another preflight has let go by then, unless its run was killed.
_OTHERS_SECONDS = 10.0
_NAME = re.compile(r"[A-Za-z0-9._-]+\Z")


def listeners(wanted: list[dict[str, t.Any]], seen: list[dict[str, t.Any]]) -> list[tuple[int, socket.socket]]:
    """A listener for each port that others are to try, that nobody holds, and that nobody is about to take."""
    found = []
    for one, state in zip(wanted, seen):
        if one["listen"] and not state["holders"] and state["quiet"]:
            try:
                found.append((int(one["port"]), port_listener.listener(int(one["port"]))))
            except OSError as exc:
                state["error"] = exc.strerror or str(exc)
    return found


def look(given: dict[str, t.Any]) -> dict[str, t.Any]:
    hostname = socket.gethostname()
    under_way = port_listener.wait_for_others(_OTHERS_SECONDS) if given["ports"] else []
    seen = ports.look(given["ports"])
    if under_way:
        ports.without(seen, under_way)
    result: dict[str, t.Any] = {
        "changed": False,
        "uid": os.geteuid(),
        "system": system.look(given["time_zone"], given["locale"]),
        "disks": [disk.look(path) for path in given["paths"]],
        "installed": disk.there(given["installed"]),
        "ports": seen,
        "names": network.resolve_all([*given["names"], hostname]),
        "hostname": hostname,
        "packages": packages.look(given["packages"]),
        "trusted": system.read_text(given["trust_file"]) if given["trust_file"] else "",
    }
    file = None
    where = given["share"]
    if where is not None:
        result["accounts"] = system.accounts(where["user"], where["group"], where["uid"], where["gid"])
        result["mount"] = share.mount_of(where["root"], system.read_text("/proc/self/mountinfo"))
        probe = share.write(
            where["root"], where["directory"], given["token"], where["name"], where["uid"], where["gid"]
        )
        result["probe"] = probe
        if probe["path"]:
            file = (probe["path"], probe["uid"], probe["gid"])
    opened = [] if under_way else listeners(given["ports"], seen)
    if any("error" in state for state in seen):
        # Both looked at the same moment, and the other one was quicker.
        under_way = port_listener.others()
    result["under_way"] = under_way
    result["listening"] = [port for port, _socket in opened]
    if opened or file:
        result["listener"] = port_listener.start([one for _port, one in opened], given["token"], file, given["seconds"])
    return result


def main() -> None:
    started = time.time()
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    given = module.params
    if not _TOKEN.match(given["token"]):
        module.fail_json(msg="token may hold letters and digits only, since it becomes part of a file name.")
    if given["share"] and not _NAME.match(given["share"]["name"]):
        module.fail_json(
            msg=f"share.name: '{given['share']['name']}' becomes part of a file name, so it may hold letters, digits, "
            "dots, dashes and underscores only."
        )
    result = look(given)
    module.exit_json(started=started, ended=time.time(), **result)


if __name__ == "__main__":
    main()
