# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Replaces files on the controller atomically: readers see the old or the new content; an error changes nothing."""

from __future__ import annotations

import os
import tempfile
import typing as t
from pathlib import Path


def replace(path: Path, data: bytes | t.Iterable[bytes], mode: int = 0o600, durable: bool = True) -> None:
    """Write a file, or its blocks one after another, beside ``path`` and rename it.

    A symbolic link at ``path`` is replaced, not followed.

    Nobody but the owner can read the file before it has its mode. Durable files are synced before the rename.
    """
    # The suffix keeps an interrupted file out of inventories and of a source: both ignore backup files.
    descriptor, temporary = tempfile.mkstemp(prefix=".new-", suffix="~", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            for block in (data,) if isinstance(data, bytes) else data:
                file.write(block)
            file.flush()
            os.fchmod(file.fileno(), mode)
            if durable:
                os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
