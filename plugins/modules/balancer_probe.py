#!/usr/bin/python
# Copyright: the ivy.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: balancer_probe
short_description: Sends HTTPS requests to a load balancer as a browser would and tells which nodes answer
version_added: 0.1.0
description:
  - Connects to one balancer by its address, with the public name in the TLS handshake and in the header C(Host), and
    checks its certificate against the cluster's CA.
  - Sends requests of new users, who have no cookie and should reach every node, and then requests of one user, who
    should stay.
  - What does not work is told in RV(problems) and makes no failed task, so that a report can name it beside other
    findings.
  - Sends C(GET) requests only and changes nothing, so check mode is the same.
options:
  address:
    description: Address or name of the balancer.
    type: str
    required: true
  port:
    description: Its port for HTTPS.
    type: int
    default: 443
  host:
    description: The public name, with the port where it is not 443, as it stands in the public URL.
    type: str
    required: true
  path:
    description: Path of a page that answers without a login.
    type: str
    default: /
  ca_file:
    description:
      - File with the certificates of trusted authorities on the host where the module runs.
      - Empty uses those that the host trusts.
    type: path
    default: ""
  cookie:
    description: Name of the balancer's cookie.
    type: str
    default: IVYNODE
  new_users:
    description: Number of requests without a cookie.
    type: int
    default: 9
  returns:
    description: Number of requests with the cookie that the first of them received.
    type: int
    default: 5
  node_pattern:
    description:
      - Regular expression with one group that finds a node's name in the page, as the node itself tells it.
      - Without it only the balancer's cookie tells who answered.
    type: str
    default: ""
  status:
    description: HTTP statuses that count as an answer.
    type: list
    elements: int
    default: [200]
  timeout:
    description: Greatest number of seconds for one request.
    type: float
    default: 10
author:
  - The ivy.cluster contributors (@ivy-cluster)
extends_documentation_fragment:
  - ivy.cluster.attributes
seealso:
  - module: ivy.cluster.balancer_info
"""

EXAMPLES = r"""
- name: See from the balancer's own host whether users reach every node and stay on one
  ivy.cluster.balancer_probe:
    address: 192.0.2.10
    host: ivy.example.com
    ca_file: /etc/ivy-cluster-pki/ca.pem
  register: probe

- name: Refuse a balancer that leaves out a node
  ansible.builtin.assert:
    that:
      - probe.problems | length == 0
      - probe.new_users.nodes | length == groups['engine_nodes'] | length

- name: Ask the pages which node made them
  ivy.cluster.balancer_probe:
    address: 192.0.2.10
    host: ivy.example.com:8443
    path: /demo/
    node_pattern: 'data-node="([^"]+)"'
"""

RETURN = r"""
ok:
  description: Whether there are no problems.
  returned: success
  type: bool
  sample: true
problems:
  description: What is wrong, in words.
  returned: success
  type: list
  elements: str
  sample: []
tls:
  description: The TLS connection.
  returned: success
  type: dict
  contains:
    ok:
      description: Whether the certificate is valid for the name and comes from a trusted authority.
      type: bool
      sample: true
    version:
      description: Version of the protocol.
      type: str
      sample: TLSv1.3
    cipher:
      description: The cipher.
      type: str
      sample: TLS_AES_256_GCM_SHA384
    subject:
      description: Common name of the certificate.
      type: str
      sample: ivy.example.com
    issuer:
      description: Common name of who signed it.
      type: str
      sample: demo cluster CA
    not_after:
      description: Its last day, ISO 8601.
      type: str
      sample: "2027-11-22T16:31:11Z"
    days_left:
      description: Whole days until then.
      type: int
      sample: 364
cookie:
  description: The balancer's cookie.
  returned: success
  type: dict
  contains:
    name:
      description: Its name.
      type: str
      sample: IVYNODE
    value:
      description: What the user that returns has in it.
      type: str
      sample: engine2
    secure:
      description: Whether browsers send it over TLS only.
      type: bool
      sample: true
    http_only:
      description: Whether scripts cannot read it.
      type: bool
      sample: true
    same_site:
      description: Which requests from other sites carry it.
      type: str
      sample: Lax
new_users:
  description: The requests without a cookie.
  returned: success
  type: dict
  contains:
    requests:
      description: How many were answered as expected.
      type: int
      sample: 9
    nodes:
      description: How many answers came from each node.
      type: dict
      sample: {engine1: 3, engine2: 3, engine3: 3}
    statuses:
      description: How many answers had each HTTP status.
      type: dict
      sample: {"200": 9}
