# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
name: adopt_differences
short_description: Compares the configuration of the nodes
version_added: 0.1.0
author:
  - The ivy.cluster contributors (@ivy-cluster)
description:
  - Compares the results of M(ivy.cluster.config_adopt) for nodes without a common source, by file and by YAML key.
  - Values that may be secret are masked, but differences between them are reported.
positional: _input
options:
  _input:
    description: By node, RV(ivy.cluster.config_adopt#module:files).
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Print how the nodes differ
  ansible.builtin.debug:
    msg: "{{ (files_by_node | ivy.cluster.adopt_differences).text }}"
"""

RETURN = r"""
_value:
  description: RV(_value.text) for a terminal, RV(_value.differences) as data.
  type: dict
"""

import typing as t

from ansible_collections.ivy.cluster.plugins.plugin_utils.adopt import bootstrap


def adopt_differences(by_node: t.Mapping[str, t.Mapping[str, t.Any]]) -> dict[str, t.Any]:
    found = bootstrap.differences(by_node)
    return {"text": "\n".join(bootstrap.lines(found)), "differences": found}


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"adopt_differences": adopt_differences}
