#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: config_adopt
short_description: Takes what somebody changed on a node into the source
version_added: 0.1.0
description:
  - Turns the drift of a node into edits of the source on the controller. A key of a YAML file is set in its line, so
    comments and order stay; an edit that would lose a comment is refused. Any other file is taken as a whole.
  - What must not be overwritten is named instead, with the place to change it - a line of a template that holds an
    expression, a key that the inventory places, a secret, a file of the engine's own.
  - Where there is no source yet, it tells how the nodes differ and makes a first source of one of them. Secrets become
    names that C(ivy_shared_secrets) has to give a value; their values are not written.
  - A path of the node that no file of a source can have, such as one with a name that begins with a dot, is named and
    never written.
  - The node is only read.
options:
  source:
    description: Directory of the source on the controller.
    type: path
    required: true
  chosen:
    description: Whether this is the node that is adopted. Others are looked at only where there is no source yet.
    type: bool
    default: true
  files:
    description:
      - Patterns of paths to take, as in a shell. Empty takes everything that drifted.
      - A file that the engine itself keeps is taken only if it is named here.
    type: list
    elements: str
    default: []
  keys:
    description: Keys of YAML files to take, with all below them; patterns work. Empty takes all.
    type: list
    elements: str
    default: []
  write:
    description: Whether to write the source. Otherwise the edits are only shown.
    type: bool
    default: false
  patch_file:
    description:
      - File on the controller for the edits as a patch, to be applied in the source's directory.
      - C(git apply) takes all of it, C(patch -p1) all but binary files.
    type: path
    default: ""
  cluster_key:
    description: The cluster's key, for comparing nodes without telling their values, where there is no source.
    type: str
    default: ""
  profile:
    description: The facts of the engine's version, to know which keys the inventory places in a first source.
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
seealso:
  - module: ivy.cluster.shared_config_info
"""

EXAMPLES = r"""
- name: Show what would go into the source
  ivy.cluster.config_adopt:
    source: "{{ ivy_shared_config_source }}"
    roots:
      engine: /opt/ivy/current
    patch_file: adopt.patch
"""

RETURN = r"""
taken:
  description: The files of the source that are written.
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
      description: One of V(edited), V(replaced), V(created), V(deleted).
      type: str
      sample: edited
    keys:
      description: The keys, where the file is edited by keys.
      type: list
      elements: str
      sample: [EMail.Server.Host]
named:
  description: What is not taken, why, and what to do.
  returned: always
  type: list
  elements: dict
  sample:
    - {path: configuration/ivy.yaml, key: SystemDb.Url, reason: the inventory places this key,
       advice: Change the option of the inventory.}
text:
  description: The edits for people, secrets masked.
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
  description: The names that C(ivy_shared_secrets) has to give a value for a first source.
  returned: always
  type: list
  elements: str
  sample: [ivy_email_server_password]
local_changes:
  description: Everything that was changed on the node, whether it was asked for and can be taken or not.
  returned: always
  type: list
  elements: str
  sample: [configuration/ivy.yaml]
files:
  description:
    - What lies on the node, as input of P(ivy.cluster.adopt_differences#filter). Empty where there is a source.
  returned: always
  type: dict
  sample: {}
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ivy.cluster.plugins.module_utils.node.config import encryption, request
from ansible_collections.ivy.cluster.plugins.module_utils.node.config.collect import collect
from ansible_collections.ivy.cluster.plugins.module_utils.node.files.errors import NodeError


def argument_spec() -> dict[str, dict[str, object]]:
    return {
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
    module = AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True)
    try:
        wish = request.build({**module.params, "release": ""}, "applied", check=True, diff=False)
        if not wish.key:
            raise NodeError("This is done by the controller's half of this module.")
        header, _blobs = request.transported(module.params)
        found = collect(wish, header.get("take") or [], bool(header.get("everything")))
    except NodeError as exc:
        module.fail_json(msg=str(exc))
    except OSError as exc:
        module.fail_json(msg=f"The node's files could not be read: {exc}.")
    # With enough verbosity Ansible prints what a module returns, so the contents leave the node encrypted.
    module.exit_json(changed=False, encrypted=encryption.encrypt(wish.key, found))


if __name__ == "__main__":
    main()
