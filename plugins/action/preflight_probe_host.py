# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's side of preflight_probe_host: plans what to probe, and reports why a host cannot be probed."""

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
from ansible_collections.ivy.cluster.plugins.plugin_utils.node.transport import call_or_send
from ansible_collections.ivy.cluster.plugins.plugin_utils.preflight.checks.host import PYTHON
from ansible_collections.ivy.cluster.plugins.plugin_utils.preflight.model.host_requirements import (
    Plan,
    module_arguments,
    plan_for,
    roles_of,
)
from ansible_collections.ivy.cluster.plugins.plugin_utils.preflight.model.role_options import RoleOptions

# Longer than the other hosts need to test the ports and the file, also in a large cluster.
# The hosts are inspected one batch after another, and the first one waits until the last one has been inspected.
_LISTENER_SECONDS = 180
# Keys of a failed module's result with the reason.
_TEXTS = ("module_stdout", "msg", "module_stderr")
# Keys that Ansible adds to the result of every module.
_ANSIBLE_KEYS = ("_ansible_parsed", "ansible_facts", "changed", "invocation")

Variables = dict[str, t.Any]


class _ProbeError(Exception):
    """The host cannot be probed. The reason is one word for preflight, the detail the original message."""

    def __init__(self, reason: str, detail: str) -> None:
        self.reason, self.detail = reason, detail
        super().__init__(detail)

    @classmethod
    def diagnosed(cls, message: str, connecting: bool = False) -> _ProbeError:
        found = diagnose(message, connecting)
        return cls(found.cause.name, found.detail)


class ActionModule(ActionBase):
    """Never fails, and no host becomes unreachable: the result contains the reason why a host cannot be probed."""

    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: Variables | None = None) -> dict[str, t.Any]:
        variables = dict(task_vars or {})
        result: dict[str, t.Any] = super().run(tmp, variables)
        _validation, checked = self.validate_argument_spec(argument_spec=ARGUMENT_SPEC)
        params = t.cast("dict[str, t.Any]", native.plain(checked))
        result.update(changed=False, plan=Plan((), "").to_dict(), reason="", detail="")
        try:
            facts = result["ansible_facts"] = self._gather_facts(variables, params["gather_subset"])
            known = {**variables.get("ansible_facts", {}), **namespace_facts(facts)["ansible_facts"]}
            groups = params["groups"]
            plan = plan_for(groups, RoleOptions(self._loader, {**variables, "ansible_facts": known}, roles_of(groups)))
            result["plan"] = plan.to_dict()
            result.update(self._probe(plan, params["store"], variables))
        except _ProbeError as error:
            result.update(reason=error.reason, detail=error.detail)
        return result

    def _gather_facts(self, variables: Variables, subset: list[str]) -> dict[str, t.Any]:
        setup = {"module_args": {"gather_subset": subset}, "task_vars": variables}
        answer = self._answer(lambda: self._execute_module(module_name="ansible.legacy.setup", **setup))
        facts: dict[str, t.Any] = answer["ansible_facts"]
        version = facts.get("ansible_python", {}).get("version", {})
        if (version.get("major", 0), version.get("minor", 0)) < PYTHON:
            raise _ProbeError("old-python", facts.get("ansible_python_version", ""))
        return facts

    def _probe(self, plan: Plan, store: str, variables: Variables) -> dict[str, t.Any]:
        token = secrets.token_hex(8)
        params = module_arguments(plan, variables["inventory_hostname"], token, _LISTENER_SECONDS)
        before = time.time()
        facts = self._answer(lambda: call_or_send(self, "preflight_facts", store, params, variables))
        after = time.time()
        if facts["uid"] != 0:
            raise _ProbeError("no-root", f"it runs as UID {facts['uid']}, not as root")
        seen = {key: value for key, value in facts.items() if key not in _ANSIBLE_KEYS}
        # The module started after `before` and ended before `after`, so the offset of the host's clock is in between.
        return {"seen": seen, "token": token, "clock": [facts["ended"] - after, facts["started"] - before]}

    def _answer(self, call: t.Callable[[], dict[str, t.Any]]) -> dict[str, t.Any]:
        """The result of a module. It raises an error if there is none."""
        try:
            answer = call()
        except AnsibleError as error:
            connecting = isinstance(error, AnsibleConnectionFailure)
            raise _ProbeError.diagnosed(str(error), connecting) from error
        if answer.get("unreachable"):
            raise _ProbeError.diagnosed(str(answer.get("msg", "")), connecting=True)
        if answer.get("failed"):
            raise _ProbeError.diagnosed("\n".join(str(answer.get(key, "")) for key in _TEXTS))
        return answer
