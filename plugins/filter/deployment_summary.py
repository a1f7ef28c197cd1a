# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
name: deployment_summary
short_description: The report of a deployment
version_added: 0.1.0
author:
  - The ivy.cluster contributors (@ivy-cluster)
description:
  - What was deployed, where and how long it took, and for how long the service was unavailable.
positional: _input, part
options:
  _input:
    description:
      - C(plan) as P(ivy.cluster.deployment_plan#filter) returns it, C(applications), C(check_mode), C(deployed) and
        C(not_deployed) (lists), C(stopped_at) (the time before the engines stopped), C(times) (the fact
        C(rollout_times) by node) and C(problems) (texts by node).
    type: dict
    required: true
  part:
    description: V(table), or V(failure) for the message of a run in which something was not deployed.
    type: str
    choices: [table, failure]
    default: table
"""

EXAMPLES = r"""
- name: Report the deployment
  ansible.builtin.debug:
    msg: "{{ results | ivy.cluster.deployment_summary }}"
"""

RETURN = r"""
_value:
  description: A text of some lines. The failure is empty if everything was deployed.
  type: str
"""

import typing as t

from ansible_collections.ivy.cluster.plugins.plugin_utils.operations import deployment


def deployment_summary(data: t.Mapping[str, t.Any], part: str = "table") -> str:
    return deployment.failure(data) if part == "failure" else deployment.summary(data)


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"deployment_summary": deployment_summary}
