#!/usr/bin/python
# Copyright: the ivy.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: balancer_info
short_description: Asks a running HAProxy for its servers, its certificates and whether it needs a reload
version_added: 0.1.0
description:
  - Asks the process itself through its runtime socket, so it tells what is used and not what a file says.
  - A reload is needed where the process has loaded something else than what is on the disk now, no matter which run or
    which person changed it.
  - Runs on a load balancer and changes nothing, so check mode is the same.
options:
  socket:
    description: HAProxy's runtime socket.
    type: path
    default: /run/haproxy/admin.sock
  timeout:
    description: Greatest number of seconds to wait for an answer.
    type: float
    default: 10
  digest:
    description:
      - Digest that the configuration on the disk carries in C(description) of its section C(global).
      - Where the process shows another one, it has loaded another configuration. Empty skips the comparison.
    type: str
    default: ""
  files:
    description:
      - Files that HAProxy reads at its start and at a reload, such as its configuration and error pages.
      - One that was changed after the process had started makes a reload necessary.
      - Certificates need not be listed, since HAProxy tells which ones it uses.
    type: list
    elements: path
    default: []
  authority_file:
    description: File of this host with certificates of authorities whose end is to be told. None where there is none.
    type: path
    default: ""
author:
  - The ivy.cluster contributors (@ivy-cluster)
extends_documentation_fragment:
  - ivy.cluster.attributes
seealso:
  - module: ivy.cluster.balancer_probe
"""

EXAMPLES = r"""
- name: See which engine nodes the balancer uses
  ivy.cluster.balancer_info:
  register: balancer

- name: Name the nodes that get no new users
  ansible.builtin.debug:
    msg: "{{ balancer.servers | rejectattr('up') | map(attribute='name') | list }}"

- name: Find out whether the process uses the configuration and the certificate on the disk
  ivy.cluster.balancer_info:
    files:
      - /etc/haproxy/haproxy.cfg
  register: balancer
"""

RETURN = r"""
process:
  description: The process that answers.
  returned: success
  type: dict
  contains:
    version:
      description: HAProxy's version.
      type: str
      sample: 2.6.12-1+deb12u4
    pid:
      description: Process id of the worker. A reload changes it.
      type: int
      sample: 481
    started:
      description: When the worker started, in seconds since 1970.
      type: int
      sample: 1795364468
    connections:
      description: Connections that are open now.
      type: int
      sample: 12
    description:
      description: What C(description) in section C(global) says.
      type: str
      sample: ivy-cluster 3b5f0c0d2c1e4a5b
servers:
  description: Every server of every backend.
  returned: success
  type: list
  elements: dict
  contains:
    backend:
      description: Name of the backend.
      type: str
      sample: engine_nodes
    name:
      description: Name of the server.
      type: str
      sample: engine1
    address:
      description: Address and port.
      type: str
      sample: 192.0.2.21:8080
    status:
      description: HAProxy's own word for its state.
      type: str
      sample: UP
    up:
      description: Whether it is up for good. C(UP 1/3) is about to go down, C(DRAIN) gets no new users.
      type: bool
      sample: true
    check:
      description: Result of the last health check.
      type: dict
      contains:
        status:
          description: HAProxy's short name for the result.
          type: str
          sample: L7OK
        code:
          description: HTTP status.
          type: str
          sample: "200"
        reason:
          description: What HAProxy says about it.
          type: str
          sample: HTTP status check returned code <200>
    admin_state:
      description: What an administrator asked for, one of V(ready), V(drain) and V(maint).
      type: str
      sample: ready
    sessions:
      description: Requests and tunnels that are open now.
      type: int
      sample: 3
    sessions_total:
      description: Requests and tunnels since the start.
      type: int
      sample: 4711
    queue:
      description: Requests that wait for this server.
      type: int
      sample: 0
    weight:
      description: The weight that counts now, lower while a server is warming up.
      type: int
      sample: 100
    seconds_since_change:
      description: How long the server has been in its state.
      type: int
      sample: 86400
certificates:
  description: Every certificate that the process has loaded.
  returned: success
  type: list
  elements: dict
  contains:
    file:
      description: The file it was loaded from.
      type: str
      sample: /etc/ivy-cluster-pki/balancer.pem
    subject:
      description: Its subject.
      type: str
      sample: /CN=ivy.example.com
    not_after:
      description: Its last day, ISO 8601.
      type: str
      sample: "2027-11-22T16:31:11Z"
    days_left:
      description: Whole days until then.
      type: int
      sample: 364
    fingerprint:
      description: Its SHA-1 fingerprint.
      type: str
      sample: 5F1B0E6C0B7F0B6B0D4C6E0D8C8E8B0A1C2D3E4F
    current:
      description: Whether the file still holds this certificate.
      type: bool
      sample: true
