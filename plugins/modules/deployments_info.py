#!/usr/bin/python
# Copyright: the ivy.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: deployments_info
short_description: Lists the artefacts in an engine's deploy directory and those that the collection placed there
version_added: 0.1.0
description:
  - Lists every artefact in the engine's deploy directory with its digest and state, and the digests that
    M(ivy.cluster.application) recorded.
  - A comparison of both shows artefacts that were added or replaced by other means.
options:
  deploy_directory:
    description: The directory from which the engine deploys.
    type: path
    required: true
  store:
    description: The node's store, which records what was placed.
    type: path
    default: /var/lib/ivy-cluster
  unit:
    description: The engine's unit.
    type: str
    default: axonivy-engine.service
author:
  - The ivy.cluster contributors (@ivy-cluster)
extends_documentation_fragment:
  - ivy.cluster.attributes
seealso:
  - module: ivy.cluster.application
"""

EXAMPLES = r"""
- name: Gather the deployments
  ivy.cluster.deployments_info:
    deploy_directory: /opt/ivy/current/deploy
  register: deployments

- name: Print the artefacts that the collection did not place
  ansible.builtin.debug:
    msg: "{{ deployments.artefacts | rejectattr('name', 'in', deployments.placed) | map(attribute='name') | list }}"
"""

RETURN = r"""
artefacts:
  description: The artefacts in the deploy directory, sorted by name.
  returned: always
  type: list
  elements: dict
  contains:
    name:
      description: Path below the deploy directory, without the ending that the engine adds.
      type: str
      sample: demo.zip
    state:
      description: One of V(deployed), V(failed), V(pending).
      type: str
      sample: deployed
    sha256:
      description: SHA-256 of its content.
      type: str
      sample: 6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b
    time:
      description: When the engine deployed it, or when it was placed, in seconds since 1970.
      type: float
      sample: 1795364468.5
placed:
  description: SHA-256 of each artefact that M(ivy.cluster.application) placed there, by name.
  returned: always
  type: dict
  sample: {demo.zip: 6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b}
started:
  description: Start time of the engine's process in seconds since 1970; 0 if it does not run.
  returned: always
  type: float
  sample: 1795364400.0
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ivy.cluster.plugins.module_utils.node import calls

ARGUMENT_SPEC: dict[str, dict[str, object]] = {
    "deploy_directory": {"type": "path", "required": True},
    "store": {"type": "path", "default": "/var/lib/ivy-cluster"},
    "unit": {"type": "str", "default": "axonivy-engine.service"},
}


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    result = calls.call("deployments_info", module.params, module.check_mode, module._diff)
    (module.fail_json if result.get("failed") else module.exit_json)(**result)


if __name__ == "__main__":
    main()
