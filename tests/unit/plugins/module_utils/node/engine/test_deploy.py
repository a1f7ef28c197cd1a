# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import hashlib
import os
import typing as t
from pathlib import Path

import pytest

from ansible_collections.ivy.cluster.plugins.module_utils.node.engine import deploy as sut
from ansible_collections.ivy.cluster.plugins.module_utils.node.engine.applications import Artefact
from ansible_collections.ivy.cluster.plugins.module_utils.node.files.atomic import Tree
from ansible_collections.ivy.cluster.plugins.module_utils.node.files.errors import NodeError
from ansible_collections.ivy.cluster.plugins.module_utils.node.store.store import Store


@pytest.fixture
def artefact(tmp_path: Path) -> Artefact:
    (tmp_path / "engine/deploy").mkdir(parents=True)
    (tmp_path / "demo.zip").write_bytes(b"content")
    source, directory = str(tmp_path / "demo.zip"), str(tmp_path / "engine/deploy")
    return Artefact(source, "demo.zip", directory, None, os.geteuid(), os.getegid())


def test_check_mode_predicts_and_writes_nothing(artefact: Artefact, tmp_path: Path) -> None:
    store = str(tmp_path / "store")
    assert sut.predict(artefact, store) == {"changed": True, "placed": False, "status": "absent"}
    assert not (tmp_path / "store").exists()
    assert sut.deploy(artefact, store, wait=False, timeout=0) == {"changed": True, "status": "waiting"}
    assert sut.predict(artefact, store) == {"changed": False, "placed": True, "status": "waiting"}
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


def marked(artefact: Artefact, ending: str, log: str = "") -> None:
    """What the engine makes of a placed artefact."""
    path = Path(artefact.deploy_directory, artefact.name)
    path.rename(path.with_name(path.name + ending))
    path.with_name(f"{path.name}.deploymentLog").write_text(log)
    if ending == ".notDeployed":
        path.with_name(f"{path.name}.deploymentError").write_text(log)


def test_a_failed_deployment_is_withdrawn_and_the_earlier_artefact_is_known_again(
    artefact: Artefact, tmp_path: Path
) -> None:
    store, deploy = str(tmp_path / "store"), tmp_path / "engine/deploy"
    sut.deploy(artefact, store, wait=False, timeout=0)
    marked(artefact, ".deployed", "Deployed the first")
    assert sut.deploy(artefact, store, wait=True, timeout=0)["status"] == "deployed"
    first = sorted(path.name for path in deploy.iterdir())

    Path(artefact.source).write_bytes(b"second")
    second = artefact._replace(options=b"{}")
    assert sut.deploy(second, store, wait=False, timeout=0)["changed"]
    # Placed once more, as by a run after an interrupted one, it still knows the first.
    (deploy / "demo.zip").unlink()
    assert sut.deploy(second, store, wait=False, timeout=0)["changed"]
    marked(second, ".notDeployed", "no such project")
    # One that failed is tried again.
    assert sut.deploy(second, store, wait=False, timeout=0)["changed"]
    marked(second, ".notDeployed", "no such project")
    failed = sut_wait(second, store)
    assert failed["status"] == "failed"
    assert "could not deploy it" in failed["msg"]
    assert "no such project" in failed["log"]

    assert sorted(path.name for path in deploy.iterdir()) == first
    assert (deploy / "demo.zip.deployed").read_bytes() == b"content"
    assert (deploy / "demo.zip.deploymentLog").read_text() == "Deployed the first"
    Path(artefact.source).write_bytes(b"content")
    assert sut.predict(artefact, store) == {"changed": False, "placed": True, "status": "deployed"}


def sut_wait(artefact: Artefact, store: str) -> dict[str, t.Any]:
    """Wait for an artefact that was placed before, as a further call of the module does."""
    with Store(store) as opened, Tree(artefact.deploy_directory) as tree:
        return sut.result_of(opened, tree, artefact, changed=False, timeout=0)


def test_a_failed_first_deployment_leaves_nothing(artefact: Artefact, tmp_path: Path) -> None:
    store = str(tmp_path / "store")
    sut.deploy(artefact, store, wait=False, timeout=0)
    marked(artefact, ".notDeployed", "reason")
    assert sut_wait(artefact, store)["log"] == ["reason", "reason"]
    assert list((tmp_path / "engine/deploy").iterdir()) == []
    with Store(store) as opened:
        assert opened.applications() == {}


def test_the_declared_digest_decides_in_check_mode(artefact: Artefact, tmp_path: Path) -> None:
    store = str(tmp_path / "store")
    sut.deploy(artefact, store, wait=False, timeout=0)
    digest = hashlib.sha256(b"content").hexdigest()
    gone = artefact._replace(source=str(tmp_path / "none.zip"), sha256=digest)
    assert sut.predict(gone, store) == {"changed": False, "placed": True, "status": "waiting"}
    # The file on the node is still the one of before.
    assert sut.predict(artefact._replace(sha256="0" * 64), store)["changed"]
    with pytest.raises(NodeError, match="not the artefact that is declared"):
        sut.deploy(artefact._replace(sha256="0" * 64), store, wait=False, timeout=0)


def test_an_artefact_that_waits_is_withdrawn_and_one_in_use_stays(artefact: Artefact, tmp_path: Path) -> None:
    store, deploy = str(tmp_path / "store"), tmp_path / "engine/deploy"
    assert sut.withdraw(artefact, store, check=False) == {"changed": False, "status": "absent"}
    sut.deploy(artefact, store, wait=False, timeout=0)
    assert sut.withdraw(artefact, store, check=True) == {"changed": True, "status": "waiting"}
    assert (deploy / "demo.zip").exists()
    assert sut.withdraw(artefact, store, check=False) == {"changed": True, "status": "absent"}
    assert list(deploy.iterdir()) == []
    sut.deploy(artefact, store, wait=False, timeout=0)
    marked(artefact, ".deployed")
    assert sut.withdraw(artefact, store, check=False) == {"changed": False, "status": "deployed"}
    assert sut.predict(artefact, store)["placed"]
