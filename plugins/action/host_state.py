# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's side of host_state: evaluates the descriptions of the roles, and compares them with the host."""

from __future__ import annotations

import typing as t

from ansible.parsing.dataloader import DataLoader
from ansible.plugins.action import ActionBase

from ansible_collections.ivy.cluster.plugins.modules.host_state import ARGUMENT_SPEC
from ansible_collections.ivy.cluster.plugins.plugin_utils.common import native
from ansible_collections.ivy.cluster.plugins.plugin_utils.host_state import compare, expected
from ansible_collections.ivy.cluster.plugins.plugin_utils.host_state.evaluate import SHARED, Descriptions
from ansible_collections.ivy.cluster.plugins.plugin_utils.node.result import Comparable
from ansible_collections.ivy.cluster.plugins.plugin_utils.node.session import cluster_key
from ansible_collections.ivy.cluster.plugins.plugin_utils.node.transport import call_or_send
from ansible_collections.ivy.cluster.plugins.plugin_utils.preflight.model import roles as known_roles

Variables = dict[str, t.Any]

# Ansible imports this module before it forks a worker for each host, so no worker reads these files. None has secrets.
known_roles.keep(DataLoader(), {*SHARED, *known_roles.HOSTS_OF})


class ActionModule(ActionBase):
    """Fails only if the host cannot be inspected."""

    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: Variables | None = None) -> dict[str, t.Any]:
        variables = dict(task_vars or {})
        result: dict[str, t.Any] = super().run(tmp, variables)
        _validation, checked = self.validate_argument_spec(argument_spec=ARGUMENT_SPEC)
        names = [str(name) for name in checked["roles"]]
        descriptions = Descriptions(self._loader, variables, names)
        states, differences = self._describe(descriptions, names, {})
        total = expected.merged(states.values())
        answer = call_or_send(
            self,
            "host_state_facts",
            checked["store"],
            {"subjects": expected.subjects(total), "passwords": total["passwords"]},
            variables,
            # The store of an engine node has to exist before its code.
            keep="existing" if "engine_nodes" in variables.get("group_names", ()) else "always",
        )
        if "observed" not in answer:
            return {**result, **answer}
        observed = t.cast("dict[str, t.Any]", native.plain(answer["observed"]))
        # What a role sets may depend on what the host has, such as the modules in an archive.
        dependent = [name for name in states if expected.depends(states[name], observed)]
        again, failed = self._describe(descriptions, dependent, observed)
        differences.update(failed)
        for name, state in {**states, **again}.items():
            differences.setdefault(name, compare.differences(state, observed))
        found = {name: differences[name] for name in names if differences[name]}
        comparable = Comparable(cluster_key(self, variables))
        final = {**states, **again}
        wanted = {name: comparable.of("state", expected.unordered(final[name])) for name in found if name in final}
        # A later role may use what an earlier one sets up: a new certificate requires a reload of HAProxy.
        first = next((number for number, name in enumerate(names) if name in found), len(names))
        result.update(changed=False, roles=names[first:], differences=found, wanted=wanted)
        return result

    @staticmethod
    def _describe(
        descriptions: Descriptions, names: t.Sequence[str], observed: t.Mapping[str, t.Any]
    ) -> tuple[dict[str, expected.State], dict[str, list[str]]]:
        """The descriptions, and for each role without a usable one the reason, which counts as a difference."""
        states: dict[str, expected.State] = {}
        failed: dict[str, list[str]] = {}
        for name in names:
            state, reason = descriptions.state_or_reason(name, observed)
            if state is None:
                failed[name] = [f"The state cannot be compared: {reason}"]
            else:
                states[name] = state
        return states, failed
