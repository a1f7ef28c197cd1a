# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files in directories that another user may own: temporary ones, and those that are replaced as a whole."""

from __future__ import annotations

import contextlib
import os
import typing as t


def create_file(path: str) -> t.TextIO:
    """A new file, which only its owner can read. What has its name is removed; a link there is never followed."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    return open(os.open(path, flags, 0o600), "w", encoding="utf-8")


def replace_file(path: str, text: str) -> None:
    """Write a file that only its owner can read, complete or not at all. It is there after a power loss, too."""
    temporary = f"{path}.new"
    with create_file(temporary) as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    os.replace(temporary, path)
    directory = os.open(os.path.dirname(os.path.abspath(path)), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


__all__ = ["create_file", "replace_file"]
