#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: node_releases
short_description: Lists the releases in a node's store, and copies one to the controller
version_added: 0.1.0
description:
  - The stores of the nodes keep the releases, because a controller may be discarded after each run.
  - Without O(release) it lists what the node has. With it, the release is brought into the controller's cache, from
    where it can go to a node that lacks it; the node is asked only for what the cache does not have yet.
  - Changes nothing on the node. The controller's cache is not the state of a host, so copying to it does not count as
    a change, and is done in check mode too.
options:
  release:
    description: Id of the release to copy. Empty lists only.
    type: str
    default: ""
  cache:
    description: Directory on the controller that the release is copied to; with it, its releases are listed, too.
    type: path
    default: ""
  cluster_key:
    description:
      - The cluster's key. A release whose id was not made with it is refused, so that no node can hand a release of
        its own to the others.
      - Needed with O(release).
    type: str
    default: ""
  store:
    description: The node's store of releases, backups and the applied state. Only root may enter it.
    type: path
    default: /var/lib/ivy-cluster
  payload:
    description: Set by the controller half of this module. Do not use it in tasks.
    type: str
    default: ""
author:
  - The ivy.cluster contributors (@ivy-cluster)
extends_documentation_fragment:
  - ivy.cluster.attributes
seealso:
  - module: ivy.cluster.shared_config
"""

EXAMPLES = r"""
- name: List the releases of the node
  ivy.cluster.node_releases:
  register: stored

- name: Bring one of them to the controller
  ivy.cluster.node_releases:
    release: "{{ stored.releases[1].id }}"
    cache: "{{ ivy_controller_cache }}"
    cluster_key: "{{ ivy_cluster_key }}"
"""

RETURN = r"""
releases:
  description: The releases in the node's store, the newest first.
  returned: O(release) is empty
  type: list
  elements: dict
  contains:
    id:
      description: Id of the release.
      type: str
      sample: 3f2a9c0d1e4b5a6978c0d1e2f3a4b5c6
    staged:
      description: When it came to the node.
      type: str
      sample: "2026-01-31T12:00:00Z"
    cluster:
      description: The cluster that it was built for.
      returned: its list of files can be read
      type: str
      sample: demo
    engine_version:
      description: The engine that it was built for.
      returned: its list of files can be read
      type: str
      sample: 11.3.0
    files:
      description: Number of files.
      returned: its list of files can be read
      type: int
      sample: 12
    size:
      description: Bytes of all files.
      returned: its list of files can be read
      type: int
      sample: 20480
    complete:
      description: Whether every file of it is there.
      type: bool
      sample: true
    problem:
      description: Why it cannot be used.
      returned: its list of files is damaged
      type: str
      sample: "The store is damaged: ..."
applied:
  description: Id of the release that is active; null when none is.
  returned: O(release) is empty
  type: str
  sample: 3f2a9c0d1e4b5a6978c0d1e2f3a4b5c6
applied_time:
  description: Since when.
  returned: O(release) is empty
  type: str
  sample: "2026-01-31T12:00:00Z"
cached:
  description: The complete releases in the controller's cache, each with the engine that it was built for.
  returned: O(release) is empty and O(cache) is given
  type: list
  elements: dict
  sample: [{id: 3f2a9c0d1e4b5a6978c0d1e2f3a4b5c6, engine_version: 11.3.0}]
copied:
  description: Number of files that the node was asked for.
  returned: O(release) is given
  type: int
  sample: 3
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ivy.cluster.plugins.module_utils.node.config import encryption, payload, releases
from ansible_collections.ivy.cluster.plugins.module_utils.node.files.errors import NodeError
from ansible_collections.ivy.cluster.plugins.module_utils.node.masking.text import failure

ARGUMENT_SPEC: dict[str, dict[str, object]] = {
    "release": {"type": "str", "default": ""},
    "cache": {"type": "path", "default": ""},
    "cluster_key": {"type": "str", "default": "", "no_log": True},
    "store": {"type": "path", "default": "/var/lib/ivy-cluster"},
    "payload": {"type": "str", "default": "", "no_log": True},
}


def run(params: dict[str, str]) -> dict[str, object]:
    if not params["release"]:
        return {"changed": False, **releases.listing(params["store"])}
    if not params["payload"]:
        raise NodeError("A release can only be copied by the controller half of this module.")
    header, _blobs = payload.unpack(payload.from_text(params["payload"]))
    found = releases.pieces(params["store"], params["release"], header.get("wanted") or [])
    # Files of a release hold secrets, and with enough verbosity Ansible prints what a module answers.
    return {"changed": False, "encrypted": encryption.encrypt(bytes.fromhex(header["key"]), found)}


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    try:
        result = run(module.params)
    except NodeError as exc:
        module.fail_json(msg=str(exc))
    except OSError as exc:
        module.fail_json(msg=f"The node's store could not be read: {exc}.")
    except Exception as exc:
        module.fail_json(msg=f"The node's store could not be read: {failure(exc)}.")
    module.exit_json(**result)


if __name__ == "__main__":
    main()
