# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
name: rotated_secrets
short_description: The table that ends a run of rotate_secrets
version_added: 0.1.0
author:
  - The ivy.cluster contributors (@ivy-cluster)
description:
  - Names the secrets that a run has replaced. It contains no secret.
options:
  _input:
    description:
      - >-
        C(nodes), the plan of each node; C(new_key), whether the cluster key was replaced; C(retired) and C(sessions),
        results of M(ivy.cluster.database_logins); C(own_database), whether this collection sets up the database;
        C(check_mode); C(waits), whether the rollout waits for confirmation.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show which secrets were replaced
  ansible.builtin.debug:
    msg: >-
      {{ {'nodes': {'engine1': rollout_plan}, 'new_key': false, 'own_database': true, 'check_mode': false}
      | ivy.cluster.rotated_secrets }}
"""

RETURN = r"""
_value:
  description: The table as text.
  type: str
"""

import typing as t

from ansible_collections.ivy.cluster.plugins.plugin_utils.operations import rotated_secrets


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., str]]:
        return {"rotated_secrets": rotated_secrets.render}
