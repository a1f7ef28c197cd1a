# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Variables as each host would see them in a role, without running one.

``hostvars`` lacks the defaults and the variables of roles, and a task's arguments are templated for one host only.
"""

from __future__ import annotations

import re
import typing as t

from ansible import constants
from ansible.template import Templar

from ansible_collections.ivy.cluster.plugins.plugin_utils.common import native
from ansible_collections.ivy.cluster.plugins.plugin_utils.common.template_words import (
    OF_ALL_HOSTS,
    behind,
    is_literal,
    usable,
    words_of,
)
from ansible_collections.ivy.cluster.plugins.plugin_utils.preflight.model.fixed_options import described_variables
from ansible_collections.ivy.cluster.plugins.plugin_utils.preflight.model.inventory import GROUPS, Host
from ansible_collections.ivy.cluster.plugins.plugin_utils.preflight.model.roles import Role, variables_in_roles
from ansible_collections.ivy.cluster.plugins.plugin_utils.release import inputs

_NAME = re.compile(r"[A-Za-z_]\w*")
_OF_FACTS = re.compile(r"ansible_facts|ansible_(?:distribution|memtotal|processor|architecture|default_ipv|os_family)")
# Variables of Ansible that are not the same in each play and role, and the groups that playbooks create.
_CHANGING = frozenset(
    {
        "ansible_collection_name",
        "ansible_dependent_role_names",
        "ansible_facts",
        "ansible_local",
        "ansible_parent_role_names",
        "ansible_parent_role_paths",
        "ansible_play_batch",
        "ansible_play_hosts",
        "ansible_play_hosts_all",
        "ansible_play_name",
        "ansible_play_role_names",
        "ansible_role_name",
        "ansible_role_names",
        "ivy_left_out",
        "ivy_reached",
        "ivy_this_run",
        "play_hosts",
        "role_name",
        "role_names",
        "role_path",
    }
)
_TEMPLATE = "__preflight_template"
# No fact can have these names.
_OF_CONNECTIONS = frozenset(name for names in constants.MAGIC_VARIABLE_MAPPING.values() for name in names)


class Values(t.Mapping[str, t.Any]):
    """The variables of one host. Each is templated when it is asked for; one that cannot be had is left out."""

    def __init__(self, host: str, variables: dict[str, t.Any], templar: Templar, failed: t.Callable[..., None]) -> None:
        self.variables = variables
        self._host = host
        self._failed = failed
        # The same for all hosts: it takes a while until it knows the filters.
        self._templar = templar
        self._known: dict[str, native.Plain] = {}
        self._unknown: set[str] = set()
        self._by_facts: dict[str, bool] = {}
        self._words: dict[str, frozenset[str]] = {}

    def __getitem__(self, name: str) -> native.Plain:
        if name in self._known:
            return self._known[name]
        if name in self._unknown or name not in self.variables:
            raise KeyError(name)
        raw = self.variables[name]
        value, reason = (raw, "") if is_literal(raw) else self._resolve(name, {}, self.words_behind(name))
        if reason:
            self._unknown.add(name)
            if not (self.lacks_facts and self.needs_facts(name)):
                self._failed(self._host, name, reason)
            raise KeyError(name)
        self._known[name] = native.plain(value)
        return self._known[name]

    def __contains__(self, name: object) -> bool:
        try:
            self[str(name)]
        except KeyError:
            return False
        return True

    def __iter__(self) -> t.Iterator[str]:
        return iter(self.variables)

    def __len__(self) -> int:
        return len(self.variables)

    def is_literal(self, name: str) -> bool:
        return is_literal(self.variables.get(name))

    def text_in_role(self, role: Role, template: t.Any) -> tuple[native.Plain, str]:
        """A template as the role would see it: its look-ups find the role's own files."""
        own = {"role_path": str(role.path), "role_name": role.name, "ansible_search_path": [str(role.path)]}
        words = behind(self.variables, words_of(template), role.path)
        return self._resolve(_TEMPLATE, {**own, _TEMPLATE: template}, words)

    def _resolve(self, name: str, own: t.Mapping[str, t.Any], words: t.Collection[str]) -> tuple[native.Plain, str]:
        self._templar.available_variables = {**usable(self.variables, {name, *words}), **own}
        return inputs.value_of(self._templar, name)

    @property
    def lacks_facts(self) -> bool:
        return not self.variables.get("ansible_facts")

    def needs_facts(self, name: str, seen: frozenset[str] = frozenset()) -> bool:
        """Whether a template leads to a fact, by whatever other variables."""
        if name in seen or name not in self.variables or name in ("hostvars", "groups", "vars"):
            return False
        if name not in self._by_facts:
            self._by_facts[name] = self.text_needs_facts(self.variables[name], seen | {name})
        return self._by_facts[name]

    def text_needs_facts(self, value: t.Any, seen: frozenset[str] = frozenset()) -> bool:
        text = str(value) if isinstance(value, (str, dict, list)) else ""
        if "{{" not in text and "{%" not in text:
            return False
        return bool(_OF_FACTS.search(text)) or any(
            self.needs_facts(other, seen) for other in set(_NAME.findall(text)) - seen
        )

    def changes(self, name: str, *, hostvars: bool) -> bool:
        """Whether a later play or fact may change the value; ``hostvars``: whether the other hosts' values may."""
        return any(
            hostvars
            if word == "hostvars"
            else word in _CHANGING
            or (word.startswith("ansible_") and word not in self.variables and word not in _OF_CONNECTIONS)
            for word in self.words_behind(name)
        )

    def words_behind(self, name: str) -> frozenset[str]:
        """All words in a template and in the templates that it leads to, among them the names of variables."""
        if name not in self._words:
            self._words[name] = behind(self.variables, words_of(self.variables.get(name)))
        return self._words[name]

    def fingerprint(self, name: str) -> tuple[tuple[str, str], ...]:
        """What a value is made of. Hosts with the same fingerprint have the same value."""
        names = {name, *self.words_behind(name)} & self.variables.keys() - OF_ALL_HOSTS
        return tuple((one, repr(self.variables[one])) for one in sorted(names))


