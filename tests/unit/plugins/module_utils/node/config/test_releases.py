# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A release on its way from one node's store to the controller."""

from __future__ import annotations

import json
import os
import typing as t
from pathlib import Path

import pytest

from ansible_collections.ivy.cluster.plugins.module_utils.node.config import encryption, payload, releases
from ansible_collections.ivy.cluster.plugins.module_utils.node.files.digest import canonical
from ansible_collections.ivy.cluster.plugins.module_utils.node.files.errors import NodeError
from ansible_collections.ivy.cluster.plugins.modules import node_releases
from ansible_collections.ivy.cluster.plugins.plugin_utils.release import cache as release_cache
from ansible_collections.ivy.cluster.plugins.plugin_utils.release import node_copy
from ansible_collections.ivy.cluster.plugins.plugin_utils.release.build import release_id
from ansible_collections.ivy.cluster.plugins.plugin_utils.release.cache import CacheError
from ansible_collections.ivy.cluster.plugins.plugin_utils.release.restart import KeyedDigest

CLUSTER_KEY = "a cluster key that is long enough"
SECRET = b"canary-7f3a"


@pytest.fixture
def release(node: t.Any) -> t.Any:
    """A release that is applied on the node, with an id as the controller gives it."""
    made = node.build(
        {
            "engine:configuration/ivy.yaml": node.File(b"A: 1\n", "yaml", "keys"),
            "engine:configuration/big.bin": node.File(bytes(range(256)) * 12, "binary"),
            "environment:shared.env": node.File(SECRET, secret=True, mode="0600"),
        }
    )
    manifest = json.loads(made.manifest)
    manifest["id"] = release_id(manifest, KeyedDigest(CLUSTER_KEY))
    made.id, made.manifest = manifest["id"], canonical(manifest)
    node.apply(made)
    return made


def asker(node: t.Any, release: str, answers: list[str]) -> node_copy.Ask:
    def ask(wanted: list[str]) -> dict[str, t.Any]:
        key = os.urandom(32)
        bundle = payload.to_text(payload.pack({"key": key.hex(), "wanted": wanted}, {}))
        answer = node_releases.run({"release": release, "payload": bundle, "store": str(node.store)})
        answers.append(json.dumps(answer))
        return t.cast("dict[str, t.Any]", encryption.decrypt(key, str(answer["encrypted"])))

    return ask


def test_the_list_contains_all_releases_and_the_applied_one(node: t.Any, release: t.Any) -> None:
    found = node_releases.run({"release": "", "store": str(node.store)})
    assert found["applied"] == release.id
    [one] = t.cast("list[dict[str, t.Any]]", found["releases"])
    assert (one["id"], one["complete"], one["files"], one["engine_version"]) == (release.id, True, 3, "11.3.0")


def test_a_node_without_a_store_has_nothing(tmp_path: Path) -> None:
    assert releases.listing(str(tmp_path / "none")) == {"releases": [], "applied": None, "applied_time": None}


def test_damage_is_reported_and_hides_nothing_else(node: t.Any, release: t.Any) -> None:
    other = node.store / "releases" / ("b" * 32)
    other.mkdir()
    (other / "manifest.json").write_text("{")
    (node.store / "blobs" / next(iter(release.blobs))).unlink()
    by_id = {one["id"]: one for one in releases.listing(str(node.store))["releases"]}
    assert "damaged" in by_id["b" * 32]["problem"]
    assert not by_id["b" * 32]["complete"]
    assert not by_id[release.id]["complete"]


def test_a_copy_is_the_release_and_nobody_can_read_it_on_its_way(
    node: t.Any, release: t.Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(node_copy, "BATCH_SIZE", 100)
    answers: list[str] = []
    ask = asker(node, release.id, answers)
    cache = str(tmp_path / "cache")
    assert node_copy.copy(cache, release.id, CLUSTER_KEY, ask) == 3
    assert canonical(release_cache.load_manifest(cache, release.id)) == release.manifest
    for digest, content in release.blobs.items():
        assert release_cache.read_blob(cache, digest) == content
    assert len(answers) == 3, "one for the list, one for the small files, one for the big one"
    assert not any(SECRET.decode() in answer for answer in answers)
    assert node_copy.cached(cache) == [{"id": release.id, "engine_version": "11.3.0"}]
    assert node_copy.copy(cache, release.id, CLUSTER_KEY, ask) == 0
    assert len(answers) == 3
    (Path(cache) / "blobs" / next(iter(release.blobs))).unlink()
    assert node_copy.cached(cache) == []
    assert node_copy.copy(cache, release.id, CLUSTER_KEY, ask) == 1


def test_a_release_made_with_another_key_is_refused(node: t.Any, release: t.Any, tmp_path: Path) -> None:
    with pytest.raises(CacheError, match="ivy_cluster_key has changed"):
        node_copy.copy(str(tmp_path / "cache"), release.id, "another key", asker(node, release.id, []))
    assert node_copy.cached(str(tmp_path / "cache")) == []


def test_what_a_node_made_up_is_refused(release: t.Any, tmp_path: Path) -> None:
    forged = json.loads(release.manifest)
    forged["entries"][0]["mode"] = "0777"

    def ask(_wanted: list[str]) -> dict[str, t.Any]:
        return {"manifest": payload.to_text(canonical(forged))}

    with pytest.raises(CacheError, match="somebody changed the release"):
        node_copy.copy(str(tmp_path), release.id, CLUSTER_KEY, ask)


@pytest.mark.parametrize("path", ["configuration/.git/config", "configuration/../../x", "/etc/x", "configuration/\\x"])
def test_a_release_with_a_path_that_no_file_may_have_is_not_copied(release: t.Any, tmp_path: Path, path: str) -> None:
    manifest = json.loads(release.manifest)
    manifest["entries"][0]["path"] = path
    manifest["id"] = release_id(manifest, KeyedDigest(CLUSTER_KEY))

    def ask(_wanted: list[str]) -> dict[str, t.Any]:
        return {"manifest": payload.to_text(canonical(manifest))}

    with pytest.raises(CacheError, match=r"is not accepted.*Choose another release"):
        node_copy.copy(str(tmp_path / "cache"), manifest["id"], CLUSTER_KEY, ask)
    assert not (tmp_path / "cache").exists()


def test_only_files_of_the_release_are_given(node: t.Any, release: t.Any) -> None:
    with pytest.raises(NodeError, match="does not have all the files"):
        releases.pieces(str(node.store), release.id, ["f" * 64])
    with pytest.raises(NodeError, match="does not have release"):
        releases.pieces(str(node.store), "c" * 32, [])
    with pytest.raises(NodeError, match="only be copied by the controller"):
        node_releases.run({"release": release.id, "payload": "", "store": str(node.store)})
