# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
name: archive_problem
short_description: State why the database must not be archived to a directory
version_added: 0.1.0
author:
  - The ivy.cluster contributors (@ivy-cluster)
description:
  - Returns an empty text if it may be archived there.
positional: _input
options:
  _input:
    description: The directory of the archive.
    type: str
    required: true
  devices:
    description: Numbers of the file systems of the directory, of the database and of C(/).
    type: list
    elements: str
    required: true
  same_disk:
    description: Whether the directory may be on one of the other two file systems.
    type: bool
    default: false
  answers:
    description:
      - Whether the server has archived to this directory as C(used), and whether an archive is there as C(present),
        with the values V(yes) and V(no).
    type: dict
"""

EXAMPLES = r"""
- name: Stop if the archive cannot be there
  ansible.builtin.assert:
    that: "'/mnt/archive' | ivy.cluster.archive_problem(devices=found.stdout_lines) == ''"
"""

RETURN = r"""
_value:
  description: The reason.
  type: str
"""

import typing as t

from ansible_collections.ivy.cluster.plugins.plugin_utils.operations.archive_place import archive_problem


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"archive_problem": archive_problem}
