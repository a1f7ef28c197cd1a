#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: engine_info
short_description: Tells the state of an engine on its node, and waits at the gate
version_added: 0.1.0
description:
  - Looks at unit, process, applied and running configuration, health, peers, connections, licence and deployments.
  - On a host without an engine everything is null, and nothing fails.
  - With O(until=ready) it is the gate that a node must pass before the next one is touched. It looks again until
    everything holds, and returns as soon as it does.
options:
  http_port:
    description: The engine's HTTP port.
    type: int
    default: 8080
  host_header:
    description:
      - The public host, in whose name the health check asks. A check by address could meet the licence's URL check.
    type: str
    default: ""
  health:
    description: How to ask for health. Left out, nobody asks.
    type: dict
    suboptions:
      path:
        description: Path of the URL.
        type: str
        default: /
      reject:
        description: Texts that a page of an engine in demo or maintenance mode shows.
        type: list
        elements: str
        default: []
  jgroups:
    description: Where the other nodes are. Left out, nobody looks.
    type: dict
    suboptions:
      transport:
        description:
          - The cluster's transport. With V(multicast) only neighbours in a ring are connected over
            O(jgroups.fd_port).
        type: str
        choices: [tcp, multicast]
        default: tcp
      port:
        description: JGroups' port.
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
    description: The system database. Left out, nobody looks.
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
    description: The search engine. Left out, nobody looks.
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
  deploy_directory:
    description: The deploy directory; by default C(deploy) in the engine's directory.
    type: path
    default: ""
  until:
    description: V(ready) waits until the engine passes the gate and fails when it does not.
    type: str
    choices: [ready]
  configuration:
    description:
      - Whether the gate demands that what runs is what is applied.
      - Right after a start the engine may still rewrite C(${encrypt:...}) in its files. Pass the gate without this
        first, then accept the rewriting with M(ivy.cluster.shared_config), then look at the configuration too.
    type: bool
    default: true
  wait:
    description: Seconds to wait at the gate.
    type: float
    default: 0
author:
  - The ivy.cluster contributors (@ivy-cluster)
extends_documentation_fragment:
  - ivy.cluster.attributes
  - ivy.cluster.node
seealso:
  - module: ivy.cluster.shared_config
"""

EXAMPLES = r"""
- name: Look at the engine
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
      path: /
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
    installed_version:
      description: Version of the engine; null when there is none.
      type: str
      sample: 11.3.0
    unit:
      description: The unit as systemd sees it.
      type: dict
      sample: {known: true, active: active, sub: running, main_pid: 4711, restarts: 0, need_daemon_reload: false}
    start:
      description:
        - What became of the last attempt to start the engine since the host was started; null when there was none.
        - C(state) is V(started), or V(waiting) for something that passes (such as a file share or a
          database that is away), V(pausing) because the engine ended too often, or V(refused) until somebody acts.
        - C(failures) is how often in a row the engine ended soon after its start.
      type: dict
      sample: {state: started, reason: "", since: "2026-01-31T12:00:00Z", failures: 0}
    process:
      description: The engine's process; null when it does not run.
      type: dict
      sample: {pid: 4711, start_time: "2026-01-31T12:00:00Z"}
    applied:
      description: Id of the active release.
      type: str
      sample: 3f2a9c0d1e4b5a6978c0d1e2f3a4b5c6
    interrupted:
      description: Whether an activation was cut off.
      type: bool
      sample: false
    running:
      description: What the engine runs with; null when it does not run.
      type: dict
      sample: {active: true, release: 3f2a9c0d1e4b5a6978c0d1e2f3a4b5c6, modified: [], started: "2026-01-31T12:00:00Z"}
    restart_required:
      description: Whether the running engine must be restarted.
      type: bool
      sample: false
    restart_reasons:
      description: Why, in words.
      type: list
      elements: str
      sample: []
    health:
      description: Answer to the health check; null when nobody asked.
      type: dict
      sample: {status: 200, ok: true, reason: ""}
    peers:
      description: The other nodes as seen from the engine's process; null when nobody looked.
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
    licence:
      description: The licence on the node; null when there is none.
      type: dict
      sample: {type: Enterprise Edition, nodes: 5, valid_until: "2027-11-03", days_left: 300}
    deployments:
      description: What the markers in the deploy directory say.
      type: dict
      sample: {deployed: [demo.zip], failed: [], pending: []}
ready:
  description: Whether the engine passed the gate.
  returned: until is ready
  type: bool
  sample: true
waited:
  description: Seconds until the gate was passed or given up.
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

from ansible_collections.ivy.cluster.plugins.module_utils.node.config import request
from ansible_collections.ivy.cluster.plugins.module_utils.node.files.errors import NodeError
from ansible_collections.ivy.cluster.plugins.module_utils.node.gate import state as look


def argument_spec() -> dict[str, dict[str, object]]:
    place: dict[str, object] = {
        "type": "dict",
        "options": {"address": {"type": "str", "required": True}, "port": {"type": "int", "required": True}},
    }
    return {
        **request.COMMON,
        "http_port": {"type": "int", "default": 8080},
        "host_header": {"type": "str", "default": ""},
        "health": {
            "type": "dict",
            "options": {
                "path": {"type": "str", "default": "/"},
                "reject": {"type": "list", "elements": "str", "default": []},
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
        "database": place,
        "search": place,
        "deploy_directory": {"type": "path", "default": ""},
        "until": {"type": "str", "choices": ["ready"]},
        "configuration": {"type": "bool", "default": True},
        "wait": {"type": "float", "default": 0},
    }


def main() -> None:
    module = AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True)
    params = module.params
    settings = request.settings(params)
    wanted = look.Wanted(
        http_port=params["http_port"],
        host_header=params["host_header"],
        health=params["health"],
        jgroups=params["jgroups"],
        database=params["database"],
        search=params["search"],
        deploy_directory=params["deploy_directory"],
        configuration=params["configuration"],
    )
    try:
        if params["until"] is None:
            facts = look.state(settings, params["store"], wanted)
            facts.pop("age")
            module.exit_json(changed=False, engine=facts)
        facts, problems, waited = look.gate(settings, params["store"], wanted, params["wait"])
        facts.pop("age")
        result = {
            "changed": False,
            "engine": facts,
            "ready": not problems,
            "waited": round(waited, 1),
            "problems": problems,
        }
        if problems:
            reasons = "; ".join(f"{one['check']}: {one['reason']}" for one in problems)
            module.fail_json(
                msg=f"The engine did not pass the gate within {params['wait']:.0f} seconds: {reasons}. "
                "The last lines of its logs are in log_tail.",
                log_tail=look.log_tail(settings),
                **result,
            )
        module.exit_json(**result)
    except NodeError as exc:
        module.fail_json(msg=str(exc))


if __name__ == "__main__":
    main()
