# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes files on the controller atomically, readable by the owner and the group only."""

from __future__ import annotations

import stat
import typing as t
from pathlib import Path

from ansible_collections.ivy.cluster.plugins.plugin_utils.common import atomic_files

# No secrets, but the files describe how the cluster is built.
FILE_MODE = 0o640
DIRECTORY_MODE = 0o750


def write_files(texts: t.Mapping[Path, str], check: bool) -> list[Path]:
    """Write and return the files whose content or mode differs. Check mode writes nothing and returns the same."""
    different = [path for path, text in texts.items() if not _is_equal(path, text.encode("utf-8"))]
    if not check:
        for path in different:
            path.parent.mkdir(mode=DIRECTORY_MODE, parents=True, exist_ok=True)
            atomic_files.replace(path, texts[path].encode("utf-8"), FILE_MODE, durable=False)
    return different


def read_text(path: Path) -> str:
    """The content of a regular file; empty if there is none."""
    try:
        return path.read_text(encoding="utf-8", errors="replace") if stat.S_ISREG(path.lstat().st_mode) else ""
    except (FileNotFoundError, NotADirectoryError):
        return ""


def _is_equal(path: Path, data: bytes) -> bool:
    try:
        status = path.lstat()
        return stat.S_ISREG(status.st_mode) and stat.S_IMODE(status.st_mode) == FILE_MODE and path.read_bytes() == data
    except FileNotFoundError:
        return False
