# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's memory does not grow with the size of a file."""

from __future__ import annotations

import json
import subprocess
import sys
import typing as t
from pathlib import Path

import memory

LARGE = 64
ALLOWED = 16 << 10


def measured(mebibytes: int, directory: Path) -> dict[str, t.Any]:
    directory.mkdir()
    command = [sys.executable, memory.__file__, str(mebibytes), str(directory)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return t.cast("dict[str, t.Any]", json.loads(done.stdout))


def test_a_large_file_costs_the_controller_no_memory(tmp_path: Path) -> None:
    small, large = measured(1, tmp_path / "small"), measured(LARGE, tmp_path / "large")
    assert large["sent"] > LARGE << 19
    assert large["peak"] - small["peak"] < ALLOWED
