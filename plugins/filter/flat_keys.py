# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
name: flat_keys
short_description: Return the names of nested settings
version_added: 0.1.0
author:
  - The ivy.cluster contributors (@ivy-cluster)
description:
  - Settings with a key C(b) within a key C(a) have the names V(a) and V(a.b), as in a program that reads both forms.
positional: _input
options:
  _input:
    description: The settings.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show all names
  ansible.builtin.debug:
    msg: "{{ {'path': {'data': '/srv'}} | ivy.cluster.flat_keys }}"
"""

RETURN = r"""
_value:
  description: The names, with dots between their parts.
  type: list
"""

import typing as t

from ansible_collections.ivy.cluster.plugins.plugin_utils.common.option_values import flat_keys


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"flat_keys": flat_keys}