returns:
  description: The requests with the cookie.
  returned: success
  type: dict
  contains:
    requests:
      description: How many were answered as expected.
      type: int
      sample: 5
    nodes:
      description: How many answers came from each node.
      type: dict
      sample: {engine2: 5}
    statuses:
      description: How many answers had each HTTP status.
      type: dict
      sample: {"200": 5}
    stayed:
      description: Whether all came from one node, and from the one that the cookie names.
      type: bool
      sample: true
"""

import http.client
import os
import re
import socket
import ssl
import time
from collections import Counter
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from typing import Any

from ansible.module_utils.basic import AnsibleModule


@dataclass(frozen=True)
class Target:
    """Where the requests go, and under which name."""

    address: str
    port: int
    host: str
    path: str
    cookie: str
    timeout: float
    node_pattern: str

    @property
    def server_name(self) -> str:
        """The public name without its port."""
        if self.host.startswith("["):
            return self.host[1:].partition("]")[0]
        return self.host.partition(":")[0]


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    cookie: dict[str, Any] | None
    node: str


class TargetHTTPSConnection(http.client.HTTPSConnection):
    """A connection to the balancer's address under the public name."""

    def __init__(self, target: Target, context: ssl.SSLContext) -> None:
        super().__init__(target.server_name, target.port, timeout=target.timeout, context=context)
        self._target = target
        self._tls = context

    def connect(self) -> None:
        plain = socket.create_connection((self._target.address, self._target.port), self._target.timeout)
        try:
            self.sock = self._tls.wrap_socket(plain, server_hostname=self._target.server_name)
        except BaseException:
            plain.close()
            raise


def describe_tls(connection: ssl.SSLSocket) -> dict[str, Any]:
    """What a browser would show behind the lock."""
    certificate: dict[str, Any] = connection.getpeercert() or {}
    ends = ssl.cert_time_to_seconds(certificate["notAfter"])
    cipher = connection.cipher()
    return {
        "ok": True,
        "version": connection.version() or "",
        "cipher": cipher[0] if cipher else "",
        "subject": common_name(certificate.get("subject", ())),
        "issuer": common_name(certificate.get("issuer", ())),
        "not_after": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(ends)),
        "days_left": int((ends - time.time()) // 86400),
    }


def common_name(name: Any) -> str:
    """The common name in a distinguished name as Python's ssl module gives it."""
    return next((value for part in name for key, value in part if key == "commonName"), "")


def find_cookie(headers: list[str], name: str) -> dict[str, Any] | None:
    """The balancer's cookie among the headers Set-Cookie."""
    for header in headers:
        try:
            morsel = SimpleCookie(header).get(name)
        except CookieError:
            continue
        if morsel is not None:
            return {
                "name": name,
                "value": morsel.value,
                "secure": bool(morsel["secure"]),
                "http_only": bool(morsel["httponly"]),
                "same_site": morsel["samesite"],
            }
    return None


def find_node(page: str, pattern: str) -> str:
    """The node's name as the page tells it."""
    match = re.search(pattern, page) if pattern else None
    return match.group(1) if match else ""


