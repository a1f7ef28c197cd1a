# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Temporary files in directories that another user may own."""

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


__all__ = ["create_file"]
