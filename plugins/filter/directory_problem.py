# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
name: directory_problem
short_description: State why a role cannot take a directory
version_added: 0.1.0
author:
  - The ivy.cluster contributors (@ivy-cluster)
description:
  - A role sets the owner and the mode of its directories and writes their paths into units. So a directory of the
    system, or a path with blanks, cannot be one of them.
  - Returns an empty text if the directory can be taken.
positional: _input, others
options:
  _input:
    description: The path.
    type: str
    required: true
  others:
    description: Directories with another use. Neither the directory nor one of these may contain the other.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Show why /var/log cannot be taken
  ansible.builtin.debug:
    msg: "{{ '/var/log' | ivy.cluster.directory_problem }}"
"""

RETURN = r"""
_value:
  description: The reason.
  type: str
"""

import typing as t

from ansible_collections.ivy.cluster.plugins.plugin_utils.common.directories import directory_problem


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"directory_problem": lambda path, others=(): directory_problem(str(path), [str(one) for one in others])}
