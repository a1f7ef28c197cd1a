# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's side of node_probes."""

from __future__ import annotations

import typing as t

from ansible.plugins.action import ActionBase

from ansible_collections.ivy.cluster.plugins.modules.node_probes import ARGUMENT_SPEC
from ansible_collections.ivy.cluster.plugins.plugin_utils.common import native
from ansible_collections.ivy.cluster.plugins.plugin_utils.node.transport import call_cached, complete

Result = dict[str, t.Any]


class ActionModule(ActionBase):
    """Runs all probes with the code that the node caches, or one by one."""

    TRANSFERS_FILES = True
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: Result | None = None) -> Result:
        result: Result = super().run(tmp, task_vars)
        _validation, checked = self.validate_argument_spec(argument_spec=ARGUMENT_SPEC)
        params = t.cast("Result", native.plain(checked))
        found = self._together(params, task_vars or {})
        if found is None:
            found = {
                probe["name"]: self._execute_module(
                    module_name=f"ivy.cluster.{probe['module']}", module_args=probe["options"], task_vars=task_vars
                )
                for probe in params["probes"]
            }
        changed = any(bool(answer.get("changed")) for answer in found.values())
        return {**result, "changed": changed, "answers": found}

    def _together(self, params: Result, task_vars: Result) -> dict[str, Result] | None:
        """The results of one call; None if the node does not have the code, or if it has to check the options."""
        probes = []
        for probe in params["probes"]:
            options = complete(probe["module"], probe["options"])
            if options is None:
                return None
            probes.append({"name": probe["name"], "module": probe["module"], "options": options})
        answer = call_cached(self, "node_probes", params["store"], {"probes": probes}, task_vars)
        found = answer.get("answers")
        return found if isinstance(found, dict) and set(found) == {probe["name"] for probe in probes} else None
