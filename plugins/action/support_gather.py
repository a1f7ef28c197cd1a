# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's side of support_gather: asks the host, masks what it answers, and stages that for the bundle."""

from __future__ import annotations

import typing as t

from ansible import constants
from ansible.errors import AnsibleConnectionFailure, AnsibleError
from ansible.plugins.action import ActionBase

from ansible_collections.ivy.cluster.plugins.modules.support_gather import ARGUMENT_SPEC
from ansible_collections.ivy.cluster.plugins.plugin_utils.common import native
from ansible_collections.ivy.cluster.plugins.plugin_utils.node import masked_call, session
from ansible_collections.ivy.cluster.plugins.plugin_utils.support import archive, parts

Result = dict[str, t.Any]


class ActionModule(ActionBase):
    """Returns numbers only. A host that is lost in the middle contributes what it has answered before."""

    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: Result | None = None) -> Result:
        result: Result = super().run(tmp, task_vars)
        _validation, checked = self.validate_argument_spec(argument_spec=ARGUMENT_SPEC)
        params = t.cast("Result", native.plain(checked))
        variables = dict(task_vars or {})
        secrets = session.known_secrets(self, variables)
        # Its failure says why the host is lost. What follows prints nothing, so its failure would not.
        self._low_level_execute_command("true", sudoable=False)
        with masked_call.not_printed(self):
            found = self._gather(params, variables, secrets)
        archive.stage(archive.stage_directory(constants.DEFAULT_LOCAL_TMP), variables["inventory_hostname"], found)
        result.update(changed=False, files=len(found.texts), bytes=found.size(), problems=len(found.problems))
        return result

    def _gather(self, params: Result, variables: Result, secrets: list[str]) -> parts.Parts:
        arguments = {name: params[name] for name in ("programs", "directories", "part_bytes", "host_bytes")}
        # Without this answer there is nothing to stage, and the host is unreachable.
        answer = self._execute_module(
            module_name="ivy.cluster.support_facts", module_args=arguments, task_vars=variables
        )
        if answer.get("unreachable"):
            raise AnsibleConnectionFailure(parts.shown(answer.get("msg"), secrets))
        found = parts.of_facts(answer, params["host_bytes"], secrets)
        for module in params["modules"]:
            more = self._module(module, params["host_bytes"], variables, secrets)
            found.texts.update(more.texts)
            found.problems.extend(more.problems)
        return found

    def _module(self, module: Result, longest: int, variables: Result, secrets: list[str]) -> parts.Parts:
        try:
            answer = self._execute_module(
                module_name=f"ivy.cluster.{module['module']}", module_args=module["options"], task_vars=variables
            )
        except AnsibleError as error:
            answer = {"failed": True, "msg": str(error)}
        return parts.of_module(module["name"], answer, longest, secrets)
