# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import hashlib
from pathlib import Path

from ansible_collections.ivy.cluster.plugins.filter import file_sha256


def test_the_digest_follows_the_file(tmp_path: Path) -> None:
    path = tmp_path / "archive"
    path.write_bytes(b"one")
    assert file_sha256.file_sha256(str(path)) == hashlib.sha256(b"one").hexdigest()

    path.write_bytes(b"other")
    assert file_sha256.file_sha256(str(path)) == hashlib.sha256(b"other").hexdigest()


def test_without_a_file_the_digest_is_empty(tmp_path: Path) -> None:
    assert [file_sha256.file_sha256(value) for value in ("", str(tmp_path), "/no/such/file")] == ["", "", ""]
