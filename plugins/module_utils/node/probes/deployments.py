# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Artefacts in the engine's deploy directory, and those that the collection placed there."""

from __future__ import annotations

import os
import time
import typing as t

from ..engine import unit as units
from ..engine.applications import digest_of
from ..files.errors import NodeError
from ..gate import state
from ..store.store import Store

_STATES = {".deployed": "deployed", ".notDeployed": "failed"}
_ARTEFACTS = (".zip", ".iar")


def artefact_of(name: str) -> tuple[str, str] | None:
    """The artefact that a file represents, and its state; None for a log or an options file."""
    stem, ending = os.path.splitext(name)
    if ending in _STATES and stem.endswith(_ARTEFACTS):
        return stem, _STATES[ending]
    return (name, "pending") if ending in _ARTEFACTS else None


def _deployment_time(directory: str, name: str, file: str) -> float:
    """The time of the engine's deployment log. The marker is the renamed artefact, so it has the artefact's time."""
    try:
        return os.stat(os.path.join(directory, f"{name}.deploymentLog")).st_mtime
    except OSError:
        return os.stat(os.path.join(directory, file)).st_ctime


def artefacts(directory: str) -> list[dict[str, t.Any]]:
    """All artefacts below a directory, by name."""
    found = []
    for base, _directories, files in os.walk(directory):
        for file in files:
            artefact = artefact_of(file)
            path = os.path.join(base, file)
            # The target of a link may be any file of the host, and large.
            if artefact is None or os.path.islink(path):
                continue
            name = os.path.relpath(os.path.join(base, artefact[0]), directory)
            try:
                digest, moment = digest_of(path), _deployment_time(base, artefact[0], file)
            except (FileNotFoundError, NodeError):
                # The engine has just deployed and renamed it. The next run finds it under its new name.
                continue
            found.append({"name": name, "state": artefact[1], "sha256": digest, "time": moment})
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
