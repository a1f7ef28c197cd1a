# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's side of config_adopt: reads the node once and edits the source."""

from __future__ import annotations

import os
import typing as t
from pathlib import Path

from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase

from ansible_collections.ivy.cluster.plugins.module_utils.node.config import encryption, payload
from ansible_collections.ivy.cluster.plugins.module_utils.node.files.errors import NodeError
from ansible_collections.ivy.cluster.plugins.modules.config_adopt import ARGUMENT_SPEC
from ansible_collections.ivy.cluster.plugins.plugin_utils.adopt import run, write
from ansible_collections.ivy.cluster.plugins.plugin_utils.common import native
from ansible_collections.ivy.cluster.plugins.plugin_utils.common.findings import FindingsError
from ansible_collections.ivy.cluster.plugins.plugin_utils.node import session

# The options that the module needs on the node. The others are used only on the controller.
_NODE_OPTIONS = ("source", "roots", "store", "owner", "group", "unit", "ignore", "engine_owned", "restart_rules")

Result = dict[str, t.Any]


class ActionModule(ActionBase):
    """Calls the node once and edits the source on the controller."""

    _supports_check_mode = True
    _supports_diff = True

    def run(self, tmp: str | None = None, task_vars: Result | None = None) -> Result:
        super().run(tmp, task_vars)
        task_vars = task_vars or {}
        _validation, checked = self.validate_argument_spec(argument_spec=ARGUMENT_SPEC)
        params = t.cast(Result, native.plain({name: value for name, value in checked.items() if value is not None}))
        base = Path(self._loader.path_dwim(params["source"]))
        result = run.empty_result(base)
        if not result["first"] and not params["chosen"]:
            return result
        answer = self._read_node(params, task_vars, everything=result["first"])
        if "findings" not in answer:
            return answer
        controller = run.Controller(
            self._loader,
            self._templar,
            tuple(session.known_secrets(self, task_vars)),
            task_vars.get("ansible_inventory_sources") or (),
            bool(self._task.check_mode),
        )
        try:
            run.adopt(params, base, answer, controller, result)
        except (FindingsError, write.WriteError, ValueError) as error:
            raise AnsibleError(str(error)) from error
        if self._task.diff and result["taken"]:
            result["diff"] = {"prepared": result["text"]}
        return result

    def _read_node(self, params: Result, task_vars: Result, everything: bool) -> Result:
        key = os.urandom(32)
        header = {"key": key.hex(), "take": params["files"], "everything": everything}
        node_params = {name: params[name] for name in _NODE_OPTIONS if name in params}
        node_params["payload"] = payload.to_text(payload.pack(header, {}))
        result: Result = self._execute_module(module_args=node_params, task_vars=task_vars)
        if "encrypted" not in result:
            return result
        try:
            return t.cast(Result, encryption.decrypt(key, result["encrypted"]))
        except NodeError as error:
            raise AnsibleError(str(error)) from error
