#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: shared_config_info
short_description: Compares the shared configuration of a node with what was applied to it
version_added: 0.1.0
description:
  - Reports changes on the node (drift), changes of the release that are not on the node yet (pending), and keys or
    files that both changed to different values (conflict). A change that both made is in none of the lists.
  - YAML is compared by keys, so one YAML file can be in several lists, each time with other keys. Any other file is in
    one list at most. Another form of the same keys is not a difference. The schema header is one.
  - Values are shown with secrets masked, those that the release names as such and those whose key sounds like one, and
    known secret values are taken out wherever else they turn up.
  - Writes nothing. One round trip where nothing differs, and never a file's content in the result.
options:
  release:
    description: Id of the release that the node should have. Without it, only drift is reported.
    type: str
    default: ""
  cache:
    description: Directory on the controller that holds the release; needed where the node may not have it yet.
    type: path
    default: ""
  payload:
    description: Set by the controller half of this module. Do not use it in tasks.
    type: str
    default: ""
  bundle:
    description: Set by the controller half of this module. Do not use it in tasks.
    type: path
    default: ""
author:
  - The ivy.cluster contributors (@ivy-cluster)
extends_documentation_fragment:
  - ivy.cluster.attributes
  - ivy.cluster.node
  - ivy.cluster.node.record
seealso:
  - module: ivy.cluster.shared_config
"""

EXAMPLES = r"""
- name: Gather the changes made on the node
  ivy.cluster.shared_config_info:
    roots:
      engine: /opt/ivy/current
  register: node
"""

RETURN = r"""
applied:
  description: Id of the release that is active; null when none is.
  returned: always
  type: str
  sample: 3f2a9c0d1e4b5a6978c0d1e2f3a4b5c6
applied_time:
  description: Since when.
  returned: always
  type: str
  sample: "2026-01-31T12:00:00Z"
drift:
  description:
    - What somebody changed on the node. C(kind) is V(modified), V(missing), V(extra) or V(attributes).
    - Of each key C(before) is what was applied, C(after) what is on the node, C(wanted) what the release has.
    - C(comparable) is the same for nodes that drifted in the same way, provided that the run knows C(ivy_cluster_key).
  returned: always
  type: list
  elements: dict
  sample:
    - root: engine
      path: configuration/ivy.yaml
      kind: modified
      detail: the content differs
      secret: false
      size: 812
      mode: "0640"
      owner: ivy
      modified: "2026-01-31T11:58:03Z"
      comparable: 5e1d8f3a0b7c4d2e9f6a1b8c3d0e7f42
      keys: [{key: EMail.Server.Host, change: changed, before: mail1, after: mail2, wanted: mail1}]
pending:
  description: What the release would change. C(change) is V(create), V(update), V(delete) or V(attributes).
  returned: always
  type: list
  elements: dict
  sample: [{root: engine, path: configuration/web.xml, change: update, detail: "", secret: false}]
conflict:
  description: What somebody changed on the node and the release changes to another value; with C(kind) and C(change).
  returned: always
  type: list
  elements: dict
  sample: []
engine_owned:
  description: Files that the engine itself maintains.
  returned: always
  type: list
  elements: str
  sample: [configuration/applications/demo/app.yaml]
interrupted:
  description: Whether an activation was interrupted.
  returned: always
  type: bool
  sample: false
record:
  description: The cluster record; null if there is none yet, or if it cannot be read.
  returned: record is set
  type: dict
  sample: {desired_release: 3f2a9c0d, operation: null}
record_problem:
  description: Why the record cannot be read; empty if it can be.
  returned: record is set
  type: str
  sample: ""
running:
  description: What the engine runs with; null when it does not run.
  returned: always
  type: dict
  sample: {active: true, release: 3f2a9c0d1e4b5a6978c0d1e2f3a4b5c6, modified: []}
restart_required:
  description: Whether the running engine must be restarted.
  returned: always
  type: bool
  sample: false
restart_reasons:
  description: Why, in words.
  returned: always
  type: list
  elements: str
  sample: []
restart_undecided:
  description: The reasons that do not count if only keys were changed that the engine reloads, by file.
  returned: always
  type: dict
  sample: {configuration/ivy.yaml: configuration/ivy.yaml changed since the engine started}
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ivy.cluster.plugins.module_utils.node import calls
from ansible_collections.ivy.cluster.plugins.module_utils.node.config import request

ARGUMENT_SPEC: dict[str, dict[str, object]] = {
    **request.COMMON,
    **request.TRANSPORT,
    "release": {"type": "str", "default": ""},
    "cache": {"type": "path", "default": ""},
    "record": request.RECORD,
}


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    result = calls.call("shared_config_info", module.params, True, False)
    for text in result.pop("warnings", []):
        module.warn(text)
    if result.pop("failed", False):
        module.fail_json(**result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
