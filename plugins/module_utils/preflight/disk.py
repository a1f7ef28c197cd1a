# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Disk space and installed files."""

from __future__ import annotations

import glob
import os
import typing as t

from ..node.files import bounded

# One of the paths is the file share.
_SECONDS = bounded.SHARE_SECONDS


def nearest_existing(path: str, exists: t.Callable[[str], bool] = os.path.exists) -> str:
    """The path, or its nearest existing parent. A path that is created later will be on the same file system."""
    while not exists(path):
        parent = os.path.dirname(path)
        if parent == path:
            break
        path = parent
    return path


def find_installed(patterns: dict[str, str]) -> dict[str, bool]:
    """For each name, whether any path matches its pattern."""
    return {name: bool(glob.glob(pattern)) for name, pattern in patterns.items()}


def gather(path: str) -> dict[str, t.Any]:
    """The file system that contains a path, or will contain it."""
    try:
        found: dict[str, t.Any] = bounded.call(lambda: _gather(path), _SECONDS)
        return found
    except OSError as exc:
        return {"path": path, "error": str(exc)}


def _gather(path: str) -> dict[str, t.Any]:
    location = nearest_existing(path)
    info = os.statvfs(location)
    device = os.stat(location).st_dev
    return {
        "path": path,
        "device": device,
        "free_mb": info.f_bavail * info.f_frsize >> 20,
        "size_mb": info.f_blocks * info.f_frsize >> 20,
        # Some file systems have no fixed number of files and report 0.
        "free_files": info.f_favail if info.f_files else None,
        "read_only": bool(info.f_flag & os.ST_RDONLY),
    }
