# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.ivy.cluster.plugins.module_utils.haproxy import new_file


@pytest.mark.parametrize("exists", ["nothing", "link", "file"])
def test_what_has_the_name_is_removed_and_no_link_is_followed(tmp_path: Path, exists: str) -> None:
    target, path = tmp_path / "target", tmp_path / "new"
    target.write_text("content", encoding="utf-8")
    if exists == "link":
        path.symlink_to(target)
    elif exists == "file":
        path.write_text("left by a run that was killed", encoding="utf-8")

    with new_file.create_file(str(path)) as stream:
        stream.write("text")

    assert target.read_text(encoding="utf-8") == "content"
    assert path.read_text(encoding="utf-8") == "text"
    assert not path.is_symlink()
    assert path.stat().st_mode & 0o777 == 0o600
