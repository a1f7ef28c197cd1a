# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's side of application."""

from __future__ import annotations

import typing as t

from ansible.plugins.action import ActionBase

from ansible_collections.ivy.cluster.plugins.plugin_utils.node import masked_call


class ActionModule(ActionBase):
    """Sends the module, and masks the deployment log in its result."""

    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        super().run(tmp, task_vars)
        return masked_call.call(self, task_vars or {}, lambda: self._execute_module(task_vars=task_vars))
