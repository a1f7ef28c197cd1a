# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
name: upgrade_plan
short_description: Whether the engine can be upgraded, and what the run has to do
version_added: 0.1.0
author:
  - The ivy.cluster contributors (@ivy-cluster)
description:
  - Compares the version in the inventory with the one to which the system database belongs.
  - All problems, those of preflight and those of the upgrade, are in one message.
positional: _input
options:
  _input:
    description:
      - C(record) and C(record_problem) of a node, C(target) (the version in the inventory), C(ranges) (the profiles),
        C(share_applications), C(findings) of preflight, C(applications) (names in C(engine_applications)), C(nodes)
        (those of the run that answered), C(all_nodes), C(not_inspected) (hosts that preflight could not inspect),
        C(limited) (hosts that C(--limit) leaves out), C(left_out), C(migration_command), C(plan_digest),
        C(accepted) (the interruption), C(check_mode) and C(start_timeout).
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Plan the upgrade
  ansible.builtin.set_fact:
    upgrade: "{{ state | ivy.cluster.upgrade_plan }}"
"""

RETURN = r"""
_value:
  description:
    - C(kind), one of V(nothing), V(hotfix), V(line), V(back) and V(finish); C(problem), empty if the upgrade can be
      done; C(notice), what users notice; the versions C(before) and C(target); C(back_up), C(stop), C(migrate) and
      C(deploy), what the run does; C(backup), made by an interrupted run; C(node) that migrates the database with the
      arguments C(command) of EngineConfigCli; and C(expected), the seconds of a start.
  type: dict
"""

import typing as t

from ansible_collections.ivy.cluster.plugins.plugin_utils.common import native
from ansible_collections.ivy.cluster.plugins.plugin_utils.operations import upgrade


def upgrade_plan(data: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    return upgrade.plan(t.cast("dict[str, t.Any]", native.plain(data))).to_dict()


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"upgrade_plan": upgrade_plan}
