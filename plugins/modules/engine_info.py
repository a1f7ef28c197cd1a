#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: engine_info
short_description: Gathers the state of an engine on its node, and waits until it is ready
version_added: 0.1.0
description:
  - Gathers unit, process, applied and running configuration, health, peers, connections, licence and deployments.
  - On a host without an engine all values are null, and the module succeeds.
  - With O(until=ready) it is the gate that a node must pass before a rollout continues with the next node. The module
    repeats the checks and returns as soon as all of them hold.
options:
  http_port:
    description: The engine's HTTP port.
    type: int
    default: 8080
  host_header:
    description:
      - The public host, sent in the C(Host) header of the health check. A request with the node's address could fail
        the URL check of the licence.
    type: str
    default: ""
  health:
    description: The health check. Omit it to skip the check.
    type: dict
    suboptions:
      requests:
        description: Requests that the engine must answer as expected, in this order. Redirects are not followed.
        type: list
        elements: dict
        required: true
        suboptions:
          path:
            description: Path of the URL.
            type: str
            required: true
          status:
            description: Accepted statuses, in HAProxy's notation, such as V(200,301-303).
            type: str
            default: "200"
          require:
            description: Texts that only the engine's page contains. With them, an empty page is not accepted.
            type: list
            elements: str
            default: []
          reject:
            description: Texts of demo and maintenance mode. With them, an empty page is not accepted.
            type: list
            elements: str
            default: []
      headers:
        description: Headers of the requests, in addition to C(Host).
        type: dict
        default: {}
  jgroups:
    description: The other nodes. Omit it to skip the check of their connections.
    type: dict
    suboptions:
      transport:
        description:
          - The cluster's transport. With V(multicast) the nodes form a ring, and only neighbours are connected, over
            O(jgroups.fd_port).
        type: str
        choices: [tcp, multicast]
        default: tcp
      port:
        description: Port of JGroups.
        type: int
        default: 7800
      fd_port:
        description: Port of the failure detection.
        type: int
        default: 7900
      peers:
        description: Addresses of the other nodes.
        type: list
        elements: str
        default: []
  database:
    description: The system database. Omit it to skip the check of its connections.
    type: dict
    suboptions:
      address:
        description: Address or name.
        type: str
        required: true
      port:
        description: Port.
        type: int
        required: true
  search:
    description: The search engine. Omit it to skip the check of its connections.
    type: dict
    suboptions:
      address:
        description: Address or name.
        type: str
        required: true
      port:
        description: Port.
        type: int
        required: true
  until:
    description: V(ready) waits until the engine passes the gate, and fails if it does not.
    type: str
    choices: [ready]
  configuration:
    description:
      - Whether the gate requires that the running configuration equals the applied release.
      - After a start the engine may still rewrite C(${encrypt:...}) in its files. Pass the gate without this check
        first, accept the rewriting with M(ivy.cluster.shared_config), then pass the gate with this check.
    type: bool
    default: true
  wait:
    description: Maximum number of seconds to wait until the engine passes the gate.
    type: float
    default: 0
  guard_file:
    description: The file with the last result of the configuration guard, to read in the same call. Empty reads none.
    type: path
    default: ""
author:
  - The ivy.cluster contributors (@ivy-cluster)
extends_documentation_fragment:
  - ivy.cluster.attributes
  - ivy.cluster.node
  - ivy.cluster.node.record
seealso:
  - module: ivy.cluster.shared_config
"""

EXAMPLES = r"""
- name: Gather the state of the engine
  ivy.cluster.engine_info:
    roots:
      engine: /opt/ivy/current
  register: node

- name: Wait until the engine passes the gate
  ivy.cluster.engine_info:
    roots:
      engine: /opt/ivy/current
    host_header: ivy.example.com
    health:
      requests:
        - path: /
          status: 200,301-303,307-308
        - path: /system/info.jsp
          require: [Axon Ivy Engine]
          reject: [demo-portal, Maintenance Mode]
    jgroups:
      peers: [192.0.2.22, 192.0.2.23]
    database:
      address: 192.0.2.30
      port: 5432
    until: ready
    wait: 300
