#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: application
short_description: Gives an application to the engine of a node and waits until it is deployed
version_added: 0.1.0
description:
  - Places an artefact in the directory from which the engine deploys. It appears there as a whole, with its options
    beside it.
  - The engine renames what it deployed, so the digest of what was placed is remembered on the node. The same artefact
    is placed again only if its deployment failed or its marker is gone.
  - Up to 12.0.8 an engine deploys reliably only at its start, so place first, start, then wait.
options:
  src:
    description: The artefact on the host.
    type: path
    required: true
  name:
    description: Its name below O(deploy_directory), for instance V(demo.zip) or V(app/project.iar).
    type: str
    required: true
  deploy_directory:
    description: The directory from which the engine deploys.
    type: path
    required: true
  options:
    description: Deployment options, written beside the artefact.
    type: dict
  state:
    description: V(placed) places it, V(deployed) also waits until the engine has deployed it.
    type: str
    choices: [placed, deployed]
    default: deployed
  timeout:
    description: Seconds to wait.
    type: float
    default: 120
  store:
    description: The node's own memory of what was placed.
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
  description: What the engine says about the artefact, one of V(deployed), V(waiting), V(failed), V(absent).
  returned: always
  type: str
  sample: deployed
waited:
  description: Seconds until the engine had deployed it.
  returned: state is deployed
  type: float
  sample: 3.5
log:
  description: The end of the engine's deployment log.
  returned: on failure
  type: list
  elements: str
  sample: []
"""

import json

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ivy.cluster.plugins.module_utils.node.engine import applications
from ansible_collections.ivy.cluster.plugins.module_utils.node.files import accounts
from ansible_collections.ivy.cluster.plugins.module_utils.node.files.atomic import Tree
from ansible_collections.ivy.cluster.plugins.module_utils.node.files.errors import NodeError
from ansible_collections.ivy.cluster.plugins.module_utils.node.store.store import Store


def _options(value: object) -> bytes | None:
    # JSON is YAML, and needs no library on the host.
    return None if value is None else (json.dumps(value, indent=2, sort_keys=True) + "\n").encode("utf-8")


def run(module: AnsibleModule) -> dict[str, object]:
    params = module.params
    applications.check_name(params["name"])
    artefact = applications.Artefact(
        source=params["src"],
        name=params["name"],
        deploy_directory=params["deploy_directory"].rstrip("/"),
        options=_options(params["options"]),
        uid=accounts.uid_of(params["owner"], not module.check_mode),
        gid=accounts.gid_of(params["group"], not module.check_mode),
    )
    with Store(params["store"]) as store, Tree(artefact.deploy_directory) as tree:
        if module.check_mode:
            try:
                placed = tree.exists and applications.is_placed(
                    store, tree, artefact, applications.digest_of(artefact.source)
                )
            except NodeError:
                placed = False
            return {"changed": not placed, "status": applications.marker(tree, artefact)}
        if not tree.exists:
            raise NodeError(f"{artefact.deploy_directory} does not exist. Install the engine first.")
        digest = applications.digest_of(artefact.source)
        with store.lock():
            changed = not applications.is_placed(store, tree, artefact, digest)
            if changed:
                applications.put(store, tree, artefact, digest)
        if params["state"] == "placed":
            return {"changed": changed, "status": applications.marker(tree, artefact)}
        status, waited = applications.await_marker(tree, artefact, params["timeout"])
        result: dict[str, object] = {"changed": changed, "status": status, "waited": round(waited, 1)}
        if status != applications.DEPLOYED:
            why = (
                "the engine could not deploy it; the reason is in log"
                if status == applications.FAILED
                else f"the engine said nothing about it within {params['timeout']:.0f} seconds; does it run?"
            )
            result.update(
                failed=True, msg=f"{artefact.name} is not deployed: {why}.", log=applications.log_of(tree, artefact)
            )
        return result


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "src": {"type": "path", "required": True},
            "name": {"type": "str", "required": True},
            "deploy_directory": {"type": "path", "required": True},
            "options": {"type": "dict"},
            "state": {"type": "str", "choices": ["placed", "deployed"], "default": "deployed"},
            "timeout": {"type": "float", "default": 120},
            "store": {"type": "path", "default": "/var/lib/ivy-cluster"},
            "owner": {"type": "str", "default": "ivy"},
            "group": {"type": "str", "default": "ivy"},
        },
        supports_check_mode=True,
    )
    try:
        result = run(module)
    except NodeError as exc:
        module.fail_json(msg=str(exc))
    except OSError as exc:
        module.fail_json(msg=f"The artefact could not be placed: {exc}.")
    if result.pop("failed", False):
        module.fail_json(**result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
