# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The values that options have before any host is contacted.

Unless facts are kept out of the variables (``inject_facts_as_vars``), whatever a module returns as ``ansible_facts``
replaces variables of the inventory and defaults of roles: a host could choose the files that the controller sends to
it, and with ``run_once`` the options of other hosts. Variables that ``set_fact`` sets have precedence over facts.
"""

from __future__ import annotations

import contextlib
import typing as t

from ansible import constants

from ansible_collections.ivy.cluster.plugins.plugin_utils.common import native
from ansible_collections.ivy.cluster.plugins.plugin_utils.common.findings import Finding

if t.TYPE_CHECKING:
    from ansible_collections.ivy.cluster.plugins.plugin_utils.preflight.model.roles import Role
    from ansible_collections.ivy.cluster.plugins.plugin_utils.preflight.model.variables import Values, Variables

# The variable with the names of the fixed options of a host.
FIXED = "fixed_options"
# What playbooks and roles pass to what they import. These variables of plays and tasks would not replace a value that
# set_fact has set; variables that are passed to an include do.
ARGUMENTS = frozenset(
    {
        "engine_architecture",
        "engine_shipped_jvm_options",
        "rollout_desired_release",
        "rollout_new_cluster",
        "rollout_operation",
        "rollout_reason",
        "rollout_release",
    }
)

# Options whose value is a file of the controller, or what such a file is created from.
_FILES = (
    *("_applications", "_archive", "_archive_checksum", "_archive_url", "_cache"),
    *("certificates_directory", "_file", "_report_directory", "_source"),
)


def check(variables: Variables, roles: t.Iterable[Role]) -> list[Finding]:
    """Options that name files of the controller by facts, if a fact may have any name."""
    if not constants.INJECT_FACTS_AS_VARS:
        return []
    names = (
        {name for role in roles for name in role.options if name.endswith(_FILES)} - ARGUMENTS - set(variables.extra)
    )
    advice = (
        "Set inject_facts_as_vars = False under [defaults] in ansible.cfg, or ANSIBLE_INJECT_FACT_VARS=False in the "
        "environment, or use no facts in this option."
    )
    return [
        Finding(
            "option-by-facts",
            "Options",
            name,
            "it depends on facts, and any host may return facts that replace it and so choose a file of the controller",
            advice,
        )
        for name in sorted(names)
        if any(
            name in host.given and variables.values[host.name].changes(name, hostvars=False) for host in variables.hosts
        )
    ]


def values_of(variables: Variables, roles: t.Iterable[Role]) -> dict[str, dict[str, native.Plain]]:
    """The options by host that have the same value for the rest of the run.

    Those of the command line have precedence over everything. One that cannot be resolved is reported where it is used.
    """
    names = {name for role in roles for name in role.options} - ARGUMENTS - set(variables.extra)
    changing = any(
        variables.values[host.name].changes(name, hostvars=False) for host in variables.hosts for name in host.given
    )
    found: dict[str, dict[str, native.Plain]] = {}
    # To resolve a template takes most of the time, and most have the same value on all hosts.
    known: dict[t.Any, dict[str, native.Plain]] = {}
    for host, values in variables.values.items():
        found[host] = {}
        for name in sorted(names & values.variables.keys() - variables.set_by_tasks[host]):
            if values.is_literal(name):
                found[host].update(_resolved(values, name))
            elif not values.changes(name, hostvars=changing):
                key = (name, values.fingerprint(name))
                if key not in known:
                    known[key] = _resolved(values, name)
                found[host].update(known[key])
    return found


def _resolved(values: Values, name: str) -> dict[str, native.Plain]:
    return {name: values[name]} if name in values else {}


class _Facts:
    """The cache of facts without those that could be taken for another variable."""

    def __init__(self, cache: t.Any) -> None:
        self._cache = cache

    def get(self, host: str) -> dict[str, t.Any]:
        return {key: value for key, value in self._cache.get(host).items() if str(key).startswith("ansible_")}


@contextlib.contextmanager
def described_variables(manager: t.Any) -> t.Iterator[None]:
    """Within it, variables are what the inventory describes: without fixed values, and not replaced by facts."""
    facts, tasks = manager._fact_cache, manager._nonpersistent_fact_cache
    without = {host: [*found[FIXED], FIXED] for host, found in tasks.items() if FIXED in found}
    own = {
        host: {name: value for name, value in found.items() if name not in without.get(host, ())}
        for host, found in tasks.items()
    }
    manager._nonpersistent_fact_cache = own
    if constants.INJECT_FACTS_AS_VARS:
        manager._fact_cache = _Facts(facts)
    try:
        yield
    finally:
        manager._fact_cache, manager._nonpersistent_fact_cache = facts, tasks
