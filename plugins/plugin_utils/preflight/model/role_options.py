# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of other roles as one host sees them.

Preflight inspects a host before any role has run there, and a role's defaults are visible only to its own tasks.
"""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleError
from ansible.template import Templar, trust_as_template

from ansible_collections.ivy.cluster.plugins.plugin_utils.common import native
from ansible_collections.ivy.cluster.plugins.plugin_utils.preflight.model.roles import (
    load_with,
    read_roles,
    variables_in_roles,
)


class Options(t.Protocol):
    """What a plan is made from."""

    def get(self, expression: str) -> t.Any:
        """The value of an expression, None where it cannot be had."""


class RoleOptions:
    """Evaluates expressions over the variables of a host and those of some roles."""

    def __init__(self, loader: t.Any, variables: t.Mapping[str, t.Any], names: t.Collection[str]) -> None:
        read = read_roles(load_with(loader), names)
        self._templar = Templar(loader=loader, variables=variables_in_roles(read.values(), variables))
        self.failed: dict[str, str] = {}

    def get(self, expression: str) -> t.Any:
        """The value; None if it cannot be resolved, which the checks of the inventory report."""
        try:
            return native.plain(self._templar.evaluate_expression(trust_as_template(expression)))
        except (AnsibleError, native.PlainError, TypeError, ValueError) as error:
            self.failed[expression] = str(error)
            return None
