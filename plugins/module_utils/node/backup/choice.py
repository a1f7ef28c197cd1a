# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lists backups, chooses one of them, and finds everything that is wrong with it."""

from __future__ import annotations

import os
import typing as t

from ..files.errors import NodeError
from . import directory, manifest, report, verify

LATEST = "latest"
_SHOWN = 10


def inspect(params: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """The result of ivy.cluster.backup_info."""
    path = params["directory"]
    if os.path.lexists(path):
        directory.check(path)
    complete = directory.complete_ids(path)
    listed = {"backups": complete, "last": report.last(path) if os.path.isdir(path) else {}}
    if not params["id"]:
        return listed
    backup = (complete[0] if complete else "") if params["id"] == LATEST else params["id"]
    chosen: dict[str, t.Any] = {"id": backup, "manifest": None, "record": None, "problems": []}
    if not manifest.is_id(backup) or backup not in directory.ids(path):
        shown = ", ".join(complete[:_SHOWN]) or "none"
        what = f"There is no backup {backup}" if backup else "There is no complete backup"
        return {**listed, **chosen, "problems": [f"{what} in {path}. Complete backups: {shown}."]}
    try:
        found = directory.load(path, backup)
    except NodeError as exc:
        return {**listed, **chosen, "problems": [str(exc)]}
    chosen["manifest"] = found
    chosen["problems"] = _problems(os.path.join(path, backup), found, params, chosen)
    return {**listed, **chosen}


def _problems(
    target: str, found: manifest.Manifest, params: t.Mapping[str, t.Any], chosen: dict[str, t.Any]
) -> list[str]:
    wanted = params.get("target")
    problems = manifest.obstacles(found, manifest.Target(**wanted)) if wanted else []
    damage = [] if params["verify"] == verify.NONE else verify.checksums(target, found)
    problems += damage
    identity = params.get("identity") or ""
    if manifest.is_encrypted(found) and not identity:
        return (
            [*problems, "It is encrypted. Name the file with the secret key in restore_identity_file."]
            if wanted
            else problems
        )
    if not damage:
        if params["verify"] == verify.CONTENT:
            problems += verify.content(target, found, identity)
        try:
            chosen["record"] = verify.stored_record(target, found, identity)
        except (NodeError, OSError) as exc:
            problems += [] if any(manifest.RECORD in one for one in problems) else [f"{manifest.RECORD}: {exc}"]
    return problems
