# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
name: regex_problem
short_description: State why a text cannot be a regular expression
version_added: 0.1.0
author:
  - The ivy.cluster contributors (@ivy-cluster)
description:
  - Finds errors that Python and PCRE have in common. Returns an empty text if there is none.
positional: _input
options:
  _input:
    description: The regular expression.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Show what is wrong with a pattern
  ansible.builtin.debug:
    msg: "{{ '/(login' | ivy.cluster.regex_problem }}"
"""

RETURN = r"""
_value:
  description: The reason.
  type: str
"""

import typing as t

from ansible_collections.ivy.cluster.plugins.plugin_utils.common.option_values import regex_problem


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"regex_problem": lambda pattern: regex_problem(str(pattern))}
