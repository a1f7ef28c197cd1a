#!/usr/bin/python
# Copyright: the ivy.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: balancer_server
short_description: Drains a server of a running HAProxy, takes it out, or lets HAProxy use it again
version_added: 0.1.0
description:
  - Sets state, weight and persistence of the server in every backend that lists it, through HAProxy's runtime socket,
    and waits for the effect if O(wait_for) names one. What is set is saved at once, so that it outlives reloads,
    restarts and crashes of HAProxy that the role C(haproxy) has set up.
  - Acts on one load balancer. Run it on each of them.
  - Only what can be set counts as changed, never the number of requests, and never the end of a session.
options:
  name:
    description: Name of the server.
    type: str
    required: true
  backend:
    description: Acts in this backend only. It is an error if there is no such backend.
    type: str
  must_exist:
    description: Whether it is an error if no backend lists the server. Otherwise nothing changes.
    type: bool
    default: true
  state:
    description:
      - V(maint) sends no request to the server any more. A few seconds later its sessions end.
      - V(drain) sends only requests of users who already have a session on it. See O(ignore_cookie).
      - V(ready) uses it as soon as its health checks pass, and follows its cookie again.
      - V(restored) ends what a run has set. It sets each server that is in maintenance, or whose cookie is ignored, to
        its state in O(before), or to V(ready), and follows its cookie again unless that state is V(closed). It leaves
        the others as they are, since somebody has changed them in the meantime.
    type: str
    choices: [ready, drain, maint, restored]
  before:
    description:
      - With O(state=restored), the state by backend, V(ready), V(drain), V(maint) or V(closed). V(closed) is a drained
        server whose cookie is ignored.
    type: dict
    default: {}
  weight:
    description:
      - Share of the new users, 0 to 256. With V(0) there are none, and users who have a session on the server stay.
    type: int
  ignore_cookie:
    description:
      - Whether a request whose cookie names this server goes to another one. Together with O(state=drain) the server
        gets no request any more, and those under way end.
      - It is an error for a server that is V(ready).
    type: bool
  wait_for:
    description:
      - V(requests) waits until no request is under way, V(sessions) until no WebSocket is open either. V(users) waits
        until there was no request for O(quiet) seconds. None of them waits for a server that is down.
      - V(up) waits until the server is fully up. C(UP 1/3) is about to go down, and is not.
      - Nothing is waited for in check mode.
    type: str
    choices: [none, users, requests, sessions, up]
    default: none
  wait:
    description: Maximum number of seconds to wait.
    type: float
    default: 60
  quiet:
    description: With O(wait_for=users), seconds without a request after which users count as gone.
    type: float
    default: 60
  at_deadline:
    description:
      - What to do when O(wait) is over. V(fail) fails. V(continue) returns RV(waited.done=false).
      - V(close) closes all that is under way, also the WebSockets that O(wait_for=requests) does not wait for, whether
        O(wait) is over or not.
    type: str
    choices: [fail, continue, close]
    default: fail
  socket:
    description: HAProxy's runtime socket.
    type: path
    default: /run/haproxy/admin.sock
  closed_nodes_file:
    description: The list of the nodes whose cookie is ignored, which HAProxy has loaded.
    type: path
    default: /var/lib/haproxy/closed-nodes
  state_file:
    description: The file from which HAProxy loads the states of its servers at a start. They are saved there.
    type: path
    default: /var/lib/haproxy/server-state
  configuration:
    description: HAProxy's configuration. The states are saved with its addresses and ports.
    type: path
    default: /etc/haproxy/haproxy.cfg
  timeout:
    description: Maximum number of seconds to wait for an answer of HAProxy.
    type: float
    default: 10
author:
  - The ivy.cluster contributors (@ivy-cluster)
extends_documentation_fragment:
  - ivy.cluster.attributes
seealso:
  - module: ivy.cluster.balancer_info
  - module: ivy.cluster.balancer_preference
"""

EXAMPLES = r"""
- name: Take a node out of the balancer
  ivy.cluster.balancer_server:
    name: engine3
    state: maint

- name: Drain a node, with at most a minute for the requests under way
  ivy.cluster.balancer_server:
    name: engine3
    state: drain
    ignore_cookie: true
    wait_for: requests
    wait: 60
    at_deadline: close

- name: Let the balancer use it again
  ivy.cluster.balancer_server:
    name: engine3
    state: ready
    wait_for: up

- name: Let the balancer use it as before
  ivy.cluster.balancer_server:
    name: engine3
    state: restored
    before:
      engine_nodes: drain
"""

RETURN = r"""
servers:
  description: The server in each backend afterwards. In check mode, as HAProxy would have it.
  returned: success
  type: list
  elements: dict
  contains:
    backend:
      description: Name of the backend.
      type: str
      sample: engine_nodes
    status:
      description: State in HAProxy's terms.
      type: str
      sample: MAINT
    up:
      description: Whether it is fully up.
      type: bool
      sample: false
    admin_state:
      description: Requested state.
      type: str
      sample: maint
    requested_weight:
      description: Requested weight.
      type: int
      sample: 100
    cookie_ignored:
      description: Whether requests whose cookie names the server go to another one.
      type: bool
      sample: false
    requests:
      description: Number of requests under way.
      type: int
      sample: 0
    websockets:
      description: Number of open WebSockets.
      type: int
      sample: 0
