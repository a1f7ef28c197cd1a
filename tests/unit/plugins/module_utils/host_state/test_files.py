# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import hashlib
import os
from pathlib import Path

from ansible_collections.ivy.cluster.plugins.module_utils.host_state import files


def test_a_file_has_its_digest_mode_and_owner(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text("text", encoding="utf-8")
    path.chmod(0o640)

    found = files.describe(str(path), "ex")

    assert found["state"] == "file"
    assert found["sha256"] == hashlib.sha256(b"text").hexdigest()
    assert (found["uid"], found["mode"], found["contains"]) == (os.getuid(), "0640", True)
    assert files.describe(str(path), "other")["contains"] is False


def test_links_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("text", encoding="utf-8")
    (tmp_path / "link").symlink_to("file")

    found = files.describe(str(tmp_path / "link"))

    assert (found["state"], found["target"]) == ("link", "file")
    assert "sha256" not in found
    assert files.text(str(tmp_path / "link")) == ""


def test_other_kinds_of_paths(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")

    assert files.describe(str(tmp_path))["state"] == "directory"
    assert files.describe(str(tmp_path / "pipe"))["state"] == "other"
    assert files.describe(str(tmp_path / "missing")) == {"state": "absent"}


def test_a_file_that_is_too_long_has_no_digest(tmp_path: Path) -> None:
    path = tmp_path / "long"
    with path.open("wb") as stream:
        stream.truncate(files._MAXIMUM + 1)

    assert files.describe(str(path))["sha256"] == ""


def test_a_listing_is_sorted_and_empty_without_a_directory(tmp_path: Path) -> None:
    for name in ("b", "a"):
        (tmp_path / name).touch()

    assert files.listing(str(tmp_path)) == ["a", "b"]
    assert files.listing(str(tmp_path / "missing")) == []
