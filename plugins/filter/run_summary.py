# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
name: run_summary
short_description: The end of a run that changes the cluster
version_added: 0.1.0
author:
  - The ivy.cluster contributors (@ivy-cluster)
description:
  - Says at which URL and release the cluster is, what happened to each node, what preflight warned of, and what to
    run next.
positional: _input
options:
  _input:
    description:
      - C(cluster), C(engine_version), C(url), C(release), C(check_mode), C(pinned), C(left_out) (names), C(findings) of
        preflight, and in C(nodes) by name what the rollout planned (C(restart), C(start), C(activate)), empty for a
        node that did not get to the end.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show the end of the run
  ansible.builtin.debug:
    msg: "{{ summary | ivy.cluster.run_summary }}"
"""

RETURN = r"""
_value:
  description: Some lines of text.
  type: str
"""

import typing as t

from ansible_collections.ivy.cluster.plugins.plugin_utils.operations import run_summary as summary


def run_summary(seen: t.Mapping[str, t.Any]) -> str:
    return summary.render(seen)


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"run_summary": run_summary}
