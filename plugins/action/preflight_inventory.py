# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's half, and the only one, of ivy.cluster.preflight_inventory."""

from __future__ import annotations

import typing as t

from ansible.plugins.action import ActionBase

from ansible_collections.ivy.cluster.plugins.modules.preflight_inventory import ARGUMENT_SPEC


class ActionModule(ActionBase):
    """Looks at everything that the inventory says, as each host sees it."""

    _requires_connection = False
    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        self.validate_argument_spec(argument_spec=ARGUMENT_SPEC)
        result.update(changed=False, findings=[], look_at_hosts=True)
        return result
