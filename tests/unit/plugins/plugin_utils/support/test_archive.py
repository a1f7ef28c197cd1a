# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import io
import json
import stat
import tarfile
from pathlib import Path

from ansible_collections.ivy.cluster.plugins.plugin_utils.support import archive as sut
from ansible_collections.ivy.cluster.plugins.plugin_utils.support.parts import Parts

BUNDLE = sut.Bundle("prod", "20261129T100000Z", "0.1.0", ("lb1", "lb/1", "engine1"), {"engine1": "timed out"})


def contents(data: bytes) -> dict[str, str]:
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        return {entry.name: tar.extractfile(entry).read().decode() for entry in tar.getmembers()}  # type: ignore[union-attr]


def test_the_archive_lists_each_host_and_contains_what_it_answered() -> None:
    parts = {"lb1": Parts({"state/a.txt": "\u00e4\n"}, []), "lb/1": Parts({"logs/b.log": "x"}, ["logs/c.log: no"])}
    found = contents(sut.pack(BUNDLE, parts))
    top = "support-prod-20261129T100000Z"
    assert set(found) == {
        f"{top}/README.txt",
        f"{top}/summary.json",
        f"{top}/hosts/lb1/state/a.txt",
        f"{top}/hosts/lb_1/logs/b.log",
        f"{top}/hosts/lb_1/NOT-COMPLETE.txt",
    }
    assert found[f"{top}/hosts/lb1/state/a.txt"] == "\u00e4\n"
    lines = found[f"{top}/README.txt"].splitlines()
    assert lines[-3:] == ["lb1: 1 file", "lb/1: 1 file, 1 part not complete", "engine1: NOT INCLUDED: timed out"]
    summary = json.loads(found[f"{top}/summary.json"])
    assert summary["lost"] == {"engine1": "timed out"}
    assert summary["problems"] == {"lb/1": ["logs/c.log: no"]}


def test_hosts_whose_names_are_equal_as_file_names_are_kept_apart() -> None:
    parts = {"a/b": Parts({"x": "1"}, []), "a:b": Parts({"x": "2"}, [])}
    bundle = sut.Bundle("../x", "now", "1", tuple(parts), {})
    found = contents(sut.pack(bundle, parts))
    assert {name: text for name, text in found.items() if name.endswith("/x")} == {
        "support-_x-now/hosts/a_b/x": "1",
        "support-_x-now/hosts/a_b-2/x": "2",
    }


def test_only_the_owner_can_read_what_is_staged_and_the_archive(tmp_path: Path) -> None:
    staging = sut.stage_directory(str(tmp_path))
    assert sut.stage_directory(str(tmp_path)) == staging
    assert stat.S_IMODE(staging.stat().st_mode) == 0o700
    sut.stage(staging, "../lb1", Parts({"a": "\ud800"}, ["b"]))
    (file,) = staging.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert sut.staged(staging, "../lb1") == Parts({"a": "\ud800"}, ["b"])
    assert sut.staged(staging, "lb1") is None
    path = Path(sut.write(tmp_path / "new/bundles", "a.tar.gz", b"data"))
    assert (path.read_bytes(), stat.S_IMODE(path.stat().st_mode)) == (b"data", 0o600)


def test_the_version_is_that_of_the_collection() -> None:
    assert sut.version()[0].isdigit()
