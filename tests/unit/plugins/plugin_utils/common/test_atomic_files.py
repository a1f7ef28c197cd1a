# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from ansible_collections.ivy.cluster.plugins.plugin_utils.common import atomic_files

PLUGINS = Path(__file__).resolve().parents[5] / "plugins"


def test_the_file_gets_its_content_and_mode(tmp_path: Path) -> None:
    path = tmp_path / "file"
    atomic_files.replace(path, b"one", 0o640)
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"one", 0o640)
    atomic_files.replace(path, b"two")
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"two", 0o600)
    assert os.listdir(tmp_path) == ["file"]


def test_a_link_is_replaced_and_not_followed(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_text("old", encoding="utf-8")
    path = tmp_path / "link"
    path.symlink_to(target)
    atomic_files.replace(path, b"new")
    assert target.read_text(encoding="utf-8") == "old"
    assert not path.is_symlink()


@pytest.mark.parametrize("call", ["fsync", "fchmod"])
def test_an_error_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    path = tmp_path / "file"
    path.write_text("old", encoding="utf-8")

    def fail(*_arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, call, fail)
    with pytest.raises(OSError, match="No space"):
        atomic_files.replace(path, b"new")
    assert path.read_text(encoding="utf-8") == "old"
    assert os.listdir(tmp_path) == ["file"]


def test_only_a_durable_file_is_synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", synced.append)
    atomic_files.replace(tmp_path / "file", b"one", durable=False)
    assert synced == []
    atomic_files.replace(tmp_path / "file", b"two")
    assert len(synced) == 1


def test_no_other_module_replaces_files_of_the_controller() -> None:
    writers = {
        path.name
        for folder in ("plugin_utils", "action", "filter")
        for path in sorted((PLUGINS / folder).rglob("*.py"))
        if re.search(r"os\.(replace|rename)\(|\)\.replace\(path\)", path.read_text(encoding="utf-8"))
    }
    assert writers == {"atomic_files.py"}
