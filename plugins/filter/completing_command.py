# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
name: completing_command
short_description: The command that completes an operation which is open in the cluster record
version_added: 0.1.0
author:
  - The ivy.cluster contributors (@ivy-cluster)
description:
  - An interrupted run leaves its operation open, and only the playbook that opened it can complete it. The exceptions
    are C(ivy.cluster.site) and C(ivy.cluster.rollout), which complete each other.
  - The command is like those of P(ivy.cluster.playbook_command#filter), with the options that the playbook needs.
positional: _input
options:
  _input:
    description: Name of the open operation, from the cluster record.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Print the command that completes the open operation
  ansible.builtin.debug:
    msg: "Complete it first: {{ record.operation.name | ivy.cluster.completing_command }}"
"""

RETURN = r"""
_value:
  description: The command, quoted for a shell. What is to be replaced is between C(<) and C(>).
  type: str
"""

import typing as t

from ansible_collections.ivy.cluster.plugins.plugin_utils.common import commands


def completing_command(operation: str) -> str:
    return commands.completing(str(operation))


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"completing_command": completing_command}
