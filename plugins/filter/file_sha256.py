# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
name: file_sha256
short_description: Return the SHA-256 digest of a file on the controller
version_added: 0.1.0
author:
  - The ivy.cluster contributors (@ivy-cluster)
description:
  - Reads the file once in a process, also if a template uses the digest several times.
options:
  _input:
    description: Path of the file. A relative path is relative to the working directory.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Show the digest of an archive
  ansible.builtin.debug:
    msg: "{{ '/srv/archives/elasticsearch-7.17.28.zip' | ivy.cluster.file_sha256 }}"
"""

RETURN = r"""
_value:
  description: The digest in lower-case hexadecimal digits, empty if the path is empty or no readable file.
  type: str
"""

import functools
import hashlib
import os
import typing as t

_CHUNK = 1 << 20


@functools.lru_cache(maxsize=64)
def _digest(path: str, _size: int, _changed: int) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        while part := stream.read(_CHUNK):
            digest.update(part)
    return digest.hexdigest()


def file_sha256(path: t.Any) -> str:
    name = os.path.expanduser(str(path))
    if not name or not os.path.isfile(name):
        return ""
    info = os.stat(name)
    try:
        return _digest(name, info.st_size, info.st_mtime_ns)
    except OSError:
        return ""


class FilterModule:
    def filters(self) -> dict[str, t.Any]:
        return {"file_sha256": file_sha256}
