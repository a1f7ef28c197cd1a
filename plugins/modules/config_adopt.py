#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: config_adopt
short_description: Takes the changes made on a node into the source
version_added: 0.1.0
description:
  - Turns the drift of a node into edits of the source on the controller. A key of a YAML file is changed in its line,
    so comments and order remain. An edit that would lose a comment is rejected. Any other file is replaced completely.
  - Changes that must not be taken are listed in RV(named) with the place to change instead. These are a line of a
    template with an expression, a key that the inventory places, a secret, and a file that the engine owns.
  - Without a source, the module reports how the nodes differ, and creates a first source from one of them. Secrets
    become names, for which C(ivy_shared_secrets) must have values. Their values are not written.
  - A path that a source cannot contain, such as one with a name that begins with a dot, is listed and never written.
  - The module only reads on the node.
options:
  source:
    description: Directory of the source on the controller.
    type: path
    required: true
  chosen:
    description: Whether the changes of this node are adopted. Other nodes are read only if there is no source yet.
    type: bool
    default: true
  files:
    description:
      - Patterns of paths to take. C(*) matches within one component of a path, C(**) across components. A pattern
        without a slash matches file names in any directory. Empty takes all drift.
      - A file that the engine owns is taken only if a pattern matches it.
    type: list
    elements: str
    default: []
  keys:
    description: Keys of YAML files to take, with all keys below them. Patterns are allowed. Empty takes all.
    type: list
    elements: str
    default: []
  write:
    description: Whether to write the source. Otherwise the edits are only reported.
    type: bool
    default: false
  patch_file:
    description:
      - File on the controller to which the edits are written as a patch. Apply it in the directory of the source.
      - C(git apply) can apply everything, C(patch -p1) everything except binary files.
    type: path
    default: ""
  cluster_key:
    description: The cluster's key. Without a source it allows a comparison of the nodes without revealing their values.
    type: str
    default: ""
  profile:
    description: The profile of the engine's version, which lists the keys that the inventory places.
    type: dict
    default: {}
  payload:
    description: Set by the controller's half of this module; not for tasks.
    type: str
    default: ""
  bundle:
    description: Set by the controller's half of this module; not for tasks.
    type: path
    default: ""
author:
  - The ivy.cluster contributors (@ivy-cluster)
extends_documentation_fragment:
  - ivy.cluster.attributes
  - ivy.cluster.node
  - ivy.cluster.node.transport
seealso:
  - module: ivy.cluster.shared_config_info
"""

EXAMPLES = r"""
- name: Show the changes that would be taken into the source
  ivy.cluster.config_adopt:
    source: "{{ ivy_shared_config_source }}"
    roots:
      engine: /opt/ivy/current
    patch_file: adopt.patch
"""

RETURN = r"""
taken:
  description: The edited files of the source.
  returned: always
  type: list
  elements: dict
  contains:
    path:
      description: The file on the node.
      type: str
      sample: configuration/ivy.yaml
    source:
      description: The file in the source.
      type: str
      sample: configuration/ivy.yaml.j2
    how:
      description: Kind of the edit, one of V(edited), V(replaced), V(created), V(deleted).
      type: str
      sample: edited
    keys:
      description: The keys, if the file is edited by keys.
      type: list
      elements: str
      sample: [EMail.Server.Host]
named:
  description: The changes that are not taken, with reason and advice.
  returned: always
  type: list
  elements: dict
  sample:
    - {path: configuration/ivy.yaml, key: SystemDb.Url, reason: the inventory places this key,
       advice: Change the option of the inventory.}
text:
  description: The edits as text, with masked secrets.
  returned: always
  type: str
  sample: |
    configuration/ivy.yaml.j2 (edited: EMail.Server.Port)
    -    Port: 25
    +    Port: 587
written:
  description: Whether the source was written.
  returned: always
  type: bool
  sample: false
first:
  description: Whether there was no source yet.
  returned: always
  type: bool
  sample: false
secrets:
  description: The names for which C(ivy_shared_secrets) must have values, for a first source.
  returned: always
  type: list
  elements: str
  sample: [ivy_email_server_password]
local_changes:
  description: All paths that were changed on the node, also those that were not selected or cannot be taken.
  returned: always
  type: list
  elements: str
  sample: [configuration/ivy.yaml]
files:
  description:
    - The files on the node, as input of P(ivy.cluster.adopt_differences#filter). Empty if there is a source.
  returned: always
  type: dict
  sample: {}
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ivy.cluster.plugins.module_utils.node.config import encryption, request
from ansible_collections.ivy.cluster.plugins.module_utils.node.config.collect import collect
from ansible_collections.ivy.cluster.plugins.module_utils.node.files.errors import NodeError
from ansible_collections.ivy.cluster.plugins.module_utils.node.masking.text import failure

ARGUMENT_SPEC: dict[str, dict[str, object]] = {
    **request.COMMON,
    **request.TRANSPORT,
    "source": {"type": "path", "required": True},
    "chosen": {"type": "bool", "default": True},
    "files": {"type": "list", "elements": "str", "default": []},
    "keys": {"type": "list", "elements": "str", "default": [], "no_log": False},
    "write": {"type": "bool", "default": False},
    "patch_file": {"type": "path", "default": ""},
    "cluster_key": {"type": "str", "default": "", "no_log": True},
    "profile": {"type": "dict", "default": {}},
}


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    try:
        node_request = request.build({**module.params, "release": ""}, "applied", check=True, diff=False)
        if not node_request.key:
            raise NodeError("config_adopt runs only through its action plugin.")
        header, _blobs = request.transported(module.params)
        found = collect(node_request, header.get("take") or [], bool(header.get("everything")))
    except NodeError as exc:
        module.fail_json(msg=str(exc))
    except OSError as exc:
        module.fail_json(msg=f"The node's files could not be read: {exc}.")
    except Exception as exc:
        module.fail_json(msg=f"The node's files could not be read: {failure(exc)}.")
    # With enough verbosity Ansible prints what a module returns, so the contents leave the node encrypted.
    module.exit_json(changed=False, encrypted=encryption.encrypt(node_request.key, found))


if __name__ == "__main__":
    main()
