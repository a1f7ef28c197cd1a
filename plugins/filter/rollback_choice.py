# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
name: rollback_choice
short_description: Chooses the release of a rollback
version_added: 0.1.0
author:
  - The ivy.cluster contributors (@ivy-cluster)
description:
  - Chooses by the id or its beginning. Without one, chooses the release before the desired one in the cluster record's
    history, or the release that the cluster is already pinned to.
  - If no release can be chosen, the result contains the reason and a list of the available releases.
positional: _input
options:
  _input:
    description: Id of the release, a unique beginning of it, or an empty string.
    type: str
    required: true
  record:
    description: The cluster record, as M(ivy.cluster.cluster_record) returns it.
    type: dict
    required: true
  nodes:
    description: The return value of M(ivy.cluster.node_releases) by node.
    type: dict
    required: true
  engine_version:
    description: Version of the engines; a release for another version is rejected.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Choose the release
  ansible.builtin.set_fact:
    choice: "{{ '3f2a' | ivy.cluster.rollback_choice(record=record, nodes=stores, engine_version='11.3.0') }}"
"""

RETURN = r"""
_value:
  description: >-
    RV(_value.release) is the id, RV(_value.sources) the nodes that have all of it, RV(_value.in_cache) whether the
    controller's cache has it, RV(_value.problem) why none can be chosen.
  type: dict
"""

import typing as t

from ansible_collections.ivy.cluster.plugins.plugin_utils.operations import node_answers, rollback


def rollback_choice(
    requested: str,
    record: t.Mapping[str, t.Any] | None,
    nodes: t.Mapping[str, t.Mapping[str, t.Any]],
    engine_version: str,
) -> dict[str, t.Any]:
    wrong = [f"{node}: {problem}" for node in nodes if (problem := node_answers.problem(nodes[node], "releases"))]
    if problem := node_answers.problem({"record": record}, "record"):
        wrong.append(f"the cluster record: {problem}")
    if wrong:
        return rollback.Choice(problem=f"{'. '.join(wrong)}. Nothing was changed.").to_dict()
    cached = {item["id"]: item for node in nodes.values() for item in node.get("cached") or []}
    available = rollback.Available(record or {}, nodes, list(cached.values()))
    return rollback.choose(str(requested), available, str(engine_version)).to_dict()


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"rollback_choice": rollback_choice}