moved_users:
  description: Number of users who went to another server, because their cookie named the one that was drained last.
  returned: success
  type: int
  sample: 4
waited:
  description: The wait.
  returned: O(wait_for) is not V(none), and not in check mode
  type: dict
  contains:
    done:
      description: Whether it ended before O(wait) was over.
      type: bool
      sample: true
    seconds:
      description: How long it took.
      type: float
      sample: 4.2
closed:
  description: What was closed.
  returned: with O(at_deadline=close)
  type: dict
  contains:
    requests:
      description: Number of requests.
      type: int
      sample: 0
    websockets:
      description: Number of WebSockets.
      type: int
      sample: 2
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ivy.cluster.plugins.module_utils.haproxy import server_state
from ansible_collections.ivy.cluster.plugins.module_utils.haproxy.node_lists import CLOSED_NODES_FILE, moved_users
from ansible_collections.ivy.cluster.plugins.module_utils.haproxy.runtime_socket import (
    RuntimeSocket,
    RuntimeSocketError,
)
from ansible_collections.ivy.cluster.plugins.module_utils.haproxy.saved_states import CONFIGURATION_FILE, STATE_FILE

ARGUMENT_SPEC: dict[str, dict[str, object]] = {
    "name": {"type": "str", "required": True},
    "backend": {"type": "str"},
    "must_exist": {"type": "bool", "default": True},
    "state": {"type": "str", "choices": ["ready", "drain", "maint", "restored"]},
    "before": {"type": "dict", "default": {}},
    "weight": {"type": "int"},
    "ignore_cookie": {"type": "bool"},
    "wait_for": {"type": "str", "choices": ["none", "users", "requests", "sessions", "up"], "default": "none"},
    "wait": {"type": "float", "default": 60},
    "quiet": {"type": "float", "default": 60},
    "at_deadline": {"type": "str", "choices": ["fail", "continue", "close"], "default": "fail"},
    "socket": {"type": "path", "default": "/run/haproxy/admin.sock"},
    "closed_nodes_file": {"type": "path", "default": CLOSED_NODES_FILE},
    "state_file": {"type": "path", "default": STATE_FILE},
    "configuration": {"type": "path", "default": CONFIGURATION_FILE},
    "timeout": {"type": "float", "default": 10},
}
_WAITS = {
    "users": "its users are gone",
    "requests": "its requests have ended",
    "sessions": "its requests and WebSockets have ended",
    "up": "it is up",
}


def run(module: AnsibleModule) -> dict[str, object]:
    """The result of the module. Raises RuntimeSocketError."""
    params = module.params
    runtime = RuntimeSocket(params["socket"], params["timeout"])
    request = server_state.Request(
        name=params["name"],
        state=params["state"],
        weight=params["weight"],
        ignore_cookie=params["ignore_cookie"],
        before=params["before"],
        backend=params["backend"],
        must_exist=params["must_exist"],
        closed_file=params["closed_nodes_file"],
        state_file=params["state_file"],
        configuration_file=params["configuration"],
    )
    before, after = server_state.apply(runtime, request, module.check_mode)
    result: dict[str, object] = {"changed": server_state.changes(before, after), "servers": after}
    if module._diff and result["changed"]:
        result["diff"] = {"before": server_state.settings(before), "after": server_state.settings(after)}
    if params["wait_for"] != "none" and not module.check_mode:
        wait = server_state.Wait(params["wait_for"], params["wait"], params["quiet"])
        waited = server_state.wait_for(runtime, request, wait)
        result.update(servers=waited.servers, waited={"done": waited.done, "seconds": waited.seconds})
        if not waited.done and params["at_deadline"] == "fail":
            module.fail_json(
                msg=f"{request.name}: {params['wait']:g} seconds were over before {_WAITS[wait.condition]}. "
                f"Now: {server_state.describe(waited.servers)}.",
                **result,
            )
        if params["at_deadline"] == "close":
            result["closed"] = server_state.close_sessions(runtime, waited.servers, wait)
    return {**result, "moved_users": moved_users(runtime)}


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    params = module.params
    if not set(params["before"].values()) <= {"ready", "drain", "maint", server_state.CLOSED}:
        module.fail_json(msg="before: each state must be ready, drain, maint or closed.")
    if params["weight"] is not None and not 0 <= params["weight"] <= 256:
        module.fail_json(msg=f"weight: {params['weight']} is not between 0 and 256.")
    if params["wait_for"] == "up" and params["at_deadline"] == "close":
        module.fail_json(msg="at_deadline: close does not go with wait_for: up, which waits for a server in use.")
    try:
        result = run(module)
    except RuntimeSocketError as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
