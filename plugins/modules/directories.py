#!/usr/bin/python
# Copyright: the ivy.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: directories
short_description: Creates directories and sets owner and mode without following links
version_added: 0.1.0
description:
  - For directories that other users can write to, or whose parents they can write to, such as those of a share.
    M(ansible.builtin.file) would follow a symbolic link that such a user creates, and change its target as root.
  - Owner and mode are set through a descriptor of the directory. If a path is a file or a link that is not to be
    trusted, the module fails before it changes anything.
options:
  directories:
    description: The directories. Missing parents are created with mode 0755.
    type: list
    elements: dict
    required: true
    suboptions:
      path:
        description: Absolute path.
        type: path
        required: true
      uid:
        description: Number of the owner. By default it is not changed.
        type: int
      gid:
        description: Number of the group. By default it is not changed.
        type: int
      mode:
        description: Octal mode. By default it is not changed.
        type: str
  within:
    description:
      - A directory that contains all O(directories), such as the mount point of a share. No link below it is followed,
        because a file server chooses the owner of a link itself.
      - Without it, a link is followed only if root owns the link and its directory, and no other user can write to the
        directory.
    type: path
  as_owner:
    description:
      - Whether to access each directory as its owner first, and as root only if that is denied. For a share that maps
        root to another user.
    type: bool
    default: false
  probe:
    description: Whether to write, rename and remove a file in each directory as its owner. Check mode does not.
    type: bool
    default: false
author:
  - The ivy.cluster contributors (@ivy-cluster)
extends_documentation_fragment:
  - ivy.cluster.attributes
"""

EXAMPLES = r"""
- name: Create the shared directories
  ivy.cluster.directories:
    within: /srv/ivy
    as_owner: true
    directories:
      - path: /srv/ivy/data
        uid: 6000
        gid: 6000
        mode: "0750"
"""

RETURN = r"""
changes:
  description: The directories that were, or would be, created or corrected.
  returned: success
  type: list
  elements: dict
  sample: [{path: /srv/ivy/data, before: "", after: "directory:6000:6000:0750"}]
unwritable:
  description: The directories to which the owner cannot write, with the reason.
  returned: success
  type: dict
  sample: {/srv/ivy/data: Permission denied}
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ivy.cluster.plugins.module_utils.host_state import directories
from ansible_collections.ivy.cluster.plugins.module_utils.node.files import bounded
from ansible_collections.ivy.cluster.plugins.module_utils.node.files.errors import NodeError
from ansible_collections.ivy.cluster.plugins.module_utils.node.masking.text import failure

ARGUMENT_SPEC: dict[str, t.Any] = {
    "directories": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": {
            "path": {"type": "path", "required": True},
            "uid": {"type": "int"},
            "gid": {"type": "int"},
            "mode": {"type": "str"},
        },
    },
    "within": {"type": "path"},
    "as_owner": {"type": "bool", "default": False},
    "probe": {"type": "bool", "default": False},
}
# For a share whose server is away.
_SECONDS = 60


def apply(params: t.Mapping[str, t.Any], check_mode: bool) -> dict[str, t.Any]:
    wanted = [
        directories.Wanted(one["path"], one["uid"], one["gid"], int(one["mode"], 8) if one["mode"] else None)
        for one in params["directories"]
    ]
    setter = directories.Directories(params["within"] or "", params["as_owner"], check_mode)

    def act() -> dict[str, t.Any]:
        changes = setter.apply(wanted)
        problems = {}
        if params["probe"] and not check_mode:
            for one in wanted:
                problem = directories.write_problem(one.path, *one.after(None)[:2])
                if problem:
                    problems[one.path] = problem
        return {"changed": bool(changes), "changes": changes, "unwritable": problems}

    result: dict[str, t.Any] = bounded.on_share(params["within"] or "/", act, _SECONDS)
    return result


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    try:
        result = apply(module.params, module.check_mode)
    except NodeError as exc:
        module.fail_json(msg=str(exc))
    except (OSError, ValueError) as exc:
        module.fail_json(msg=f"The directories cannot be set: {exc}.")
    except Exception as exc:
        module.fail_json(msg=f"The directories cannot be set: {failure(exc)}.")
    if module._diff:
        result["diff"] = [
            {
                "before_header": one["path"],
                "after_header": one["path"],
                "before": f"{one['before'] or 'missing'}\n",
                "after": f"{one['after']}\n",
            }
            for one in result["changes"]
        ]
    module.exit_json(**result)


if __name__ == "__main__":
    main()
