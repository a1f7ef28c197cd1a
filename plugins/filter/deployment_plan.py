# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
name: deployment_plan
short_description: How new applications reach the engines
version_added: 0.1.0
author:
  - The ivy.cluster contributors (@ivy-cluster)
description:
  - Compares the declared applications with the cluster record and with what the nodes have, and decides whether one
    running node deploys for all, or whether engines stop and start.
positional: _input
options:
  _input:
    description:
      - C(applications) as M(ivy.cluster.application_files) returns them, C(record) and C(record_problem) of a node,
        C(run_time) (whether the version deploys at run time), C(engine_version), C(all_nodes), C(left_out), C(active)
        (the state of the unit by node of the run), C(lacks) (names of applications by node), C(held) (nodes that
        operators have set aside with their engine stopped), C(accepted) (the interruption), C(check_mode) and
        C(start_timeout).
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Plan the deployment
  ansible.builtin.set_fact:
    deployment: "{{ state | ivy.cluster.deployment_plan }}"
"""

RETURN = r"""
_value:
  description:
    - C(way), one of V(nothing), V(record), V(run_time) and V(engines); C(problem), empty if the applications can be
      deployed; C(notice), what users notice; C(new), names of applications; C(node) that deploys; C(stop), C(restart),
      C(start) and C(place), nodes; C(lacks); C(interrupts), whether the service is unavailable; and C(expected),
      for how many seconds.
  type: dict
"""

import typing as t

from ansible_collections.ivy.cluster.plugins.plugin_utils.common import native
from ansible_collections.ivy.cluster.plugins.plugin_utils.operations import deployment


def deployment_plan(data: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    return deployment.plan(t.cast("dict[str, t.Any]", native.plain(data))).to_dict()


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"deployment_plan": deployment_plan}
