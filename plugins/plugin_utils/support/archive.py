# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The staged parts of each host, and the archive of all of them.

The parts are staged in a directory of the run, because they are too long for results and variables of Ansible, and so
that no callback prints them.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import os
import re
import tarfile
import typing as t
from pathlib import Path

from ansible_collections.ivy.cluster.plugins.plugin_utils.common import atomic_files
from ansible_collections.ivy.cluster.plugins.plugin_utils.common.commands import ROOT
from ansible_collections.ivy.cluster.plugins.plugin_utils.common.text import count, plain_text
from ansible_collections.ivy.cluster.plugins.plugin_utils.support.parts import Parts

_DIRECTORY = "ivy-cluster-support"
_IN_MANIFEST = re.compile(r'"version": "([^"]+)"')
_IN_SOURCE = re.compile(r"^version: (\S+)$", re.MULTILINE)


@dataclasses.dataclass(frozen=True)
class Bundle:
    """What describes an archive. Lost hosts have the reason."""

    cluster: str
    created: str
    collection: str
    hosts: tuple[str, ...]
    lost: t.Mapping[str, str]


def stage_directory(temporary: str) -> Path:
    """Where parts are staged, below the temporary directory of the run, which Ansible removes at its end."""
    directory = Path(temporary) / _DIRECTORY
    directory.mkdir(mode=0o700, exist_ok=True)
    return directory


def stage(directory: Path, host: str, parts: Parts) -> None:
    data = json.dumps({"texts": parts.texts, "problems": parts.problems}).encode("utf-8", "backslashreplace")
    atomic_files.replace(directory / _file(host), data, durable=False)


def staged(directory: Path, host: str) -> Parts | None:
    """The parts of a host; None if it has none."""
    try:
        content = json.loads((directory / _file(host)).read_bytes())
    except FileNotFoundError:
        return None
    return Parts(content["texts"], content["problems"])


def _file(host: str) -> str:
    # The name of a host may contain anything.
    return hashlib.sha256(host.encode("utf-8", "replace")).hexdigest() + ".json"


def file_name(cluster: str, created: str) -> str:
    return f"support-{_safe(cluster)}-{_safe(created)}.tar.gz"


def _safe(text: str) -> str:
    return "".join(one if one.isascii() and (one.isalnum() or one in "._-") else "_" for one in text).lstrip(".") or "_"


def pack(bundle: Bundle, parts: t.Mapping[str, Parts]) -> bytes:
    """The archive. Hosts whose names are equal as file names get a number."""
    memory = io.BytesIO()
    top = file_name(bundle.cluster, bundle.created).removesuffix(".tar.gz")
    with tarfile.open(fileobj=memory, mode="w:gz") as tar:
        _add(tar, f"{top}/README.txt", "\n".join(readme(bundle, parts)) + "\n")
        summary = {
            **dataclasses.asdict(bundle),
            "lost": dict(bundle.lost),
            "problems": {host: of.problems for host, of in parts.items() if of.problems},
        }
        _add(tar, f"{top}/summary.json", json.dumps(summary, indent=1, sort_keys=True) + "\n")
        used: set[str] = set()
        for host, of_host in parts.items():
            name = _unused(_safe(host), used)
            for path, text in sorted(of_host.texts.items()):
                _add(tar, f"{top}/hosts/{name}/{path}", text)
            if of_host.problems:
                _add(tar, f"{top}/hosts/{name}/NOT-COMPLETE.txt", "\n".join(of_host.problems) + "\n")
    return memory.getvalue()


def _unused(name: str, used: set[str]) -> str:
    number, found = 1, name
    while found in used:
        number += 1
        found = f"{name}-{number}"
    used.add(found)
    return found


def _add(tar: tarfile.TarFile, name: str, text: str) -> None:
    data = text.encode("utf-8", "backslashreplace")
    entry = tarfile.TarInfo(name)
    entry.size = len(data)
    entry.mode = 0o600
    tar.addfile(entry, io.BytesIO(data))


def readme(bundle: Bundle, parts: t.Mapping[str, Parts]) -> list[str]:
    """What is in the archive, for those who get it."""
    lines = [
        f"Support bundle of cluster {plain_text(bundle.cluster)}, created at {bundle.created} by ivy.cluster "
        f"{plain_text(bundle.collection)}",
        "",
        "Secrets are replaced by asterisks where they are known or look like one. Read it before you pass it on: it",
        "contains addresses, names of users and hosts, and whatever applications have logged.",
        "",
        "hosts/<host>/state    what the services and the system report",
        "hosts/<host>/config   configuration",
        "hosts/<host>/logs     the ends of journals and log files",
        "summary.json          hosts, lost hosts, and what is not complete",
        "",
    ]
    return [*lines, *contents(bundle, parts)]


def contents(bundle: Bundle, parts: t.Mapping[str, Parts]) -> list[str]:
    """What is there of each host."""
    lines = []
    for host in bundle.hosts:
        if host in bundle.lost:
            lines.append(f"{plain_text(host)}: NOT INCLUDED: {bundle.lost[host]}")
        else:
            of_host = parts[host]
            missing = f", {count(len(of_host.problems), 'part')} not complete" if of_host.problems else ""
            lines.append(f"{plain_text(host)}: {count(len(of_host.texts), 'file')}{missing}")
    return lines


def version() -> str:
    """The version of the collection: an installed one has a manifest, a checkout has only its source."""
    for name, pattern in (("MANIFEST.json", _IN_MANIFEST), ("galaxy.yml", _IN_SOURCE)):
        try:
            found = pattern.search((ROOT / name).read_text(encoding="utf-8"))
        except OSError:
            continue
        if found is not None:
            return found[1]
    return "of unknown version"


def write(directory: Path, name: str, data: bytes) -> str:
    """Write the archive for its owner only. Raises OSError."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = directory / name
    atomic_files.replace(path, data, mode=0o600)
    return os.fspath(path)
