# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of a report on the controller: whole or not at all, and not for everybody."""

from __future__ import annotations

import os
import stat
import tempfile
import typing as t
from pathlib import Path

# Without secrets, but it tells how the cluster is built.
FILE_MODE = 0o640
DIRECTORY_MODE = 0o750


def write_files(texts: t.Mapping[Path, str], check: bool) -> bool:
    """Write what differs; returns whether anything does. Check mode writes nothing and says the same."""
    different = {path: text.encode("utf-8") for path, text in texts.items() if not _holds(path, text.encode("utf-8"))}
    if not check:
        for path, data in different.items():
            path.parent.mkdir(mode=DIRECTORY_MODE, parents=True, exist_ok=True)
            _write(path, data)
    return bool(different)


def _holds(path: Path, data: bytes) -> bool:
    try:
        status = path.lstat()
        return stat.S_ISREG(status.st_mode) and stat.S_IMODE(status.st_mode) == FILE_MODE and path.read_bytes() == data
    except FileNotFoundError:
        return False


def _write(path: Path, data: bytes) -> None:
    descriptor, temporary = tempfile.mkstemp(prefix=".new-", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(descriptor, FILE_MODE)
            file.write(data)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
