# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
from pathlib import Path

import pytest

from ansible_collections.ivy.cluster.plugins.module_utils.node.engine import deploy as sut
from ansible_collections.ivy.cluster.plugins.module_utils.node.engine.applications import Artefact
from ansible_collections.ivy.cluster.plugins.module_utils.node.files.errors import NodeError


@pytest.fixture
def artefact(tmp_path: Path) -> Artefact:
    (tmp_path / "engine/deploy").mkdir(parents=True)
    (tmp_path / "demo.zip").write_bytes(b"content")
    source, directory = str(tmp_path / "demo.zip"), str(tmp_path / "engine/deploy")
    return Artefact(source, "demo.zip", directory, None, os.geteuid(), os.getegid())


def test_check_mode_predicts_and_writes_nothing(artefact: Artefact, tmp_path: Path) -> None:
    store = str(tmp_path / "store")
    assert sut.predict(artefact, store) == {"changed": True, "status": "absent"}
    assert not (tmp_path / "store").exists()
    assert sut.deploy(artefact, store, wait=False, timeout=0) == {"changed": True, "status": "waiting"}
    assert sut.predict(artefact, store) == {"changed": False, "status": "waiting"}
    missing = artefact._replace(source=str(tmp_path / "none.zip"))
    assert sut.predict(missing, store)["changed"]


def test_a_deployed_artefact_is_not_placed_again(artefact: Artefact, tmp_path: Path) -> None:
    store = str(tmp_path / "store")
    sut.deploy(artefact, store, wait=False, timeout=0)
    (tmp_path / "engine/deploy/demo.zip").rename(tmp_path / "engine/deploy/demo.zip.deployed")
    result = sut.deploy(artefact, store, wait=True, timeout=0)
    assert result == {"changed": False, "status": "deployed", "waited": 0.0}


def test_a_failed_deployment_has_message_and_log(artefact: Artefact, tmp_path: Path) -> None:
    result = sut.deploy(artefact, str(tmp_path / "store"), wait=True, timeout=0)
    assert result["status"] == "waiting"
    assert "did not process it within 0 seconds" in result["msg"]
    assert result["log"] == []


def test_a_host_without_an_engine(artefact: Artefact, tmp_path: Path) -> None:
    elsewhere = artefact._replace(deploy_directory=str(tmp_path / "none/deploy"))
    with pytest.raises(NodeError, match="Install the engine first"):
        sut.deploy(elsewhere, str(tmp_path / "store"), wait=False, timeout=0)
