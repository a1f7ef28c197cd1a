# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host on which no other run of preflight and no unit runs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.ivy.cluster.plugins.module_utils.node.engine import unit as units
from ansible_collections.ivy.cluster.plugins.module_utils.preflight import port_listener
from ansible_collections.ivy.cluster.tests.timing import PATIENCE


@pytest.fixture(autouse=True)
def markers(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    directory = tmp_path_factory.mktemp("markers")
    monkeypatch.setattr(port_listener, "MARKER_DIRECTORY", str(directory))
    return directory


@pytest.fixture
def nothing_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(units, "show", units.nothing)


@pytest.fixture
def started() -> Iterator[list[dict[str, Any]]]:
    """Stops the processes that a failed test leaves running."""
    processes: list[dict[str, Any]] = []
    yield processes
    for process in processes:
        port_listener.stop(process["pid"], process["start"], PATIENCE)