"""

RETURN = r"""
engine:
  description: The engine on this node.
  returned: always
  type: dict
  contains:
    shipped_jvm_options:
      description: Content of the C(jvm.options) with which the engine was shipped; null if it is not known.
      type: str
      sample: "-Xmx2g\\n-XX:+UseG1GC\\n"
    installed_version:
      description: Version of the engine; null if none is installed.
      type: str
      sample: 11.3.0
    unit:
      description: The unit as systemd reports it.
      type: dict
      sample: {known: true, active: active, sub: running, main_pid: 4711, restarts: 0, need_daemon_reload: false}
    start:
      description:
        - Result of the last attempt to start the engine since the host was booted; null if there was none.
        - C(state) is V(started), V(waiting) for a service that is temporarily unavailable (such as the file share or
          the database), V(pausing) because the engine ended too often, or V(refused) until an operator acts.
        - C(failures) is how many times in a row the engine ended soon after its start, and 0 once it has run for five
          minutes.
      type: dict
      sample: {state: started, reason: "", since: "2026-01-31T12:00:00Z", failures: 0}
    process:
      description: The engine's process; null if it does not run.
      type: dict
      sample: {pid: 4711, start_time: "2026-01-31T12:00:00Z"}
    applied:
      description: ID of the applied release.
      type: str
      sample: 3f2a9c0d1e4b5a6978c0d1e2f3a4b5c6
    applied_version:
      description: Version of the engine for which the applied release was built.
      type: str
      sample: 11.3.0
    interrupted:
      description: Whether an activation was interrupted.
      type: bool
      sample: false
    running:
      description: The configuration that the engine runs with; null if it does not run.
      type: dict
      sample: {active: true, release: 3f2a9c0d1e4b5a6978c0d1e2f3a4b5c6, modified: [], started: "2026-01-31T12:00:00Z"}
    restart_required:
      description: Whether the running engine must be restarted.
      type: bool
      sample: false
    restart_reasons:
      description: Why a restart is required.
      type: list
      elements: str
      sample: []
    restart_undecided:
      description: >-
        The reasons that do not count if only keys were changed that the engine reloads, by file. The node does not know
        these keys.
      type: dict
      sample: {configuration/ivy.yaml: configuration/ivy.yaml changed since the engine started}
    port_problem:
      description:
        - Which other process accepts connections on O(http_port), on whatever address, while the engine does not. Empty
          if there is none.
      type: str
      sample: port 8080 is held by nginx (pid 811, unit nginx.service), which is not the engine. Stop it.
    health:
      description: Result of the health check; null without O(health).
      type: dict
      sample: {status: 200, ok: true, reason: ""}
    peers:
      description: Connections of the engine's process to the other nodes; null without O(jgroups).
      type: dict
      sample: {connected: [192.0.2.22], expected_reachable: [192.0.2.22], missing: []}
    database_connections:
      description: Number of connections of the engine's process to the database.
      type: int
      sample: 5
    search_connections:
      description: Number of connections of the engine's process to the search engine.
      type: int
      sample: 1
    architecture:
      description: The machine of the host, as in the fact C(ansible_facts.architecture).
      type: str
      sample: x86_64
    licence:
      description: The licence on the node; null if there is none.
      type: dict
      sample:
        type: Enterprise Edition
        nodes: 5
        sessions: 200
        valid_from: "2026-11-03"
        valid_in_days: 0
        valid_until: "2027-11-03"
        days_left: 300
    deployments:
      description: The artefacts in the deploy directory C(deploy) of the engine, by state.
      type: dict
      sample: {deployed: [demo.zip], failed: [], pending: []}
record:
  description: The cluster record; null if there is none yet, or if it cannot be read.
  returned: record is set
  type: dict
  sample: {desired_release: 3f2a9c0d, operation: null}
record_problem:
  description: Why the record cannot be read; empty if it can be.
  returned: record is set
  type: str
  sample: ""
guard:
  description: The content of O(guard_file), empty if it cannot be read.
  returned: guard_file is set
  type: str
  sample: '{"state": "clean"}'
ready:
  description: Whether the engine passed the gate.
  returned: until is ready
  type: bool
  sample: true
waited:
  description: Seconds until the engine passed the gate or the wait ended.
  returned: until is ready
  type: float
  sample: 12.5
problems:
  description: The checks that failed.
  returned: until is ready
  type: list
  elements: dict
  sample: [{check: health, reason: "GET / answered 503"}]
log_tail:
  description: The last lines of the engine's logs.
  returned: on failure at the gate
  type: list
  elements: str
  sample: []
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ivy.cluster.plugins.module_utils.node import calls
from ansible_collections.ivy.cluster.plugins.module_utils.node.config import request

_SERVICE: dict[str, object] = {
    "type": "dict",
    "options": {"address": {"type": "str", "required": True}, "port": {"type": "int", "required": True}},
}
ARGUMENT_SPEC: dict[str, dict[str, object]] = {
    **request.COMMON,
    "http_port": {"type": "int", "default": 8080},
    "host_header": {"type": "str", "default": ""},
    "health": {
        "type": "dict",
        "options": {
            "requests": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {
                    "path": {"type": "str", "required": True},
                    "status": {"type": "str", "default": "200"},
                    "require": {"type": "list", "elements": "str", "default": []},
                    "reject": {"type": "list", "elements": "str", "default": []},
                },
            },
            "headers": {"type": "dict", "default": {}},
        },
    },
    "jgroups": {
        "type": "dict",
        "options": {
            "transport": {"type": "str", "choices": ["tcp", "multicast"], "default": "tcp"},
            "port": {"type": "int", "default": 7800},
            "fd_port": {"type": "int", "default": 7900},
            "peers": {"type": "list", "elements": "str", "default": []},
        },
    },
    "database": _SERVICE,
    "search": _SERVICE,
    "until": {"type": "str", "choices": ["ready"]},
    "configuration": {"type": "bool", "default": True},
    "wait": {"type": "float", "default": 0},
    "record": request.RECORD,
    "guard_file": {"type": "path", "default": ""},
}


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    result = calls.call("engine_info", module.params, module.check_mode, module._diff)
    (module.fail_json if result.get("failed") else module.exit_json)(**result)


if __name__ == "__main__":
    main()
