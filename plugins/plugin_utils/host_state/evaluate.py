# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Evaluates the descriptions of roles with the options of one host, without running a role."""

from __future__ import annotations

import functools
import typing as t
from pathlib import Path

from ansible.template import Templar

from ansible_collections.ivy.cluster.plugins.plugin_utils.common import native, template_words
from ansible_collections.ivy.cluster.plugins.plugin_utils.host_state import expected
from ansible_collections.ivy.cluster.plugins.plugin_utils.preflight.model.roles import (
    TOPOLOGY,
    Role,
    load_with,
    read_roles,
    variables_in_roles,
)
from ansible_collections.ivy.cluster.plugins.plugin_utils.release import inputs

# Roles that other roles include.
SHARED = (TOPOLOGY, "packages", "firewall")
# Included by some roles as well, with a description that needs none of their variables.
INCLUDED = ("certificates",)
OBSERVED = "host_state_observed"
_PROFILE = "ivy_profile"


class Descriptions:
    """The descriptions of some roles for one host."""

    def __init__(self, loader: t.Any, variables: t.Mapping[str, t.Any], names: t.Collection[str]) -> None:
        self._templar = Templar(loader=loader)
        self._variables = variables
        self._roles = read_roles(load_with(loader), {*names, *SHARED, *INCLUDED})
        self._shared = [self._roles[name] for name in SHARED]

    def state_or_reason(self, name: str, observed: t.Mapping[str, t.Any]) -> tuple[dict[str, t.Any] | None, str]:
        try:
            return self.state(name, observed), ""
        except expected.StateError as error:
            return None, str(error)

    def state(self, name: str, observed: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
        """The description of a role, with those of the roles that it includes."""
        role = self._roles.get(name)
        if role is None or f"{name}_state" not in role.variables:
            raise expected.StateError(f"The role {name} does not describe its state in a variable {name}_state.")
        own = self._evaluate(role, f"{name}_state", {OBSERVED: observed})
        return expected.merged([own, *(self._included(item) for item in own["includes"])])

    def _included(self, item: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
        name = str(item["role"])
        variable = f"{name}_{item['state']}_state" if item.get("state") else f"{name}_state"
        return self._evaluate(self._roles[name], variable, dict(item["vars"]))

    def _evaluate(self, role: Role, variable: str, more: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
        roles = {item.name: item for item in (*self._shared, role)}
        own = {"role_path": str(role.path), "role_name": role.name, "ansible_search_path": [str(role.path)]}
        variables = {**variables_in_roles(roles.values(), self._variables), **own, **self._profile, **more}
        value, reason = self._value_of(variable, variables, role.path)
        if reason:
            raise expected.StateError(reason)
        return expected.validated(value)

    @functools.cached_property
    def _profile(self) -> dict[str, native.Plain]:
        """The profile of the engine, so that no look-up of a template copies the long list that it is chosen from."""
        topology = self._roles[TOPOLOGY]
        variables = variables_in_roles([topology], self._variables)
        value, reason = self._value_of(_PROFILE, variables, topology.path)
        return {} if reason else {_PROFILE: value}

    def _value_of(self, name: str, variables: t.Mapping[str, t.Any], role: Path) -> tuple[native.Plain, str]:
        words = template_words.behind(variables, {name}, role)
        self._templar.available_variables = template_words.usable(variables, words)
        return inputs.value_of(self._templar, name)
