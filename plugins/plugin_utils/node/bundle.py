# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The code that hosts cache, as the controller has it: its digest, its packed form, and the files of the node half.

Read once when this module is imported. Ansible does that before it forks a worker for each host and task, so no host
reads these files.
"""

from __future__ import annotations

import base64
import hashlib
import json
import typing as t
import zlib
from pathlib import Path

_PACKAGES = Path(__file__).resolve().parents[2] / "module_utils"
_NODE = "node."
# By dotted name, such as node.files.atomic; a package's own code is its __init__.
SOURCES: dict[str, str] = {
    ".".join(path.relative_to(_PACKAGES).with_suffix("").parts): path.read_text(encoding="utf-8")
    for path in sorted(_PACKAGES.rglob("*.py"))
}
DIGESTS: dict[str, str] = {name: hashlib.sha256(source.encode()).hexdigest() for name, source in SOURCES.items()}


def digest_of(digests: t.Mapping[str, str]) -> str:
    listed = "".join(f"{name}\0{digests[name]}\n" for name in sorted(digests))
    return hashlib.sha256(listed.encode()).hexdigest()


DIGEST = digest_of(DIGESTS)


def packed() -> str:
    """All of it, for a host that does not have it yet."""
    data = zlib.compress(json.dumps(SOURCES).encode("ascii"), 6)
    return base64.b64encode(data).decode("ascii")


def node_files(directory: str) -> list[dict[str, t.Any]]:
    """The node half as node files below a directory of the node, with the digest of each."""
    return [
        {
            "path": f"{directory}/{name[len(_NODE) :].replace('.', '/')}.py",
            "mode": "0644",
            "content": source,
            "sha256": DIGESTS[name],
        }
        for name, source in SOURCES.items()
        if name.startswith(_NODE)
    ]
