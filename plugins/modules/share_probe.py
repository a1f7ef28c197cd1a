#!/usr/bin/python
# Copyright: the ivy.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: share_probe
short_description: Proves with small files that hosts share a directory
version_added: 0.1.0
description:
  - Each host writes a file of its own with O(state=written), each host looks for the files of all with
    O(state=read), and each removes its own with O(state=absent).
  - Works as O(user), never as root, because a file server may give root other rights than the user that matters.
options:
  directory:
    description: The shared directory.
    type: path
    required: true
  user:
    description: The user that must be able to write and read there.
    type: str
    required: true
  group:
    description: Group of O(user).
    type: str
    required: true
  state:
    description: What to do.
    type: str
    choices: [written, read, absent]
    required: true
  token:
    description:
      - What tells this probe from others. It is part of the file names and is the content of the files.
      - A file with another content counts as not seen.
    type: str
    required: true
  names:
    description: Names of the hosts whose files are meant. With O(state=written) and O(state=absent) usually only one.
    type: list
    elements: str
    required: true
  wait:
    description: Greatest number of seconds to wait, with O(state=read), until each file is seen.
    type: float
    default: 0
author:
  - The ivy.cluster contributors (@ivy-cluster)
extends_documentation_fragment:
  - ivy.cluster.attributes
"""

EXAMPLES = r"""
- name: Write a file on every node
  ivy.cluster.share_probe:
    directory: /srv/ivy/data
    user: ivy
    group: ivy
    state: written
    token: q7x1
    names:
      - "{{ inventory_hostname }}"

- name: Look for the files of all nodes
  ivy.cluster.share_probe:
    directory: /srv/ivy/data
    user: ivy
    group: ivy
    state: read
    token: q7x1
    names: "{{ groups['engine_nodes'] }}"
    wait: 5
  register: share

- name: Remove the file again
  ivy.cluster.share_probe:
    directory: /srv/ivy/data
    user: ivy
    group: ivy
    state: absent
    token: q7x1
    names:
      - "{{ inventory_hostname }}"
"""

RETURN = r"""
written:
  description: The files that were written, or would be in check mode.
  returned: with state V(written)
  type: list
  elements: str
  sample: [/srv/ivy/data/.ivy-probe-q7x1-engine1]
files:
  description: Which files were looked for, and whether each is there with the right content.
  returned: with state V(read)
  type: list
  elements: dict
  contains:
    name:
      description: Name of the host that wrote it.
      type: str
      sample: engine1
    same:
      description: Whether it is there with the right content.
      type: bool
      sample: true
removed:
  description: The files that were removed, or would be in check mode.
  returned: with state V(absent)
  type: list
  elements: str
  sample: [/srv/ivy/data/.ivy-probe-q7x1-engine1]
"""

import contextlib
import os
import re
import time
import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ivy.cluster.plugins.module_utils.node.cluster.record import acting_as
from ansible_collections.ivy.cluster.plugins.module_utils.node.files import accounts
from ansible_collections.ivy.cluster.plugins.module_utils.node.files.errors import NodeError

_NAME = re.compile(r"[A-Za-z0-9._-]+\Z")
_PAUSE = 0.25


def path_of(directory: str, token: str, name: str) -> str:
    return os.path.join(directory, f".ivy-probe-{token}-{name}")


def write(paths: t.Sequence[str], token: str) -> list[str]:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    for path in paths:
        fd = os.open(path, flags, 0o640)
        try:
            os.write(fd, token.encode("utf-8"))
            # Another host may look at once; a file server tells it only what has reached it.
            os.fsync(fd)
        finally:
            os.close(fd)
    return list(paths)


def same(path: str, token: str) -> bool:
    try:
        with open(path, encoding="utf-8", errors="replace") as stream:
            return stream.read(len(token) + 1) == token
    except OSError:
        return False


def read(paths: t.Mapping[str, str], token: str, wait: float) -> list[dict[str, t.Any]]:
    end = time.monotonic() + wait
    while True:
        found = [{"name": name, "same": same(path, token)} for name, path in paths.items()]
        if all(item["same"] for item in found) or time.monotonic() >= end:
            return found
        time.sleep(_PAUSE)


def remove(paths: t.Sequence[str]) -> list[str]:
    gone = []
    for path in paths:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
            gone.append(path)
    return gone


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "directory": {"type": "path", "required": True},
            "user": {"type": "str", "required": True},
            "group": {"type": "str", "required": True},
            "state": {"type": "str", "required": True, "choices": ["written", "read", "absent"]},
            "token": {"type": "str", "required": True, "no_log": False},
            "names": {"type": "list", "elements": "str", "required": True},
            "wait": {"type": "float", "default": 0},
        },
        supports_check_mode=True,
    )
    directory, user, group, state, token = (
        module.params[key] for key in ("directory", "user", "group", "state", "token")
    )
    wrong = [text for text in (token, *module.params["names"]) if not _NAME.match(text)]
    if wrong:
        module.fail_json(
            msg="token and names become part of file names, so they may hold letters, digits, dots, dashes "
            f"and underscores only: {', '.join(wrong)}."
        )
    paths = {name: path_of(directory, token, name) for name in module.params["names"]}
    files = list(paths.values())
    try:
        with acting_as(accounts.uid_of(user), accounts.gid_of(group)):
            if state == "written":
                result = {"changed": True, "written": files if module.check_mode else write(files, token)}
            elif state == "read":
                result = {"changed": False, "files": read(paths, token, module.params["wait"])}
            else:
                there = [path for path in files if os.path.lexists(path)]
                result = {"changed": bool(there), "removed": there if module.check_mode else remove(there)}
    except NodeError as exc:
        module.fail_json(msg=str(exc))
    except OSError as exc:
        module.fail_json(msg=f"As {user} below {directory}: {exc}. Check the mount and the owner of the directory.")
    module.exit_json(**result)


if __name__ == "__main__":
    main()
