# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from ansible_collections.ivy.cluster.plugins.module_utils.node.files.digest import CHUNK, sha256_of_fd


@pytest.mark.parametrize("size", [0, 1, 4095, 4096, 4097, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK + 5])
def test_the_digest_does_not_depend_on_what_the_size_was_thought_to_be(tmp_path: Path, size: int) -> None:
    data = os.urandom(size)
    (tmp_path / "file").write_bytes(data)
    for thought in (0, size, size // 2, size + 5, CHUNK):
        fd = os.open(tmp_path / "file", os.O_RDONLY)
        try:
            assert sha256_of_fd(fd, thought, 1 << 30) == hashlib.sha256(data).hexdigest()
        finally:
            os.close(fd)
