# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole way of random trees: read from a source, built, applied to a node, and found there as they were."""

from __future__ import annotations

import datetime
import hashlib
import tempfile
import types
import typing as t
import unicodedata
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from ansible_collections.ivy.cluster.plugins.module_utils.node.files.digest import canonical
from ansible_collections.ivy.cluster.plugins.plugin_utils.common.profiles import resolve_profile
from ansible_collections.ivy.cluster.plugins.plugin_utils.release import secret_checks
from ansible_collections.ivy.cluster.plugins.plugin_utils.release.build import ReleaseInput, build_release
from ansible_collections.ivy.cluster.plugins.plugin_utils.release.source import read_source

ROOT = Path(__file__).resolve().parents[6]
HEADER = b"# yaml-language-server: $schema=https://json-schema.axonivy.com/ivy/11.3.0/ivy.json\n"
NAMES = st.text(
    st.characters(codec="utf-8", exclude_characters="/\\", exclude_categories=["Cs", "Cc"]), min_size=1, max_size=10
).filter(lambda name: name not in (".", "..", ".git", ".gitkeep", ".keep") and len(name.encode()) < 100)
PATHS = st.builds(
    lambda area, rest: "/".join([area, *rest]),
    st.sampled_from(["configuration", "dropins", "patches", "configuration/applications/demo"]),
    st.lists(NAMES, min_size=1, max_size=9),
)
FILES = st.tuples(
    st.one_of(st.just(b""), st.binary(max_size=60), st.binary(min_size=5000, max_size=5000), st.text().map(str.encode)),
    st.sampled_from([0o400, 0o644, 0o755, 0o777, 0o4755]),
)


@pytest.fixture(scope="module")
def profile() -> dict[str, t.Any]:
    text = (ROOT / "roles/topology/vars/main/profiles.yml").read_text(encoding="utf-8")
    return resolve_profile(yaml.safe_load(text)["ivy_profiles"], "11.3.0")


def build(source: Path, profile: dict[str, t.Any]) -> t.Any:
    read = read_source(source)
    assume(not read.findings)
    assume(not read.warnings)
    built = build_release(
        ReleaseInput(
            source=read,
            topology={},
            shared={"a": "ä\n"},
            secret={"b": "canary"},
            nodes=("n1",),
            cluster="demo",
            engine_version="11.3.0",
            profile=profile,
            cluster_key="k" * 32,
            today=datetime.date(2027, 1, 1),
        )
    )
    blobs = {hashlib.sha256(blob).hexdigest(): blob for blob in built.blobs}
    return types.SimpleNamespace(id=built.id, manifest=canonical(built.manifest), blobs=blobs)


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.filter_too_much, HealthCheck.too_slow],
)
@given(tree=st.dictionaries(PATHS, FILES, min_size=1, max_size=6))
def test_what_is_built_and_applied_is_found_as_it_was(
    node: t.Any, profile: dict[str, t.Any], tree: dict[str, tuple[bytes, int]]
) -> None:
    with tempfile.TemporaryDirectory(dir=node.base) as directory:
        source = Path(directory) / "source"
        one = type(node)(Path(directory))
        one.record_baseline()
        tree = {"configuration/ivy.yaml": (HEADER, 0o644), **tree}
        for path, (content, mode) in tree.items():
            place = source / path
            try:
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(content)
            except (FileExistsError, NotADirectoryError, IsADirectoryError):
                assume(False)
            place.chmod(mode)
        # Bytes that begin like a key store are refused, see release/test_secret_checks.py.
        assume(not any(secret_checks.is_key_store(path, content) for path, (content, _mode) in tree.items()))
        release = build(source, profile)
        one.apply(release)
        wanted = {
            unicodedata.normalize("NFC", path): content for path, (content, _mode) in tree.items() if ".j2" not in path
        }
        for path, content in wanted.items():
            # To ivy.yaml, what the inventory says is added.
            assert (one.engine / path).read_bytes() == content or path == "configuration/ivy.yaml"
            assert (one.engine / path).stat().st_mode & 0o7777 == 0o640
        present = {str(path.relative_to(one.engine)) for path in one.engine.rglob("*") if path.is_file()}
        vendor = {"configuration/web.xml", "configuration/log4j2.xml"}
        assert {path for path in present if ".j2" not in path} - vendor == set(wanted) - vendor
        found = one.inspect(release)
        assert (found["drift"], found["pending"], found["conflict"]) == ([], [], [])
        assert one.apply(release)["changed"] is False
        assert build(source, profile).id == release.id
