# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Artefacts in the engine's deploy directory, and those that the collection placed there."""

from __future__ import annotations

import os
import time
import typing as t

from ..engine import deploy_directory
from ..engine import unit as units
from ..files.atomic import GREATEST_FILE, digest_at
from ..gate import state
from ..store.store import Store

_STATES = {".deployed": "deployed", ".notDeployed": "failed"}
_ARTEFACTS = (".zip", ".iar")
# Of all artefacts together. The engine's user may make files of any length at no cost.
MOST_BYTES = 8 << 30


def artefact_of(name: str) -> tuple[str, str] | None:
    """The artefact that a file represents, and its state; None for a log or an options file."""
    stem, ending = os.path.splitext(name)
    if ending in _STATES and stem.endswith(_ARTEFACTS):
        return stem, _STATES[ending]
    return (name, "pending") if ending in _ARTEFACTS else None


def _deployment_time(directory: int, artefact: str, name: str) -> float:
    """The time of the engine's deployment log. The marker is the renamed artefact, so it has the artefact's time."""
    try:
        return os.stat(f"{artefact}.deploymentLog", dir_fd=directory, follow_symlinks=False).st_mtime
    except OSError:
        return os.stat(name, dir_fd=directory, follow_symlinks=False).st_ctime


def artefacts(directory: str) -> list[dict[str, t.Any]]:
    """The artefacts below a directory, by name. One that is too large to be read has a digest that no content has."""
    found = []
    left = MOST_BYTES
    for file in deploy_directory.files(directory):
        artefact = artefact_of(file.name)
        if artefact is None:
            continue
        try:
            # Of a link, the target may be any file of the host. A FIFO would hold a reader for ever.
            hit = digest_at(file.directory, file.name, min(GREATEST_FILE, left))
            moment = _deployment_time(file.directory, artefact[0], file.name)
        except OSError:
            # The engine has just deployed and renamed it. The next run finds it under its new name.
            continue
        if hit is None:
            continue
        left = max(left - hit[1].st_size, 0)
        name = file.path[: len(file.path) - len(file.name)] + artefact[0]
        found.append({"name": name, "state": artefact[1], "sha256": hit[0], "time": moment})
    return sorted(found, key=lambda item: (item["name"], item["state"]))


def placed(recorded: t.Mapping[str, t.Mapping[str, t.Any]], directory: str) -> dict[str, str]:
    """The digests that the store records for this directory, whose path there may contain a link."""
    real = os.path.realpath(directory)
    return {
        os.path.relpath(os.path.realpath(path), real): str(artefact.get("sha256"))
        for path, artefact in recorded.items()
        if os.path.realpath(path).startswith(real + os.sep)
    }


def started(unit: str) -> float:
    """Start time of the engine's process in seconds since 1970; 0 if it does not run."""
    shown = units.show(unit)
    process = state.process(shown.main_pid) if shown.running and shown.main_pid else None
    return round(time.time() - float(process["age"]), 1) if process else 0.0


def gather(directory: str, store_path: str, unit: str) -> dict[str, t.Any]:
    with Store(store_path) as store:
        recorded = store.applications() if store.tree.exists else {}
    return {
        "artefacts": artefacts(directory),
        "placed": placed(recorded, directory),
        "started": started(unit),
    }
