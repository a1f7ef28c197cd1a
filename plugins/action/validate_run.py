# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's half, and the only one, of ivy.cluster.validate_run."""

from __future__ import annotations

import os
import typing as t

from ansible.inventory.manager import IGNORED
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.action import ActionBase

from ansible_collections.ivy.cluster.plugins.modules.validate_run import ARGUMENT_SPEC
from ansible_collections.ivy.cluster.plugins.plugin_utils.common import masking
from ansible_collections.ivy.cluster.plugins.plugin_utils.common.findings import ERROR, Finding
from ansible_collections.ivy.cluster.plugins.plugin_utils.preflight import inventory_check
from ansible_collections.ivy.cluster.plugins.plugin_utils.preflight import report as preflight_report
from ansible_collections.ivy.cluster.plugins.plugin_utils.preflight.model import (
    fixed_options,
    inventory_sources,
)
from ansible_collections.ivy.cluster.plugins.plugin_utils.preflight.model import (
    options as preflight_options,
)
from ansible_collections.ivy.cluster.plugins.plugin_utils.preflight.model import (
    roles as preflight_roles,
)
from ansible_collections.ivy.cluster.plugins.plugin_utils.preflight.model import (
    variables as preflight_variables,
)
from ansible_collections.ivy.cluster.plugins.plugin_utils.preflight.model.inventory import GROUPS, Inventory
from ansible_collections.ivy.cluster.plugins.plugin_utils.report.document import text_of

# Options whose value is a path on the controller, or holds some.
_PATHS = ("_archive", "_file", "_source", "_directory", "_cache", "_applications")
_LOOKUPS = ("lookup(", "query(", "q(")

# Read once in a run: Ansible imports this module before it forks a worker for each task. None of the files has secrets.
preflight_roles.keep(DataLoader(), specifications=True)


class ActionModule(ActionBase):
    """Validates the inventory's sources and the names and types of the options."""

    _requires_connection = False
    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        _validation, checked = self.validate_argument_spec(argument_spec=ARGUMENT_SPEC)
        roles = preflight_roles.read_roles(preflight_roles.load_with(self._loader))
        manager = self._task.get_variable_manager()
        variables = preflight_variables.Variables(manager, self._task.play, self._loader, roles)
        inventory = Inventory(variables.hosts, None, variables.group_names)
        findings = self._check_sources(manager._inventory, variables, roles)
        findings += preflight_options.check_extra(variables.extra, roles, variables.used)
        findings += preflight_options.check_confirmation(variables.extra, inventory.text("ivy_cluster_name"))
        findings += fixed_options.check(variables, roles.values())
        if checked["inventory_options"]:
            names = preflight_options.check_names(inventory, roles, variables.extra, variables.used)
            # Warnings are left to preflight: the other playbooks do what they were asked for.
            findings += [finding for finding in names if finding.severity == ERROR]
        used = [str(name) for name in checked["roles"]]
        if used and not any(finding.severity == ERROR for finding in findings):
            stage = inventory_check.CLUSTER if checked["cluster"] else inventory_check.OPTIONS
            findings += inventory_check.Look(variables, roles, self._loader).at(stage, used)
        report = preflight_report.build(
            inventory.text("ivy_cluster_name"), "inventory", findings, self._accepted(inventory, variables)
        )
        result["changed"] = False
        if report.errors:
            # The text alone: Ansible would print the findings beside it.
            head = "This run cannot be started as it was called. No host was contacted, and nothing was changed."
            result.update(failed=True, msg=text_of(preflight_report.lines(report, head)))
        else:
            # Some of the options are secrets.
            result.update(
                roles=used,
                findings=[finding.to_dict() for finding in report.findings],
                options=fixed_options.values_of(variables, roles.values()),
                _ansible_no_log=True,
            )
        return result

    def _accepted(self, inventory: Inventory, variables: preflight_variables.Variables) -> list[str]:
        found = variables.extra.get("preflight_accept") or inventory.items("preflight_accept")
        return [str(code) for code in found] if isinstance(found, (list, tuple)) else []

    def _check_sources(
        self, manager: t.Any, variables: preflight_variables.Variables, roles: t.Mapping[str, preflight_roles.Role]
    ) -> list[Finding]:
        sources = inventory_sources.Sources(
            tuple(str(source) for source in manager._sources), lambda name: bool(IGNORED.search(os.fsencode(name)))
        )
        hosts = [
            inventory_sources.HostEntry(
                str(host.name),
                str(host.vars.get("inventory_file") or ""),
                bool(host.vars.get("ansible_host") or host.vars.get("ansible_connection")),
                any(group.name in GROUPS for group in host.get_groups()),
            )
            for host in manager.hosts.values()
        ]
        named = self._paths(variables, roles) if any(map(os.path.isdir, sources.paths)) else {}
        groups = [str(name) for name in manager.groups]
        return inventory_sources.check(sources, hosts, groups, named, os.getcwd())

    def _paths(
        self, variables: preflight_variables.Variables, roles: t.Mapping[str, preflight_roles.Role]
    ) -> dict[str, set[str]]:
        """The paths that options name, on one host of each set of groups; nothing is looked up for that."""
        options = [name for role in roles.values() for name in role.options if name.endswith(_PATHS)]
        found: dict[str, set[str]] = {}
        for host in {host.groups: host for host in variables.hosts}.values():
            values = variables.values[host.name]
            for name in options:
                text = str(values.variables.get(name, ""))
                if any(word in text for word in _LOOKUPS) or name not in values:
                    continue
                for leaf in masking.leaves(values[name]):
                    if "/" in leaf and "\0" not in leaf:
                        found.setdefault(name, set()).add(self._loader.path_dwim(leaf))
        return found
