# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
name: history_report
short_description: Who applied which release when
version_added: 0.1.0
author:
  - The ivy.cluster contributors (@ivy-cluster)
description:
  - Puts the cluster record and the nodes' stores together, as text for people and as data.
  - A node that could not be reached or asked stands there as such.
positional: _input
options:
  _input:
    description:
      - By node, the results RV(ignore:record) of M(ivy.cluster.cluster_record) and RV(ignore:releases) of
        M(ivy.cluster.node_releases). Both are absent for a node that could not be reached.
    type: dict
    required: true
  cluster:
    description: Name of the cluster.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Print the history
  ansible.builtin.debug:
    msg: "{{ (seen | ivy.cluster.history_report(cluster='demo')).text }}"
"""

RETURN = r"""
_value:
  description: >-
    RV(_value.text) for people; RV(_value.data) with the desired and previous release, the pin, the open operation, the
    history and the releases by node; RV(_value.problem) where nothing is known.
  type: dict
"""

import typing as t

from ansible_collections.ivy.cluster.plugins.plugin_utils.operations import history


def history_report(seen: t.Mapping[str, t.Mapping[str, t.Any]], cluster: str) -> dict[str, t.Any]:
    return history.report(seen, str(cluster))


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"history_report": history_report}
