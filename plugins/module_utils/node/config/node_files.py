# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Validates node files and converts them to the form in which the store records them."""

from __future__ import annotations

import os
import typing as t

from ..files import accounts
from ..files.digest import sha256
from ..files.errors import NodeError

Records = dict[str, dict[str, t.Any]]


class NodeFiles(t.NamedTuple):
    """The records of node files by path, and the contents that the controller sent, by digest."""

    records: Records
    contents: dict[str, bytes]


def parse_node_files(items: t.Iterable[t.Mapping[str, t.Any]], must_exist: bool) -> NodeFiles:
    """Validate node files. All problems are reported in one error; must_exist applies to their users and groups."""
    records: Records = {}
    contents: dict[str, bytes] = {}
    problems = []
    for item in items:
        path = str(item.get("path", ""))
        mode = str(item.get("mode") or "0644")
        if not path.startswith("/") or os.path.normpath(path) != path:
            problems.append(f"{path!r} is not a normalized absolute path")
            continue
        if path in records:
            problems.append(f"{path} is listed twice")
            continue
        if not mode.isdecimal() or len(mode) not in (3, 4) or any(digit in "89" for digit in mode):
            problems.append(f"{path}: mode {mode!r} is not an octal mode such as 0640")
            continue
        if item.get("content") is None and item.get("sha256"):
            # The controller sends large content only on request.
            digest = str(item["sha256"])
        else:
            content = str(item.get("content") or "").encode("utf-8")
            digest = sha256(content)
            contents[digest] = content
        records[path] = {
            "sha256": digest,
            "mode": int(mode, 8),
            "uid": accounts.uid_of(str(item.get("owner") or "root"), must_exist),
            "gid": accounts.gid_of(str(item.get("group") or "root"), must_exist),
            "secret": bool(item.get("secret")),
            "restart": str(item.get("restart") or _restart_class(path)),
        }
    if problems:
        raise NodeError(f"node_files: {'; '.join(problems)}.")
    return NodeFiles(records, contents)


def _restart_class(path: str) -> str:
    # The engine reads neither the node helper nor its settings.
    helper = path.startswith("/usr/local/lib/ivy-cluster/") or path.endswith("/ivy-cluster/node.json")
    return "never" if helper else "always"
