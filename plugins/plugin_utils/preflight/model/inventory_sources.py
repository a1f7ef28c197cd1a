# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts and groups from files that are not inventories.

Where an inventory is a directory, Ansible tries to parse every file below it: archives, licences and the source of the
shared configuration, too, unless ``ignore_patterns`` excludes them.
"""

from __future__ import annotations

import dataclasses
import os
import re
import typing as t
from pathlib import Path

import yaml

from ansible_collections.ivy.cluster.plugins.plugin_utils.common.findings import Finding
from ansible_collections.ivy.cluster.plugins.plugin_utils.common.text import listed
from ansible_collections.ivy.cluster.plugins.plugin_utils.preflight.model.inventory import (
    GROUPS,
    OTHER_GROUPS,
)

AREA = "Inventory"
# Files that roles read on the controller, and files beside them. None of these is ever an inventory.
_NO_INVENTORY = (".zip", ".gz", ".tgz", ".xz", ".tar", ".jar", ".iar", ".lic", ".pem", ".key", ".crt", ".p12", ".j2")
_STATIC_YAML = (".yml", ".yaml", ".json", ".toml")
# What a line of some text becomes when it is parsed as INI: no name or address has these.
_NO_NAME = re.compile(r"[\s=<>{}()\"'`;|&$#\\,*?!%^]|:$")
_LONGEST_NAME = 40
_LONGEST_PATH = 200
_MOST_FILES = 500
_LARGEST_FILE = 256 * 1024


@dataclasses.dataclass(frozen=True)
class HostEntry:
    """A host as the inventory has it, with the file that it was first found in (empty if it came from no file)."""

    name: str
    file: str
    has_address: bool = False
    in_cluster: bool = False


@dataclasses.dataclass(frozen=True)
class Sources:
    """What Ansible was asked to read, and which names it leaves out of a directory."""

    paths: tuple[str, ...]
    ignored: t.Callable[[str], bool]

    def entry(self, path: str, kept: t.Collection[str]) -> str:
        """What to exclude so that Ansible does not read a path; empty where it does not.

        That is the uppermost part of the path, below the directory given as an inventory, that has none of ``kept``.
        """
        wanted = os.path.abspath(path)
        for source in self.paths:
            root = os.path.abspath(source)
            if "," in source or not os.path.isdir(root) or not _is_below(wanted, root):
                continue
            parts = Path(os.path.relpath(wanted, root)).parts
            if any(self.ignored(part) for part in parts):
                continue
            upper = [os.path.join(root, *parts[: index + 1]) for index in range(len(parts))]
            return next((one for one in upper if not any(_is_below(file, one) for file in kept)), wanted)
        return ""


def check(
    sources: Sources,
    hosts: t.Sequence[HostEntry],
    groups: t.Collection[str],
    named: t.Mapping[str, t.Collection[str]],
    directory: str,
) -> list[Finding]:
    """``named`` has the paths on the controller that options name; ``directory`` is where the run was started."""
    good = {os.path.abspath(host.file) for host in hosts if host.file and host.in_cluster and not _is_stray(host)}
    entries: dict[str, set[str]] = {}
    for option, paths in named.items():
        for path in paths:
            entry = sources.entry(path, good) if os.path.exists(path) else ""
            if entry:
                entries.setdefault(entry, set()).add(option)
    stray = [host for host in hosts if _is_stray(host) or any(_is_below(host.file, entry) for entry in entries)]
    for host in stray:
        entry = sources.entry(host.file, good) if host.file else ""
        if entry and os.path.abspath(host.file) not in good:
            entries.setdefault(entry, set())
    if not entries and not stray:
        return []
    found = _keys_below(entries, sources) & set(groups)
    found -= {*GROUPS, *OTHER_GROUPS, "all", "ungrouped"}
    return [_finding(entries, stray, sorted(found), sorted(good), directory)]


def _is_below(path: str, root: str) -> bool:
    return bool(path) and (path == root or os.path.abspath(path).startswith(f"{root.rstrip('/')}/"))


def shown(name: str, longest: int = _LONGEST_NAME) -> str:
    """A name that may be anything, for a terminal."""
    text = "".join(char if char.isprintable() else "?" for char in name.encode("utf-8", "replace").decode())
    return text if len(text) <= longest else f"{text[:longest]}..."


def _is_stray(host: HostEntry) -> bool:
    if not host.name.isprintable():
        return True
    if not os.path.isfile(host.file):
        return False
    name = host.file.lower()
    if name.endswith(_NO_INVENTORY):
        return True
    # A plugin or a script may name machines as it likes, and a YAML file may have aliases of any form.
    static_text = not name.endswith(_STATIC_YAML) and not os.access(host.file, os.X_OK)
    return static_text and not host.has_address and _NO_NAME.search(host.name) is not None


def _keys_below(entries: t.Iterable[str], sources: Sources) -> set[str]:
    """The keys at the top of YAML files, which Ansible takes for groups."""
    keys: set[str] = set()
    left = _MOST_FILES
    for entry in entries:
        for file in _files_below(Path(entry), sources):
            left -= 1
            if left < 0:
                return keys
            if file.name.endswith(_STATIC_YAML[:3]):
                keys |= _keys_of(file)
    return keys


def _files_below(path: Path, sources: Sources) -> t.Iterator[Path]:
    if path.is_file():
        yield path
        return
    for where, directories, files in os.walk(path):
        directories[:] = sorted(name for name in directories if not sources.ignored(name))
        yield from (Path(where, name) for name in sorted(files) if not sources.ignored(name))


def _keys_of(file: Path) -> set[str]:
    try:
        if file.stat().st_size > _LARGEST_FILE:
            return set()
        content = yaml.load(file.read_bytes(), getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except (OSError, ValueError, yaml.YAMLError, RecursionError):
        return set()
    return {str(key) for key in content} if isinstance(content, dict) else set()


def _finding(
    entries: t.Mapping[str, set[str]],
    stray: t.Sequence[HostEntry],
    groups: t.Sequence[str],
    good: t.Sequence[str],
    directory: str,
) -> Finding:
    files = sorted({_near(host.file, directory) for host in stray if host.file})
    where = sorted(_near(entry, directory) for entry in entries) or files
    what = []
    if stray:
        origin = f" from {listed(files, 3)}" if files else ""
        names = listed([shown(host.name) for host in stray], 3)
        what.append(f"the {'host' if len(stray) == 1 else 'hosts'} {names}{origin}")
    if groups:
        what.append(f"the {'group' if len(groups) == 1 else 'groups'} {listed(map(shown, groups), 5)}")
    problem = "Ansible read this as part of the inventory, which it is not"
    if what:
        problem += f", and made {' and '.join(what)} of it"
    options = sorted({option for names in entries.values() for option in names})
    if options:
        problem += f" (named by {listed(options)})"
    if not entries:
        advice = "Remove these lines from the inventory, or name another file with -i"
        return Finding("inventory-stray", AREA, listed(where, 4), problem, advice)
    use = " ".join(f"-i {_near(file, directory)}" for file in good[:3]) or "-i <file>"
    parts = "|".join(sorted({re.escape(os.path.basename(entry)).replace(r"\-", "-") for entry in entries}))
    advice = (
        f"Name the file with your hosts instead of its directory: {use}. Or exclude the entries in ansible.cfg, "
        f"section [inventory]: ignore_patterns = ^({parts})$"
    )
    return Finding("inventory-stray", AREA, listed(where, 4), problem, advice)


def _near(path: str, directory: str) -> str:
    near = os.path.relpath(path, directory)
    return shown(path if near.startswith(os.path.join("..", "..")) else near, _LONGEST_PATH)
