# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's half of a look at a host: what to look for, and what to make of a host that cannot be looked at."""

from __future__ import annotations

import secrets
import time
import typing as t

from ansible.errors import AnsibleConnectionFailure, AnsibleError
from ansible.plugins.action import ActionBase
from ansible.vars.clean import namespace_facts

from ansible_collections.ivy.cluster.plugins.modules.preflight_probe_host import ARGUMENT_SPEC
from ansible_collections.ivy.cluster.plugins.plugin_utils.common import native
from ansible_collections.ivy.cluster.plugins.plugin_utils.common.connection_errors import diagnose
from ansible_collections.ivy.cluster.plugins.plugin_utils.preflight.checks.host import PYTHON
from ansible_collections.ivy.cluster.plugins.plugin_utils.preflight.model.host_requirements import (
    Plan,
    module_arguments,
    plan_for,
    roles_of,
)
from ansible_collections.ivy.cluster.plugins.plugin_utils.preflight.model.role_options import RoleOptions

_ANSIBLES_OWN = ("_ansible_parsed", "ansible_facts", "changed", "invocation")


class _UnusableError(Exception):
    def __init__(self, reason: str, detail: str) -> None:
        self.reason, self.detail = reason, detail
        super().__init__(detail)


class ActionModule(ActionBase):
    """Never fails and never loses a host because of what is wrong with it: the reason is the answer."""

    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        variables = dict(task_vars or {})
        result: dict[str, t.Any] = super().run(tmp, variables)
        _validation, checked = self.validate_argument_spec(argument_spec=ARGUMENT_SPEC)
        given = t.cast("dict[str, t.Any]", native.plain(checked))
        result.update(changed=False, plan=Plan((), "").to_dict(), reason="", detail="")
        try:
            facts = self._facts(variables, given["gather_subset"])
            result["ansible_facts"] = facts
            known = {**variables.get("ansible_facts", {}), **namespace_facts(facts)["ansible_facts"]}
            groups = given["groups"]
            plan = plan_for(groups, RoleOptions(self._loader, {**variables, "ansible_facts": known}, roles_of(groups)))
            result["plan"] = plan.to_dict()
            self._look(result, plan, variables, given["seconds"])
        except _UnusableError as error:
            result.update(reason=error.reason, detail=error.detail)
        return result

    def _facts(self, variables: dict[str, t.Any], subset: list[str]) -> dict[str, t.Any]:
        answer = self._run("ansible.legacy.setup", {"gather_subset": subset}, variables)
        facts: dict[str, t.Any] = answer["ansible_facts"]
        version = facts.get("ansible_python", {}).get("version", {})
        if (version.get("major", 0), version.get("minor", 0)) < PYTHON:
            raise _UnusableError("old-python", facts.get("ansible_python_version", ""))
        return facts

    def _look(self, result: dict[str, t.Any], plan: Plan, variables: dict[str, t.Any], seconds: int) -> None:
        token = secrets.token_hex(8)
        arguments = module_arguments(plan, variables["inventory_hostname"], token, seconds)
        before = time.time()
        seen = self._run("ivy.cluster.preflight_facts", arguments, variables)
        after = time.time()
        if seen["uid"] != 0:
            raise _UnusableError("no-root", f"it runs as UID {seen['uid']}, not as root")
        # The way there took less than all the time before the module began, the way back less than all after its end.
        result.update(
            seen={key: value for key, value in seen.items() if key not in _ANSIBLES_OWN},
            token=token,
            clock=[seen["ended"] - after, seen["started"] - before],
        )

    def _run(self, name: str, arguments: dict[str, t.Any], variables: dict[str, t.Any]) -> dict[str, t.Any]:
        try:
            answer: dict[str, t.Any] = self._execute_module(
                module_name=name, module_args=arguments, task_vars=variables
            )
        except AnsibleConnectionFailure as error:
            raise _unusable(str(error), connecting=True) from error
        except AnsibleError as error:
            raise _unusable(str(error)) from error
        if answer.get("unreachable"):
            raise _unusable(str(answer.get("msg", "")), connecting=True)
        if answer.get("failed"):
            raise _unusable("\n".join(str(answer.get(key, "")) for key in ("module_stdout", "msg", "module_stderr")))
        return answer


def _unusable(said: str, connecting: bool = False) -> _UnusableError:
    found = diagnose(said, connecting)
    return _UnusableError(found.cause.name, found.detail)