def _is_own(roles: t.Mapping[str, Role], name: str, value: t.Any) -> bool:
    """Whether a role of the play exports its own variable, so that nobody has set it."""
    return any(name in role.variables and role.variables[name] == value for role in roles.values())


class Variables:
    """The hosts of the cluster's groups, whatever part of them this run is limited to."""

    def __init__(self, manager: t.Any, play: t.Any, loader: t.Any, roles: t.Mapping[str, Role]) -> None:
        self.failures: dict[tuple[str, str], list[str]] = {}
        self.group_names = tuple(str(name) for name in manager._inventory.groups if name not in ("all", "ungrouped"))
        names: dict[str, list[str]] = {}
        for group in GROUPS:
            if group in manager._inventory.groups:
                for host in manager._inventory.groups[group].get_hosts():
                    names.setdefault(host.name, []).append(group)
        options = {name for role in roles.values() for name in role.options}
        self.values: dict[str, Values] = {}
        templar = Templar(loader=loader)
        # Names that tasks of the user have set, by host.
        self.set_by_tasks: dict[str, set[str]] = {}
        self.extra: dict[str, t.Any] = {str(key): value for key, value in manager.extra_vars.items()}
        # Names that a variable of the inventory or of the command line refers to.
        self.used: set[str] = set()
        hosts = []
        for name, groups in names.items():
            with described_variables(manager):
                seen = manager.get_vars(play=play, host=manager._inventory.get_host(name))
                self.set_by_tasks[str(name)] = set(manager._nonpersistent_fact_cache.get(name, ()))
            variables = {**variables_in_roles(roles.values(), seen), **manager.extra_vars}
            values = Values(str(name), variables, templar, self._fail)
            self.values[str(name)] = values
            given = frozenset(
                str(key)
                for key, value in seen.items()
                if key in options or not (str(key).startswith(("ansible_", "__")) or _is_own(roles, str(key), value))
            )
            hosts.append(Host(str(name), frozenset(groups), values, given))
            for key in given:
                self._note_use(seen[key])
        self.hosts = tuple(hosts)
        for value in self.extra.values():
            self._note_use(value)

    def set(self, name: str, value: t.Any) -> None:
        """Give all hosts a value that was found out otherwise, or that would stand in the way of everything else."""
        for values in self.values.values():
            values.variables[name] = value

    def _note_use(self, value: t.Any) -> None:
        if isinstance(value, str):
            if "{{" in value or "{%" in value:
                self.used.update(_NAME.findall(value))
        elif isinstance(value, dict):
            for item in value.values():
                self._note_use(item)
        elif isinstance(value, (list, tuple)):
            for item in value:
                self._note_use(item)

    def _fail(self, host: str, name: str, reason: str) -> None:
        self.failures.setdefault((name, reason), []).append(host)
