# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
name: run_summary
short_description: Summarizes a run that changes the cluster
version_added: 0.1.0
author:
  - The ivy.cluster contributors (@ivy-cluster)
description:
  - Reports the URL and the release of the cluster, what happened to each node, the warnings of preflight, and the
    commands to run next.
positional: _input
options:
  _input:
    description:
      - C(cluster), C(engine_version), C(url), C(release), C(check_mode), C(pinned), C(left_out) (names), C(findings) of
        preflight, C(operation), C(course), the result of P(ivy.cluster.rollout_course#filter),
        C(old_release_hours), and C(nodes), the fact C(rollout_plan) by node, null for a node that did not complete the
        run.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show the summary
  ansible.builtin.debug:
    msg: "{{ summary | ivy.cluster.run_summary }}"
"""

RETURN = r"""
_value:
  description: A text of some lines.
  type: str
"""

import typing as t

from ansible_collections.ivy.cluster.plugins.plugin_utils.operations import run_summary as summary


def run_summary(data: t.Mapping[str, t.Any]) -> str:
    return summary.render(data)


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"run_summary": run_summary}
