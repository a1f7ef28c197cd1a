# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Creates and removes directories, and follows no link that another user may have created."""

from __future__ import annotations

import contextlib
import os

from ..files.atomic import open_directory, remove_tree_at


def make_directories(path: str, mode: int) -> None:
    """Create a directory and those above it, as far as they are missing."""
    if not os.path.isdir(os.path.dirname(path)):
        make_directories(os.path.dirname(path), mode)
    with contextlib.suppress(FileExistsError):
        os.mkdir(path, mode)


def remove_tree(path: str) -> None:
    """Remove a file or a directory with everything in it. Nothing happens if it does not exist."""
    try:
        parent = open_directory(os.path.dirname(path))
    except FileNotFoundError:
        return
    try:
        if os.path.lexists(path):
            remove_tree_at(parent, os.path.basename(path))
    finally:
        os.close(parent)
