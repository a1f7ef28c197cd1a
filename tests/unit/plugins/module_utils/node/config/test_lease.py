# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A node activates a release only for the run that has the lease."""

from __future__ import annotations

import os
import typing as t
from pathlib import Path

import pytest

from ansible_collections.ivy.cluster.plugins.module_utils.node.cluster import record, update
from ansible_collections.ivy.cluster.plugins.module_utils.node.config import entry, request
from ansible_collections.ivy.cluster.plugins.module_utils.node.files.errors import NodeError


def call(directory: Path, run_id: str, state: str, check: bool = False) -> dict[str, t.Any]:
    user, group = str(os.geteuid()), str(os.getegid())
    lease = {"directory": str(directory), "cluster": "demo", "user": user, "group": group, "run_id": run_id}
    return entry.shared_config({"state": state, "lease": lease}, check, diff=False)


@pytest.fixture(autouse=True)
def changing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever comes after the check of the lease."""

    def build(*_arguments: t.Any, **_options: t.Any) -> t.Any:
        raise NodeError("It would change the node.")

    monkeypatch.setattr(request, "build", build)


@pytest.mark.parametrize("state", ["staged", "applied", "accepted"])
def test_another_run_changes_nothing(tmp_path: Path, state: str) -> None:
    assert "does not hold the lease" in call(tmp_path, "run1", state)["msg"]
    location = update.Location(str(tmp_path), "demo", str(os.geteuid()), str(os.getegid()))
    update.write(location, record.Change("taken", "run1", operation="site"))
    assert call(tmp_path, "run1", state)["msg"] == "It would change the node."
    refused = call(tmp_path, "run2", state)
    assert refused["failed"]
    assert "has lost the lease" in refused["msg"]
    # Check mode took none, and changes nothing.
    assert call(tmp_path, "run2", state, check=True)["msg"] == "It would change the node."


def test_without_the_share_nothing_is_activated(tmp_path: Path) -> None:
    """Nobody can say whether another run has taken over."""
    assert "does not hold the lease" in call(tmp_path / "away", "run1", "applied")["msg"]
