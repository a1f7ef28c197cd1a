#!/usr/bin/python
# Copyright: the ivy.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: balancer_maintenance
short_description: Puts the service of a running HAProxy into maintenance, and back
version_added: 0.1.0
description:
  - In maintenance, HAProxy answers each request of a user with status 503, a page, C(Retry-After), and the header
    C(X-Service-State) with the value V(maintenance). The nodes and their health checks are not affected.
  - Acts on one load balancer. Run it on each of them. The state outlives reloads and restarts of HAProxy.
  - Only the state counts as changed, never the end of a request or a WebSocket.
options:
  state:
    description: Whether the service is in maintenance.
    type: str
    choices: ["on", "off"]
    required: true
  retry_after:
    description: Seconds after which clients are asked to come back (C(Retry-After)), 1 to 604800.
    type: int
    default: 300
  allowed_sources:
    description:
      - Addresses and networks whose requests still reach the nodes, such as those of administrators. Ignored with
        O(state=off).
    type: list
    elements: str
    default: []
  wait:
    description:
      - Maximum number of seconds to wait until the requests and WebSockets of users have ended that are under way when
        maintenance begins. Those of O(allowed_sources) may go on.
      - Nothing is waited for in check mode.
    type: float
    default: 60
  at_deadline:
    description: What to do with those that are left when O(wait) is over.
    type: str
    choices: [close, leave]
    default: close
  socket:
    description: HAProxy's runtime socket.
    type: path
    default: /run/haproxy/admin.sock
  file:
    description: The list with the state, which HAProxy has loaded.
    type: path
    default: /var/lib/haproxy/maintenance
  sources_file:
    description: The list of the allowed addresses, which HAProxy has loaded.
    type: path
    default: /var/lib/haproxy/maintenance-sources
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
  - module: ivy.cluster.balancer_server
"""

EXAMPLES = r"""
- name: Show the maintenance page to all but two administrators
  ivy.cluster.balancer_maintenance:
    state: "on"
    retry_after: 1800
    allowed_sources: [192.0.2.10, 192.0.2.11]

- name: Let users in again
  ivy.cluster.balancer_maintenance:
    state: "off"
"""

RETURN = r"""
maintenance:
  description: The state afterwards. In check mode, as it would be.
  returned: success
  type: dict
  contains:
    active:
      description: Whether the service is in maintenance.
      type: bool
      sample: true
    retry_after:
      description: Seconds of C(Retry-After).
      type: int
      sample: 300
    allowed_sources:
      description: Networks whose requests still reach the nodes.
      type: list
      elements: str
      sample: [192.0.2.10/32]
    since:
      description: When maintenance began, in ISO 8601 format; empty out of maintenance.
      type: str
      sample: "2026-11-29T10:00:00Z"
waited:
  description: The wait.
  returned: with O(state=on), and not in check mode
  type: dict
  contains:
    done:
      description: Whether all requests and WebSockets of users had ended before O(wait) was over.
      type: bool
      sample: true
    seconds:
      description: How long it took.
      type: float
      sample: 4.2
closed:
  description: What was closed.
  returned: with O(state=on), and not in check mode
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

import time

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ivy.cluster.plugins.module_utils.haproxy import maintenance
from ansible_collections.ivy.cluster.plugins.module_utils.haproxy.runtime_socket import (
    RuntimeSocket,
    RuntimeSocketError,
)

ARGUMENT_SPEC: dict[str, dict[str, object]] = {
    "state": {"type": "str", "choices": ["on", "off"], "required": True},
    "retry_after": {"type": "int", "default": 300},
    "allowed_sources": {"type": "list", "elements": "str", "default": []},
    "wait": {"type": "float", "default": 60},
    "at_deadline": {"type": "str", "choices": ["close", "leave"], "default": "close"},
    "socket": {"type": "path", "default": "/run/haproxy/admin.sock"},
    "file": {"type": "path", "default": maintenance.MAINTENANCE_FILE},
    "sources_file": {"type": "path", "default": maintenance.SOURCES_FILE},
    "timeout": {"type": "float", "default": 10},
}
_LONGEST_RETRY = 7 * 86400


def problems(module: AnsibleModule) -> list[str]:
    """What is wrong with the options."""
    params = module.params
    found = [f"allowed_sources: {problem}" for problem in maintenance.source_problems(params["allowed_sources"])]
    if not 1 <= params["retry_after"] <= _LONGEST_RETRY:
        found.append(f"retry_after: {params['retry_after']} is not between 1 and {_LONGEST_RETRY}.")
    if params["wait"] < 0:
        found.append(f"wait: {params['wait']:g} is negative.")
    return found


def run(module: AnsibleModule) -> dict[str, object]:
    """The result of the module. Raises RuntimeSocketError."""
    params = module.params
    runtime = RuntimeSocket(params["socket"], params["timeout"])
    files = maintenance.Files(params["file"], params["sources_file"])
    before = maintenance.current(runtime, files)
    if before is None:
        raise RuntimeSocketError(
            f"HAProxy at {runtime.path} has not loaded {files.state} and {files.sources}, so it has no maintenance "
            "page. The playbook site sets it up."
        )
    wanted = maintenance.Maintenance(
        params["state"] == "on", params["retry_after"], maintenance.normalised(params["allowed_sources"])
    )
    after = maintenance.predicted(before, wanted, time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()))
    # The file may have been changed by hand, and would take effect with the next reload.
    changed = before != after or maintenance.saved(files) != after
    result: dict[str, object] = {"changed": changed, "maintenance": after.to_dict()}
    if module._diff and changed:
        stored = maintenance.saved(files)
        result["diff"] = {
            "before": {"process": before.settings(), "file": stored.settings() if stored else None},
            "after": {"process": after.settings(), "file": after.settings()},
        }
    if module.check_mode:
        return result
    if changed:
        maintenance.set_state(runtime, after, files)
    if after.active:
        wait = maintenance.Wait(params["wait"])
        ended = maintenance.end_sessions(runtime, after.allowed_sources, wait, params["at_deadline"] == "close")
        result.update(waited={"done": ended.done, "seconds": ended.seconds}, closed=ended.closed)
    return result


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    found = problems(module)
    if found:
        module.fail_json(msg=" ".join(found))
    try:
        result = run(module)
    except RuntimeSocketError as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
