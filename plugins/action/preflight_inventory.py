# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's half, and the only one, of ivy.cluster.preflight_inventory."""

from __future__ import annotations

import typing as t

from ansible.parsing.dataloader import DataLoader
from ansible.plugins.action import ActionBase

from ansible_collections.ivy.cluster.plugins.modules.preflight_inventory import ARGUMENT_SPEC
from ansible_collections.ivy.cluster.plugins.plugin_utils.preflight import inventory_check as looks
from ansible_collections.ivy.cluster.plugins.plugin_utils.preflight.model import (
    roles as preflight_roles,
)
from ansible_collections.ivy.cluster.plugins.plugin_utils.preflight.model import (
    variables as preflight_variables,
)

# Read once in a run: Ansible imports this module before it forks a worker for each task. None of the files has secrets.
preflight_roles.keep(DataLoader(), specifications=True)


class ActionModule(ActionBase):
    """Validates all variables of the inventory, as each host resolves them."""

    _requires_connection = False
    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        _validation, checked = self.validate_argument_spec(argument_spec=ARGUMENT_SPEC)
        roles = preflight_roles.read_roles(preflight_roles.load_with(self._loader))
        manager = self._task.get_variable_manager()
        variables = preflight_variables.Variables(manager, self._task.play, self._loader, roles)
        look = looks.Look(variables, roles, self._loader)
        findings = look.at(str(checked["stage"]))
        result.update(
            changed=False,
            findings=[finding.to_dict() for finding in findings],
            settled=list(looks.SETTLED_BY_FACTS) if checked["stage"] == looks.FACTS else [],
            look_at_hosts=look.hosts_can_be_looked_at(findings),
        )
        return result
