# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Copies of a scenario's source of the shared configuration, which tests change."""

from __future__ import annotations

import shutil
from pathlib import Path

DEMO = Path(__file__).resolve().parents[3] / "inventories/demo/shared_config"


def copy(directory: Path, origin: Path = DEMO, task_failure: str = "") -> Path:
    """A copy below the directory. A value of task_failure adds a key that needs a restart."""
    source = directory / "shared_config"
    shutil.copytree(origin, source)
    if task_failure:
        with (source / "configuration/ivy.yaml.j2").open("a", encoding="utf-8") as stream:
            stream.write(f"SystemTask:\n  Failure:\n    Behaviour: {task_failure}\n")
    return source
