# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a process has read the current files of its service, by what was recorded when it started."""

from __future__ import annotations

from . import files
from .commands import output


def is_current(recorded: str, *describe: str) -> bool:
    """Whether the program describes the files now as it did for the record. False if it fails."""
    described = output(*describe)
    return described is not None and described == files.text(recorded)
