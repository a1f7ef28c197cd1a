#!/usr/bin/python
# Copyright: the ivy.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: node_probes
short_description: Runs several modules that probe an engine node in one call
version_added: 0.1.0
description:
  - Runs the modules one after another on the node, with the code that M(ivy.cluster.shared_config) has cached there.
    Each would otherwise be a task of its own, with its own connection and process.
  - A probe that fails does not fail the task. Its result has RV(ignore:failed) and RV(ignore:msg).
  - On a node without the cached code the modules are sent one by one.
options:
  probes:
    description: The probes, in the order in which they run.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of the result.
        type: str
        required: true
      module:
        description: The module.
        type: str
        required: true
        choices: [connections_info, deployments_info, engine_info, http_probe, share_probe]
      options:
        description: The options of the module.
        type: dict
        required: true
  store:
    description: The state directory of the node, where M(ivy.cluster.shared_config) caches the code of the modules.
    type: path
    default: /var/lib/ivy-cluster
author:
  - The ivy.cluster contributors (@ivy-cluster)
extends_documentation_fragment:
  - ivy.cluster.attributes
seealso:
  - module: ivy.cluster.engine_info
  - module: ivy.cluster.connections_info
  - module: ivy.cluster.deployments_info
  - module: ivy.cluster.http_probe
  - module: ivy.cluster.share_probe
"""

EXAMPLES = r"""
- name: List the connections and the deployments of the engine
  ivy.cluster.node_probes:
    probes:
      - name: connections
        module: connections_info
        options:
          unit: axonivy-engine.service
      - name: deployments
        module: deployments_info
        options:
          deploy_directory: /opt/ivy/current/deploy
  become: true
  register: node
"""

RETURN = r"""
answers:
  description: The result of each module by the name of its probe.
  returned: success
  type: dict
  sample: {connections: {changed: false, connections: []}}
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

ARGUMENT_SPEC: dict[str, t.Any] = {
    "probes": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": {
            "name": {"type": "str", "required": True},
            "module": {
                "type": "str",
                "required": True,
                "choices": ["connections_info", "deployments_info", "engine_info", "http_probe", "share_probe"],
            },
            "options": {"type": "dict", "required": True},
        },
    },
    "store": {"type": "path", "default": "/var/lib/ivy-cluster"},
}


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    module.fail_json(msg="ivy.cluster.node_probes runs only through its action plugin.")


if __name__ == "__main__":
    main()
