# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
name: playbook_command
short_description: The command that runs another playbook of this collection
version_added: 0.1.0
author:
  - The ivy.cluster contributors (@ivy-cluster)
description:
  - For messages that say what to run next. The command has the inventories, the vault and the become options of this
    run, but none of the values that were set with C(-e), which may be secrets.
  - The playbook is named by its full name, or by its path where this run used a path.
  - In AWX, where there is no such command line, it is the name alone.
positional: _input
options:
  _input:
    description: >-
      Name of the playbook, without C(ivy.cluster.) and without C(.yml). Empty for the command without a playbook, which
      one can follow.
    type: str
    required: true
  arguments:
    description: Further arguments, one word each. Give them one after another.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Print the command for a rollback
  ansible.builtin.debug:
    msg: "Run: {{ 'rollback' | ivy.cluster.playbook_command('--limit', inventory_hostname) }}"
"""

RETURN = r"""
_value:
  description: The command, quoted for a shell.
  type: str
"""

import typing as t

from ansible_collections.ivy.cluster.plugins.plugin_utils.common import commands


def playbook_command(playbook: str, *arguments: str) -> str:
    if not playbook:
        return commands.current().prefix()
    return commands.command(str(playbook), *(str(argument) for argument in arguments))


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"playbook_command": playbook_command}
