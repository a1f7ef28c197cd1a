#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: application
short_description: Deploys an application on a node's engine
version_added: 0.1.0
description:
  - Places an artefact, with its options, in the directory from which the engine deploys. The artefact appears there
    atomically.
  - If the deployment fails, the artefact and the engine's files beside it are removed, and the one that was in use
    before counts as placed again.
  - The engine renames an artefact that it has deployed, so the store of the node records its digest. The same artefact
    is placed again only if its deployment failed or its marker is missing.
  - Up to 12.0.8 an engine deploys reliably only at its start. Place the artefact, start the engine, then wait.
options:
  src:
    description: Path of the artefact on the host.
    type: path
    required: true
  name:
    description: Path below O(deploy_directory), for instance V(demo.zip) or V(app/project.iar).
    type: str
    required: true
  deploy_directory:
    description: The directory from which the engine deploys.
    type: path
    required: true
  options:
    description: Deployment options, written to a file next to the artefact.
    type: dict
  sha256:
    description:
      - SHA-256 of the artefact. With it, check mode predicts the result also if O(src) is not there yet or is another
        file. Without check mode, another file is an error.
    type: str
    default: ""
  state:
    description:
      - V(placed) places the artefact, V(deployed) also waits until the engine has deployed it.
      - V(withdrawn) removes an artefact that the engine has not deployed, whatever its content.
    type: str
    choices: [placed, deployed, withdrawn]
    default: deployed
  timeout:
    description: Maximum number of seconds that O(state=deployed) waits.
    type: float
    default: 120
  store:
    description: The node's store, which records what was placed.
    type: path
    default: /var/lib/ivy-cluster
  owner:
    description: The engine's user.
    type: str
    default: ivy
  group:
    description: The engine's group.
    type: str
    default: ivy
author:
  - The ivy.cluster contributors (@ivy-cluster)
extends_documentation_fragment:
  - ivy.cluster.attributes
"""

EXAMPLES = r"""
- name: Place an application before the engine starts
  ivy.cluster.application:
    src: /var/lib/ivy-cluster/applications/demo.zip
    name: demo.zip
    deploy_directory: /opt/ivy/current/deploy
    options:
      deployTestUsers: "FALSE"
    state: placed

- name: Wait until it is deployed
  ivy.cluster.application:
    src: /var/lib/ivy-cluster/applications/demo.zip
    name: demo.zip
    deploy_directory: /opt/ivy/current/deploy
    options:
      deployTestUsers: "FALSE"
"""

RETURN = r"""
status:
  description: State of the artefact in the deploy directory, one of V(deployed), V(waiting), V(failed), V(absent).
  returned: always
  type: str
  sample: deployed
placed:
  description: Whether exactly this artefact was placed already, with these options.
  returned: in check mode
  type: bool
  sample: true
waited:
  description: Seconds until the engine had deployed the artefact.
  returned: state is deployed
  type: float
  sample: 3.5
log:
  description: The last lines of the engine's deployment log.
  returned: on failure
  type: list
  elements: str
  sample: []
"""

import json

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ivy.cluster.plugins.module_utils.node.engine import applications, deploy
from ansible_collections.ivy.cluster.plugins.module_utils.node.files import accounts
from ansible_collections.ivy.cluster.plugins.module_utils.node.files.errors import NodeError
from ansible_collections.ivy.cluster.plugins.module_utils.node.masking.text import failure

ARGUMENT_SPEC: dict[str, dict[str, object]] = {
    "src": {"type": "path", "required": True},
    "name": {"type": "str", "required": True},
    "deploy_directory": {"type": "path", "required": True},
    "options": {"type": "dict"},
    "sha256": {"type": "str", "default": ""},
    "state": {"type": "str", "choices": ["placed", "deployed", "withdrawn"], "default": "deployed"},
    "timeout": {"type": "float", "default": 120},
    "store": {"type": "path", "default": "/var/lib/ivy-cluster"},
    "owner": {"type": "str", "default": "ivy"},
    "group": {"type": "str", "default": "ivy"},
}


def to_yaml(options: object) -> bytes | None:
    # JSON is YAML, and needs no library on the host.
    return None if options is None else (json.dumps(options, indent=2, sort_keys=True) + "\n").encode("utf-8")


def run(module: AnsibleModule) -> dict[str, object]:
    params = module.params
    applications.check_name(params["name"])
    artefact = applications.Artefact(
        source=params["src"],
        name=params["name"],
        deploy_directory=params["deploy_directory"].rstrip("/"),
        options=to_yaml(params["options"]),
        uid=accounts.uid_of(params["owner"], not module.check_mode),
        gid=accounts.gid_of(params["group"], not module.check_mode),
        sha256=params["sha256"],
    )
    if params["state"] == "withdrawn":
        return deploy.withdraw(artefact, params["store"], module.check_mode)
    if module.check_mode:
        return deploy.predict(artefact, params["store"])
    return deploy.deploy(artefact, params["store"], params["state"] == "deployed", params["timeout"])


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    try:
        result = run(module)
    except NodeError as exc:
        module.fail_json(msg=str(exc))
    except OSError as exc:
        module.fail_json(msg=f"The artefact could not be placed: {exc}.")
    except Exception as exc:
        module.fail_json(msg=f"The artefact could not be placed: {failure(exc)}.")
    if "msg" in result:
        module.fail_json(**result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
