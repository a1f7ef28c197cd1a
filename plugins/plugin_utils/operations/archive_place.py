# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the archive of the database may be where its directory is now."""

from __future__ import annotations

import typing as t


def archive_problem(
    directory: str, devices: t.Sequence[str], same_disk: bool, answers: t.Mapping[str, str] | None = None
) -> str:
    """Why nothing may be archived there; empty if it may.

    ``devices`` are those of the archive, of the database and of ``/``. A mount that is missing leaves an empty
    directory on the file system above it. ``answers`` say whether this server has archived to this directory
    (``used``), and whether an archive is there (``present``), as ``yes`` or ``no``.
    """
    archive, database, root = devices
    if not same_disk and archive == database:
        return (
            f"{directory} is on the file system of the database, so it would be lost together with it. Mount another "
            "disk there. To use this one anyway, set postgres_archive_same_disk: true."
        )
    if not same_disk and archive == root:
        return (
            f"{directory} is on the file system of /, so its disk is not mounted, or it has none. Mount it. To "
            "archive there anyway, set postgres_archive_same_disk: true."
        )
    answers = answers or {}
    if answers.get("used") == "yes" and answers.get("present") != "yes":
        return (
            f"{directory} has no archive, but this server has archived there. Its disk may not be mounted: mount it. A "
            "new archive would miss what happened before. If the archive is gone for good, name another directory."
        )
    return ""
