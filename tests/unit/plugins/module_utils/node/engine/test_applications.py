# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import typing as t
from pathlib import Path

import pytest

from ansible_collections.ivy.cluster.plugins.module_utils.node.engine import applications
from ansible_collections.ivy.cluster.plugins.module_utils.node.files.atomic import Tree
from ansible_collections.ivy.cluster.plugins.module_utils.node.files.errors import NodeError
from ansible_collections.ivy.cluster.plugins.module_utils.node.gate import state
from ansible_collections.ivy.cluster.plugins.module_utils.node.store.store import Store


@pytest.fixture
def place(tmp_path: Path) -> t.Any:
    deploy = tmp_path / "engine" / "deploy"
    deploy.mkdir(parents=True)
    (tmp_path / "demo.zip").write_bytes(b"one" * 100)
    return tmp_path


def artefact(place: t.Any, name: t.Any = "demo.zip", options: t.Any = None) -> t.Any:
    return applications.Artefact(
        str(place / "demo.zip"), name, str(place / "engine/deploy"), options, os.geteuid(), os.getegid()
    )


def put(place: t.Any, one: t.Any) -> t.Any:
    with Store(str(place / "store")) as store, Tree(one.deploy_directory) as tree, store.lock():
        digest = applications.digest_of(one.source)
        if applications.is_placed(store, tree, one, digest):
            return False
        applications.put(store, tree, one, digest)
        return True


def marker_of(place: t.Any, one: t.Any) -> t.Any:
    with Tree(one.deploy_directory) as tree:
        return applications.marker(tree, one)


def deployed(place: t.Any, name: t.Any = "demo.zip") -> t.Any:
    path = place / "engine/deploy" / name
    path.rename(path.with_name(path.name + ".deployed"))


def test_placed_once_and_known_after_the_engine_renamed_it(place: t.Any) -> None:
    one = artefact(place, options=b"{}")
    assert put(place, one)
    assert marker_of(place, one) == applications.WAITING
    assert (place / "engine/deploy/demo.zip.options.yaml").read_bytes() == b"{}"
    assert not put(place, one)
    deployed(place)
    assert marker_of(place, one) == applications.DEPLOYED
    assert not put(place, one)
    assert not list((place / "engine").glob(".ivy*"))


def test_placed_again_when_it_differs_failed_or_is_gone(place: t.Any) -> None:
    one = artefact(place)
    put(place, one)
    deployed(place)
    (place / "demo.zip").write_bytes(b"two")
    assert put(place, one)
    assert not (place / "engine/deploy/demo.zip.deployed").exists()
    (place / "engine/deploy/demo.zip").rename(place / "engine/deploy/demo.zip.notDeployed")
    (place / "engine/deploy/demo.zip.deploymentError").write_text("no such project\n")
    assert marker_of(place, one) == applications.FAILED
    with Tree(one.deploy_directory) as tree:
        assert applications.log_of(tree, one) == ["no such project"]
    assert put(place, one)
    assert marker_of(place, one) == applications.WAITING
    (place / "engine/deploy/demo.zip").unlink()
    assert put(place, one)
    deployed(place)
    assert put(place, one._replace(options=b'{"a": 1}'))


def test_a_project_of_an_application(place: t.Any) -> None:
    one = artefact(place, "shop/project.iar")
    assert put(place, one)
    assert (place / "engine/deploy/shop/project.iar").exists()


def test_a_planted_link_is_not_written_through(place: t.Any, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"safe")
    (place / "engine/deploy/demo.zip").symlink_to(victim)
    (place / "engine/deploy/demo.zip.options.yaml").symlink_to(victim)
    put(place, artefact(place, options=b"{}"))
    assert victim.read_bytes() == b"safe"


@pytest.mark.parametrize("name", ["../demo.zip", "/demo.zip", "demo.war", "", "a//b.zip", "a/b/c/d/e.zip"])
def test_names_that_are_none(name: t.Any) -> None:
    with pytest.raises(NodeError, match="not the name of an artefact"):
        applications.check_name(name)


def test_a_missing_artefact(place: t.Any) -> None:
    with pytest.raises(NodeError, match="Copy it there first"):
        applications.digest_of(str(place / "none.zip"))


def test_waiting_ends_with_the_marker_or_the_time(place: t.Any) -> None:
    one = artefact(place)
    put(place, one)
    with Tree(one.deploy_directory) as tree:
        assert applications.await_marker(tree, one, 0)[0] == applications.WAITING
        deployed(place)
        assert applications.await_marker(tree, one, 60)[0] == applications.DEPLOYED


def test_the_markers_as_a_list(place: t.Any) -> None:
    put(place, artefact(place))
    deployed(place)
    for name in ("bad.iar.notDeployed", "new.zip", "x.deploymentLog"):
        (place / "engine/deploy" / name).write_bytes(b"")
    assert state.deployments(str(place / "engine/deploy")) == {
        "deployed": ["demo.zip"],
        "failed": ["bad.iar"],
        "pending": ["new.zip"],
    }
    assert state.deployments(str(place / "none")) == {"deployed": [], "failed": [], "pending": []}
