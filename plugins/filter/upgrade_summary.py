# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
name: upgrade_summary
short_description: The report of an upgrade
version_added: 0.1.0
author:
  - The ivy.cluster contributors (@ivy-cluster)
description:
  - What was upgraded, for how long the service was unavailable, and how to go back.
positional: _input
options:
  _input:
    description:
      - C(plan) as P(ivy.cluster.upgrade_plan#filter) returns it, C(backup) (its id), C(check_mode), C(stopped_at) (the
        time before the engines stopped, 0 if this run stopped none), C(migration_seconds) and C(times) (the fact
        C(rollout_times) by node).
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Report the upgrade
  ansible.builtin.debug:
    msg: "{{ results | ivy.cluster.upgrade_summary }}"
"""

RETURN = r"""
_value:
  description: A text of some lines.
  type: str
"""

import typing as t

from ansible_collections.ivy.cluster.plugins.plugin_utils.common import native
from ansible_collections.ivy.cluster.plugins.plugin_utils.operations import upgrade


def upgrade_summary(data: t.Mapping[str, t.Any]) -> str:
    return upgrade.summary(t.cast("dict[str, t.Any]", native.plain(data)))


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"upgrade_summary": upgrade_summary}