class Probe:
    """Sends the requests and collects what is found."""

    def __init__(self, target: Target, context: ssl.SSLContext, statuses: list[int]) -> None:
        self.target = target
        self.context = context
        self.statuses = statuses
        self.problems: list[str] = []
        self.tls: dict[str, Any] = {"ok": False}

    def request(self, cookie: str = "") -> Answer:
        """One request over a connection of its own, as of a new browser."""
        headers = {"Host": self.target.host, "User-Agent": "ivy-cluster-probe", "Connection": "close"}
        if cookie:
            headers["Cookie"] = f"{self.target.cookie}={cookie}"
        connection = TargetHTTPSConnection(self.target, self.context)
        try:
            connection.request("GET", self.target.path, headers=headers)
            if not self.tls["ok"] and isinstance(connection.sock, ssl.SSLSocket):
                self.tls = describe_tls(connection.sock)
            response = connection.getresponse()
            page = response.read(1048576).decode("utf-8", "replace")
            received = find_cookie(response.headers.get_all("Set-Cookie", []), self.target.cookie)
            return Answer(response.status, received, find_node(page, self.target.node_pattern))
        finally:
            connection.close()

    def requests(self, number: int, cookie: str = "") -> list[Answer]:
        """Several requests. Stops at the first that gets no answer, since the others would only wait as long again."""
        answers: list[Answer] = []
        try:
            answers.extend(self.request(cookie) for _index in range(number))
        except ssl.SSLCertVerificationError as error:
            self.problems.append(
                f"The certificate of {self.place} is not accepted: {error.verify_message.rstrip('.')}."
            )
        except ssl.SSLError as error:
            self.problems.append(f"There is no TLS connection to {self.place}: {error}.")
        except (OSError, http.client.HTTPException) as error:
            self.problems.append(f"{self.place} does not answer: {str(error) or type(error).__name__}.")
        return answers

    @property
    def place(self) -> str:
        """The balancer, for messages."""
        return f"{self.target.address}:{self.target.port}"

    def summarise(self, answers: list[Answer], nodes: list[str]) -> dict[str, Any]:
        """Count nodes and statuses; an unexpected status is a problem."""
        expected = [node for answer, node in zip(answers, nodes) if answer.status in self.statuses]
        for status, number in sorted(Counter(answer.status for answer in answers).items()):
            if status not in self.statuses:
                self.problems.append(f"{number} of {len(answers)} requests got status {status}.")
        return {
            "requests": len(expected),
            "nodes": dict(sorted(Counter(node for node in expected if node).items())),
            "statuses": dict(sorted(Counter(str(answer.status) for answer in answers).items())),
        }


def run_probe(probe: Probe, new_users: int, returns: int) -> dict[str, Any]:
    """All requests, and what follows from the answers."""
    first = probe.requests(new_users)
    fresh = probe.summarise(first, [answer.node or (answer.cookie or {}).get("value", "") for answer in first])
    cookie = next((answer.cookie for answer in first if answer.cookie and answer.status in probe.statuses), None)
    if first and cookie is None:
        probe.problems.append(f"No answer sets the cookie {probe.target.cookie}, so users do not stay on their node.")

    value = cookie["value"] if cookie else ""
    again = probe.requests(returns, value) if value else []
    # A new cookie means that the balancer sent the user elsewhere.
    came_from = [answer.node or (answer.cookie["value"] if answer.cookie else value) for answer in again]
    returned = probe.summarise(again, came_from)
    returned["stayed"] = bool(again) and not any(answer.cookie for answer in again) and len(set(came_from)) == 1
    if again and not returned["stayed"]:
        probe.problems.append(f"A user with the cookie {probe.target.cookie}={value} was sent to another node.")

    return {
        "ok": not probe.problems,
        "problems": probe.problems,
        "tls": probe.tls,
        "cookie": cookie or {},
        "new_users": fresh,
        "returns": returned,
    }


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            "address": {"type": "str", "required": True},
            "port": {"type": "int", "default": 443},
            "host": {"type": "str", "required": True},
            "path": {"type": "str", "default": "/"},
            "ca_file": {"type": "path", "default": ""},
            "cookie": {"type": "str", "default": "IVYNODE"},
            "new_users": {"type": "int", "default": 9},
            "returns": {"type": "int", "default": 5},
            "node_pattern": {"type": "str", "default": ""},
            "status": {"type": "list", "elements": "int", "default": [200]},
            "timeout": {"type": "float", "default": 10},
        },
        supports_check_mode=True,
    )
    options = module.params
    if options["ca_file"] and not os.path.isfile(options["ca_file"]):
        module.fail_json(msg=f"ca_file {options['ca_file']} is not a file on this host.")
    if not options["path"].startswith("/"):
        module.fail_json(msg=f"path {options['path']!r} has to begin with a slash.")
    try:
        groups = re.compile(options["node_pattern"]).groups
    except re.error as error:
        module.fail_json(msg=f"node_pattern is no regular expression: {error}.")
    if options["node_pattern"] and groups != 1:
        module.fail_json(msg=f"node_pattern has {groups} groups. It needs exactly one, around the node's name.")
    try:
        context = ssl.create_default_context(cafile=options["ca_file"] or None)
    except (ssl.SSLError, OSError) as error:
        module.fail_json(msg=f"ca_file {options['ca_file']} holds no certificate that can be read: {error}.")
    target = Target(
        address=options["address"],
        port=options["port"],
        host=options["host"],
        path=options["path"],
        cookie=options["cookie"],
        timeout=options["timeout"],
        node_pattern=options["node_pattern"],
    )
    probe = Probe(target, context, options["status"])
    module.exit_json(changed=False, **run_probe(probe, options["new_users"], options["returns"]))


if __name__ == "__main__":
    main()
