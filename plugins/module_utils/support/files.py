# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files below a directory whose owner is not trusted: no link is followed, and numbers and sizes are bounded."""

from __future__ import annotations

import errno
import os
import stat
import typing as t

from ..node.files.atomic import open_directory, read_all
from ..node.files.patterns import compile_pattern, matches_name

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_DEEPEST = 8
_MOST_ENTRIES = 5000


class Found(t.NamedTuple):
    """A regular file: its path below the directory, and its size."""

    path: str
    size: int


def find(directory: str, patterns: t.Sequence[str], most: int) -> tuple[list[Found], int]:
    """The newest files that match one of the patterns, and the number of those that are left out."""
    found: list[tuple[float, Found]] = []
    left = [_MOST_ENTRIES]
    base = open_directory(directory)
    try:
        _walk(base, "", patterns, found, left, 0)
    finally:
        os.close(base)
    newest = sorted(found, key=lambda item: (-item[0], item[1].path))
    return [item for _time, item in newest[:most]], max(0, len(newest) - most) + (1 if left[0] < 0 else 0)


def _walk(
    directory: int,
    prefix: str,
    patterns: t.Sequence[str],
    found: list[tuple[float, Found]],
    left: list[int],
    depth: int,
) -> None:
    below: list[str] = []
    with os.scandir(directory) as entries:
        for entry in entries:
            left[0] -= 1
            if left[0] < 0:
                return
            path = prefix + entry.name
            try:
                info = entry.stat(follow_symlinks=False)
            except OSError:
                continue
            if stat.S_ISDIR(info.st_mode):
                below.append(entry.name)
            elif stat.S_ISREG(info.st_mode) and any(_matches(path, pattern) for pattern in patterns):
                found.append((info.st_mtime, Found(path, info.st_size)))
    if depth >= _DEEPEST:
        return
    for name in sorted(below):
        if left[0] < 0 or not any(_may_contain(f"{prefix}{name}/", pattern) for pattern in patterns):
            continue
        try:
            inner = os.open(name, _DIRECTORY, dir_fd=directory)
        except OSError:
            continue
        try:
            _walk(inner, f"{prefix}{name}/", patterns, found, left, depth + 1)
        finally:
            os.close(inner)


def _matches(path: str, pattern: str) -> bool:
    """With the slash, a pattern of one component is for the directory itself, not for all directories below it."""
    return compile_pattern(f"/{pattern}").match(f"/{path}") is not None


def _may_contain(directory: str, pattern: str) -> bool:
    """Whether a file below the directory may match, so that nothing else is listed."""
    if "**" in pattern:
        return True
    parts, wanted = directory.rstrip("/").split("/"), pattern.split("/")
    return len(parts) < len(wanted) and all(map(matches_name, wanted, parts))


def read_end(directory: str, path: str, limit: int) -> tuple[bytes, int]:
    """The last bytes of a file, and its size."""
    fd = open_directory(directory)
    try:
        *above, name = path.split("/")
        for part in above:
            inner = os.open(part, _DIRECTORY, dir_fd=fd)
            os.close(fd)
            fd = inner
        file = os.open(name, _FILE, dir_fd=fd)
        try:
            info = os.fstat(file)
            if not stat.S_ISREG(info.st_mode):
                raise OSError(errno.EINVAL, "it is not a regular file")
            os.lseek(file, max(info.st_size - limit, 0), os.SEEK_SET)
            return read_all(file, limit), info.st_size
        finally:
            os.close(file)
    finally:
        os.close(fd)
