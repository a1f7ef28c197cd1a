# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
name: calendar_problem
short_description: State why a text is not a schedule of systemd
version_added: 0.1.0
author:
  - The ivy.cluster contributors (@ivy-cluster)
description:
  - Compares a text with the syntax of C(OnCalendar), without systemd. Returns an empty text if it is one.
positional: _input
options:
  _input:
    description: The schedule.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Show what is wrong with a schedule
  ansible.builtin.debug:
    msg: "{{ 'daily 25:00' | ivy.cluster.calendar_problem }}"
"""

RETURN = r"""
_value:
  description: The reason.
  type: str
"""

import typing as t

from ansible_collections.ivy.cluster.plugins.plugin_utils.common.option_values import calendar_problem


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"calendar_problem": lambda value: calendar_problem(str(value))}
