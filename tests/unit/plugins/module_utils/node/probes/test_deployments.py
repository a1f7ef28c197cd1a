# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Artefacts in a deploy directory."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

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
