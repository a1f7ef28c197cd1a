# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Room for what the roles will write."""

from __future__ import annotations

import glob
import os
import typing as t


def existing(path: str, exists: t.Callable[[str], bool] = os.path.exists) -> str:
    """The path, or the nearest directory above it that is there: what is made later will lie on its file system."""
    while not exists(path):
        above = os.path.dirname(path)
        if above == path:
            break
        path = above
    return path


def there(patterns: dict[str, str]) -> dict[str, bool]:
    """For each name, whether any path fits its pattern."""
    return {name: bool(glob.glob(pattern)) for name, pattern in patterns.items()}


def look(path: str) -> dict[str, t.Any]:
    """The file system that a path lies on or will lie on."""
    place = existing(path)
    try:
        info = os.statvfs(place)
        device = os.stat(place).st_dev
    except OSError as exc:
        return {"path": path, "error": str(exc)}
    return {
        "path": path,
        "device": device,
        "free_mb": info.f_bavail * info.f_frsize >> 20,
        "size_mb": info.f_blocks * info.f_frsize >> 20,
        # Some file systems have no fixed number of files and say 0.
        "free_files": info.f_favail if info.f_files else None,
        "read_only": bool(info.f_flag & os.ST_RDONLY),
    }
