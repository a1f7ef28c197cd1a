# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The roles of the collection: options, defaults and variables, read from their files."""

from __future__ import annotations

import functools
import typing as t
from pathlib import Path

from ansible.module_utils.common.yaml import yaml_load

from ansible_collections.ivy.cluster.plugins.plugin_utils.preflight.model.inventory import (
    BALANCERS,
    DATABASES,
    ENGINES,
    ETCDS,
    SEARCHES,
    Host,
)

ROLES = Path(__file__).resolve().parents[4] / "roles"
TOPOLOGY = "topology"
# The group on whose hosts a role runs. A role that is not listed runs on all hosts.
HOSTS_OF: t.Mapping[str, str] = {
    "backup": ENGINES,
    "certificates": BALANCERS,
    "config_guard": ENGINES,
    "elasticsearch": SEARCHES,
    "engine": ENGINES,
    "etcd": ETCDS,
    "file_share": ENGINES,
    "haproxy": BALANCERS,
    "keepalived": BALANCERS,
    "maintenance": BALANCERS,
    "postgres": DATABASES,
    "restore": ENGINES,
    "restore_database": ENGINES,
    "upgrade": ENGINES,
    "rollout": ENGINES,
}

# Reads a YAML file, so that its texts are templates where Ansible's are.
Load = t.Callable[[str], t.Any]


class Role:
    """One role. Each file is read when it is first needed: specifications take longest, and not every check has any."""

    def __init__(self, path: Path, load: Load) -> None:
        self.name = path.name
        self.path = path
        self._load = load

    @functools.cached_property
    def options(self) -> t.Mapping[str, t.Mapping[str, t.Any]]:
        """The options of all entry points, with their specifications."""
        found: dict[str, t.Any] = {}
        file = self.path / "meta/argument_specs.yml"
        for entry in (_KEPT[str(file)] if str(file) in _KEPT else _specifications(file)).values():
            found.update(entry.get("options") or {})
        return found

    @functools.cached_property
    def defaults(self) -> t.Mapping[str, t.Any]:
        return self._read_all("defaults")

    @functools.cached_property
    def variables(self) -> t.Mapping[str, t.Any]:
        return self._read_all("vars")

    @property
    def prefix(self) -> str:
        return "ivy_" if self.name == TOPOLOGY else f"{self.name}_"

    @property
    def secret_options(self) -> tuple[str, ...]:
        return tuple(name for name, option in self.options.items() if option.get("no_log"))

    def runs_on(self, host: Host) -> bool:
        group = HOSTS_OF.get(self.name)
        return group is None or group in host.groups

    def files(self, directory: str) -> list[Path]:
        files = [self.path / directory / "main.yml", *sorted((self.path / directory).glob("main/*.yml"))]
        return [file for file in files if file.is_file()]

    def _read_all(self, directory: str) -> dict[str, t.Any]:
        found: dict[str, t.Any] = {}
        for file in self.files(directory):
            found.update(self._load(str(file)) or {})
        return found


def _specifications(file: Path) -> dict[str, t.Any]:
    """The entry points. Nothing in them is evaluated, so Ansible's loader, which takes much longer, is not needed."""
    if not file.is_file():
        return {}
    return (yaml_load(file.read_text(encoding="utf-8")) or {}).get("argument_specs") or {}


def read_roles(load: Load, names: t.Collection[str] | None = None) -> dict[str, Role]:
    """All roles of the collection with specifications, or those with these names."""
    paths = [specs.parent.parent for specs in sorted(ROLES.glob("*/meta/argument_specs.yml"))]
    return {path.name: Role(path, load) for path in paths if names is None or path.name in names}


# What this process and those that it forks have read, by path. Nobody changes it.
_KEPT: dict[str, t.Any] = {}


def load_with(loader: t.Any) -> Load:
    """Reads with Ansible's loader, past its cache: the cache copies each file, which takes longer than all the rest."""
    return lambda path: _KEPT[path] if path in _KEPT else _read_with(loader, path)


def keep(loader: t.Any, names: t.Collection[str] | None = None, *, specifications: bool = False) -> None:
    """Read the defaults and variables of these roles before Ansible forks a worker for each host and task."""
    for role in read_roles(load_with(loader), names).values():
        for file in (*role.files("defaults"), *role.files("vars")):
            if str(file) not in _KEPT:
                _KEPT[str(file)] = _read_with(loader, str(file))
        file = role.path / "meta/argument_specs.yml"
        if specifications and str(file) not in _KEPT:
            _KEPT[str(file)] = _specifications(file)


def _read_with(loader: t.Any, path: str) -> t.Any:
    return loader.load_from_file(path, cache="none", trusted_as_template=True)


def variables_in_roles(roles: t.Iterable[Role], variables: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """The variables of a host as tasks of these roles see them, in Ansible's order of precedence."""
    defaults: dict[str, t.Any] = {}
    fixed: dict[str, t.Any] = {}
    for role in roles:
        defaults.update(role.defaults)
        fixed.update(role.variables)
    return {**defaults, **variables, **fixed}
