# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files in the engine's deploy directory. The engine's user owns it and may make any number and kind of files."""

from __future__ import annotations

import os
import typing as t

from ..files.atomic import open_directory

# The name of an artefact has at most four components.
DEEPEST = 4
MOST_FILES = 5_000
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class File(t.NamedTuple):
    """A file by its open directory and name, and its path below the deploy directory. Valid until the next one."""

    directory: int
    name: str
    path: str


def files(directory: str) -> t.Iterator[File]:
    """The files by path, at most MOST_FILES of them; none if the directory is missing."""
    try:
        top = open_directory(directory)
    except FileNotFoundError:
        return
    left = MOST_FILES
    try:
        for file in _below(top, "", DEEPEST):
            left -= 1
            yield file
            if left == 0:
                return
    finally:
        os.close(top)


def _below(fd: int, prefix: str, depth: int) -> t.Iterator[File]:
    with os.scandir(fd) as entries:
        listed = []
        for entry in entries:
            listed.append((entry.name, entry.is_dir(follow_symlinks=False)))
            if len(listed) == MOST_FILES:
                break
    for name, is_directory in sorted(listed):
        if not is_directory:
            yield File(fd, name, prefix + name)
        elif depth > 1:
            try:
                below = os.open(name, _DIRECTORY, dir_fd=fd)
            except OSError:
                # The engine has just removed it.
                continue
            try:
                yield from _below(below, f"{prefix}{name}/", depth - 1)
            finally:
                os.close(below)
