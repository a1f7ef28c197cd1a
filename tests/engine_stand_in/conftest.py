# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Archives that are packed once in a run, and engines that are stopped after each test."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ansible_collections.ivy.cluster.tests.engine_stand_in.engine_process import StandIn

HERE = Path(__file__).resolve().parent
OUTPUT = HERE.parents[1] / ".cache" / "stand_in_archives"


def pack(version: str) -> Path:
    """Return the archive of a version. It is built only if the sources have changed."""
    done = subprocess.run(
        [str(HERE / "pack.sh"), version, str(OUTPUT)], check=True, stdout=subprocess.PIPE, text=True, timeout=1800
    )
    return Path(done.stdout.splitlines()[0])


@pytest.fixture(scope="session")
def archives() -> Callable[[str], Path]:
    """Return a function that packs the archive of a version."""
    if shutil.which("mvn") is None or shutil.which("java") is None:
        pytest.skip("Maven and Java are needed to build the stand-in engine")
    return pack


@pytest.fixture
def unpack(archives: Callable[[str], Path]) -> Iterator[Callable[..., StandIn]]:
    """Return a function that unpacks an engine. Its directory is readable by other users, since one test needs that."""
    engines: list[StandIn] = []
    root = Path(tempfile.mkdtemp(prefix="stand-in-"))
    root.chmod(0o755)

    def new(version: str = "11.3.0") -> StandIn:
        directory = root / f"engine{len(engines) + 1}"
        with zipfile.ZipFile(archives(version)) as archive:
            for entry in archive.infolist():
                path = archive.extract(entry, directory)
                os.chmod(path, entry.external_attr >> 16 & 0o777)
        engines.append(StandIn(directory))
        return engines[-1]

    yield new
    for engine in engines:
        engine.stop()
    shutil.rmtree(root)


@pytest.fixture
def demo(archives: Callable[[str], Path]) -> Path:
    """Return the demo application's artefact."""
    return archives("11.3.0").with_name("demo.zip")
