# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
name: rollout_course
short_description: The course of a rollout by its strategy
version_added: 0.1.0
author:
  - The ivy.cluster contributors (@ivy-cluster)
description:
  - Decides which engines stop together, or which node is changed first while the others wait for confirmation.
positional: _input, part
options:
  _input:
    description:
      - C(strategy) (the option C(rollout_strategy)), C(operation), C(release), C(record), C(nodes), the
        fact C(rollout_plan) by node of the run, C(all_nodes), C(left_out), C(accepted) (the interruption),
        C(predicted) (check mode, or a plan) and C(start_timeout).
      - For V(published), C(operation), C(release), C(check_mode), and C(course), a result of this filter.
    type: dict
    required: true
  part:
    description:
      - V(course), V(problem) for the message if the strategy cannot be used, or V(published) for what a workflow needs.
    type: str
    choices: [course, problem, published]
    default: course
"""

EXAMPLES = r"""
- name: Choose the course of the rollout
  ansible.builtin.set_fact:
    course: "{{ state | ivy.cluster.rollout_course }}"
"""

RETURN = r"""
_value:
  description:
    - The course has C(strategy), C(notice), C(plans) that replace those of nodes, C(earlier), the release that is
      replaced, C(waits), C(canary), C(waiting), C(idle), C(keep_open), C(together), C(first), C(interrupts),
      C(expected), in seconds, and C(unfinished), what is left if the run ends in the middle.
    - The problem is a text, empty if there is none.
  type: raw
"""

import typing as t

from ansible_collections.ivy.cluster.plugins.plugin_utils.common import native
from ansible_collections.ivy.cluster.plugins.plugin_utils.operations import strategy


def rollout_course(data: t.Mapping[str, t.Any], part: str = "course") -> dict[str, t.Any] | str:
    plain = t.cast("dict[str, t.Any]", native.plain(data))
    if part == "problem":
        return strategy.problem(plain)
    return strategy.published(plain) if part == "published" else strategy.plan(plain).to_dict()


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"rollout_course": rollout_course}