authorities:
  description: The authorities in O(authority_file).
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Common name.
      type: str
      sample: prod cluster CA
    days_left:
      description: Whole days until its last one.
      type: int
      sample: 3649
reload_required:
  description: Whether the process uses something else than what is on the disk.
  returned: success
  type: bool
  sample: false
reload_reasons:
  description: Why, in words.
  returned: success
  type: list
  elements: str
  sample:
    - The certificate in /etc/ivy-cluster-pki/balancer.pem is not the one that the process serves.
"""

import os
import ssl
import time
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ivy.cluster.plugins.module_utils.haproxy_socket import (
    RuntimeSocket,
    RuntimeSocketError,
    authority_ends,
    describe_servers,
    fingerprint,
    parse_info,
    parse_server_states,
    parse_statistics,
)


def read_text(path: str) -> str:
    """The text of a file; empty when there is none."""
    try:
        with open(path, encoding="utf-8", errors="replace") as stream:
            return stream.read()
    except OSError:
        return ""


def describe_certificate(path: str, answer: str, now: float) -> dict[str, Any]:
    """Join what the process says about a certificate with what its file holds."""
    loaded = parse_info(answer)
    ends = ssl.cert_time_to_seconds(loaded["notAfter"])
    return {
        "file": path,
        "subject": loaded.get("Subject", ""),
        "not_after": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(ends)),
        "days_left": int((ends - now) // 86400),
        "fingerprint": loaded.get("SHA1 FingerPrint", ""),
        "current": fingerprint(read_text(path)) == loaded.get("SHA1 FingerPrint", ""),
    }


def loaded_certificates(runtime: RuntimeSocket) -> list[dict[str, Any]]:
    """Every certificate that the process serves."""
    listed = runtime.command("show ssl cert").splitlines()
    paths = [line.strip() for line in listed if line.strip() and not line.startswith(("#", "*"))]
    return [describe_certificate(path, runtime.command(f"show ssl cert {path}"), time.time()) for path in paths]


def describe_authorities(path: str, now: float) -> list[dict[str, Any]]:
    """Every authority that a file on this host names."""
    ends = authority_ends(path) if path else {}
    return [{"name": name, "days_left": int((end - now) // 86400)} for name, end in ends.items()]


def changed_after(path: str, started: int) -> bool:
    """Whether a file was changed in a later second than the process started in.

    The second of the start itself does not count: a file written just before a reload would ask for ever for another.
    """
    try:
        return int(os.stat(path).st_ctime) > started
    except OSError:
        return False


def reasons_to_reload(
    process: dict[str, Any], certificates: list[dict[str, Any]], digest: str, files: list[str]
) -> list[str]:
    """Say in words what the process does not have yet."""
    reasons = []
    if digest and digest not in process["description"].split():
        reasons.append("The process has loaded another configuration than the one on the disk.")
    reasons.extend(
        f"{path} was changed after the process had started."
        for path in files
        if changed_after(path, process["started"])
    )
    reasons.extend(
        f"The certificate in {certificate['file']} is not the one that the process serves."
        for certificate in certificates
        if not certificate["current"]
    )
    return reasons


def describe_process(answer: str) -> dict[str, Any]:
    """Understand `show info`."""
    info = parse_info(answer)
    return {
        "version": info.get("Version", ""),
        "pid": int(info["Pid"]),
        "started": int(info.get("Start_time_sec") or time.time() - int(info["Uptime_sec"])),
        "connections": int(info.get("CurrConns", 0)),
        "description": info.get("description", ""),
    }


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            "socket": {"type": "path", "default": "/run/haproxy/admin.sock"},
            "timeout": {"type": "float", "default": 10},
            "digest": {"type": "str", "default": ""},
            "files": {"type": "list", "elements": "path", "default": []},
            "authority_file": {"type": "path", "default": ""},
        },
        supports_check_mode=True,
    )
    runtime = RuntimeSocket(module.params["socket"], module.params["timeout"])
    try:
        process = describe_process(runtime.command("show info"))
        servers = describe_servers(
            parse_statistics(runtime.command("show stat")),
            parse_server_states(runtime.command("show servers state")),
        )
        certificates = loaded_certificates(runtime)
    except RuntimeSocketError as error:
        module.fail_json(msg=str(error))
    reasons = reasons_to_reload(process, certificates, module.params["digest"], module.params["files"])
    module.exit_json(
        changed=False,
        process=process,
        servers=servers,
        certificates=certificates,
        authorities=describe_authorities(module.params["authority_file"], time.time()),
        reload_required=bool(reasons),
        reload_reasons=reasons,
    )


if __name__ == "__main__":
    main()
