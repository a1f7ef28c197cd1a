# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
name: ad_hoc_command
short_description: The command that calls one module of this collection on hosts
version_added: 0.1.0
author:
  - The ivy.cluster contributors (@ivy-cluster)
description:
  - For messages that name something that no playbook does. The command has the inventories, the vault and the become
    options of this run, but none of the values that were set with C(-e), which may be secrets.
positional: _input, module
options:
  _input:
    description: Group or host.
    type: str
    required: true
  module:
    description: Name of the module, without C(ivy.cluster.).
    type: str
    required: true
  arguments:
    description: Arguments of the module, such as C(state=ready). Give them one after another.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Print the command that lets users in again
  ansible.builtin.debug:
    msg: "{{ 'load_balancers' | ivy.cluster.ad_hoc_command('balancer_server', 'name=engine2', 'state=ready') }}"
"""

RETURN = r"""
_value:
  description: The command, quoted for a shell.
  type: str
"""

import typing as t

from ansible_collections.ivy.cluster.plugins.plugin_utils.common import commands


def ad_hoc_command(hosts: str, module: str, *arguments: str) -> str:
    return commands.ad_hoc(str(hosts), str(module), *(str(argument) for argument in arguments))


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"ad_hoc_command": ad_hoc_command}
