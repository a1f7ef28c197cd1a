# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Versions of the demo's application for tests that deploy."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conftest import Lab

DEMO = Path(__file__).resolve().parents[3] / ".cache/archives/demo.zip"


def changed_demo(directory: Path, entry: str = "config/note.txt") -> Path:
    """The demo's application with one more file, so that it is another version."""
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / "demo.zip"
    shutil.copyfile(DEMO, path)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(entry, f"A change in {directory}.\n")
    return path


def declared(archive: Path) -> list[str]:
    """The arguments of a run with this application. Those of the command line have precedence over the inventory."""
    return ["-e", json.dumps({"engine_applications": [{"name": "demo.zip", "archive": str(archive)}]})]


def versions(lab: Lab) -> set[int | None]:
    """The versions of the application that the nodes serve; None for a node that does not serve."""
    return {(lab.info(node) or {}).get("applicationVersion") for node in lab.nodes}
