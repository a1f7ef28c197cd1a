# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Disk space and installed files."""

from __future__ import annotations

from pathlib import Path

from ansible_collections.ivy.cluster.plugins.module_utils.preflight import disk


def test_installed_files_are_found_by_their_pattern(tmp_path: Path) -> None:
    (tmp_path / "7.17.28-abc").mkdir()
    patterns = {"here": f"{tmp_path}/7.17.28-*", "another": f"{tmp_path}/7.17.2-*", "exact": f"{tmp_path}/7.17.28-abd"}
    assert disk.find_installed(patterns) == {"here": True, "another": False, "exact": False}


def test_the_space_of_a_missing_path_is_that_of_its_parent(tmp_path: Path) -> None:
    later = disk.gather(str(tmp_path / "a/b/c"))
    now = disk.gather(str(tmp_path))
    assert later["path"] == str(tmp_path / "a/b/c")
    assert {key: later[key] for key in ("device", "size_mb", "read_only")} == {
        key: now[key] for key in ("device", "size_mb", "read_only")
    }
    assert not (tmp_path / "a").exists()
