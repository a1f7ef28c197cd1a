# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Artefacts in a deploy directory."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from ansible_collections.ivy.cluster.plugins.module_utils.node.engine import deploy_directory
from ansible_collections.ivy.cluster.plugins.module_utils.node.gate import state
from ansible_collections.ivy.cluster.plugins.module_utils.node.probes import deployments as sut


@pytest.mark.parametrize(
    ("file", "artefact"),
    [
        ("demo.zip", ("demo.zip", "pending")),
        ("demo.zip.deployed", ("demo.zip", "deployed")),
        ("project.iar.notDeployed", ("project.iar", "failed")),
        ("demo.zip.deploymentLog", None),
        ("demo.zip.options.yaml", None),
        ("notes.deployed", None),
    ],
)
def test_the_artefact_of_a_file(file: str, artefact: tuple[str, str] | None) -> None:
    assert sut.artefact_of(file) == artefact


def test_artefacts_have_a_digest_and_the_time_of_the_deployment_log(tmp_path: Path) -> None:
    (tmp_path / "app").mkdir()
    (tmp_path / "demo.zip.deployed").write_bytes(b"one")
    (tmp_path / "demo.zip.deploymentLog").write_text("done")
    os.utime(tmp_path / "demo.zip.deploymentLog", (1000, 1000))
    (tmp_path / "app" / "late.iar").write_bytes(b"two")
    (tmp_path / "link.zip").symlink_to("/etc/hostname")
    found = sut.artefacts(str(tmp_path))
    assert [(item["name"], item["state"]) for item in found] == [("app/late.iar", "pending"), ("demo.zip", "deployed")]
    assert found[1]["sha256"] == hashlib.sha256(b"one").hexdigest()
    assert found[1]["time"] == 1000


def test_what_cannot_be_read_as_an_artefact_delays_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine's user owns the directory."""
    monkeypatch.setattr(sut, "MOST_BYTES", 1000)
    os.mkfifo(tmp_path / "pipe.zip")
    (tmp_path / "directory.zip").mkdir()
    with (tmp_path / "sparse.zip").open("wb") as stream:
        stream.truncate(8 << 40)
    (tmp_path / "true.zip").write_bytes(b"one")
    found = {item["name"]: item["sha256"] for item in sut.artefacts(str(tmp_path))}
    assert set(found) == {"sparse.zip", "true.zip"}
    assert found["sparse.zip"].startswith("not-read-")


def test_the_number_and_the_depth_of_files_are_limited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deploy_directory, "MOST_FILES", 3)
    below = tmp_path
    for _level in range(deploy_directory.DEEPEST):
        below = below / "a"
    below.mkdir(parents=True)
    (below / "too-deep.zip").write_bytes(b"x")
    assert sut.artefacts(str(tmp_path)) == []
    (below.parent / "deep.zip").write_bytes(b"x")
    assert [item["name"] for item in sut.artefacts(str(tmp_path))] == ["a/a/a/deep.zip"]
    for number in range(5):
        (tmp_path / f"{number}.zip").write_bytes(b"x")
    assert len(sut.artefacts(str(tmp_path))) == 3
    assert len(state.deployments(str(tmp_path))["pending"]) == 3


def test_a_missing_directory_has_no_artefacts(tmp_path: Path) -> None:
    assert sut.artefacts(str(tmp_path / "deploy")) == []


def test_only_artefacts_placed_in_this_directory_count(tmp_path: Path) -> None:
    deploy = tmp_path / "versions" / "11.3.0" / "deploy"
    deploy.mkdir(parents=True)
    (tmp_path / "current").symlink_to("versions/11.3.0")
    recorded = {
        f"{tmp_path}/current/deploy/demo.zip": {"sha256": "d1"},
        f"{deploy}/app/project.iar": {"sha256": "d2"},
        f"{tmp_path}/versions/10.0.0/deploy/demo.zip": {"sha256": "d3"},
    }
    assert sut.placed(recorded, str(deploy)) == {"demo.zip": "d1", "app/project.iar": "d2"}
