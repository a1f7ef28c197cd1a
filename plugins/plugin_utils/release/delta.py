# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a node lacks of a release if it still has the one that it had after its last call.

The controller records the last release of each node beside its cache. The record only saves a round trip: a node
compares the digest of what it makes of a delta, and requests the release where it has another one than recorded.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
import typing as t
from pathlib import Path

from ansible_collections.ivy.cluster.plugins.module_utils.node.files import delta
from ansible_collections.ivy.cluster.plugins.module_utils.node.files.digest import canonical
from ansible_collections.ivy.cluster.plugins.plugin_utils.common import atomic_files
from ansible_collections.ivy.cluster.plugins.plugin_utils.release import cache as release_cache

# More is sent only to a node that has requested it.
LARGEST = 256 << 10
_RELEASE = re.compile(r"[0-9a-f]{32}")
_CONTENT = re.compile(rb'"sha256":"([0-9a-f]{64})"')


class Delta(t.NamedTuple):
    """A part of a request: for its header, and the contents by digest."""

    header: dict[str, t.Any]
    blobs: dict[str, bytes]


NONE = Delta({}, {})


def between(cache: str, base: str, release: str, contents: bool) -> Delta:
    """The delta of two releases of the cache; none if it is large or a release is no longer there."""
    try:
        old, new = release_cache.raw_manifest(cache, base), release_cache.raw_manifest(cache, release)
        parts = delta.difference(old, new)
        missing = _digests(new) - _digests(old) if contents else set()
        size = sum(len(part) for part in parts if isinstance(part, str))
        size += sum(release_cache.blob_path(cache, digest).stat().st_size for digest in missing)
        if size > LARGEST:
            return NONE
        blobs = {digest: release_cache.read_blob(cache, digest) for digest in missing}
    except (release_cache.CacheError, OSError, UnicodeDecodeError):
        # The problem is reported when the node requests the release.
        return NONE
    return Delta({"delta": {"base": base, "parts": parts}}, blobs)


def _digests(manifest: bytes) -> set[str]:
    return {found.decode("ascii") for found in _CONTENT.findall(manifest)}


class NodeRecord:
    """The release that a node had after its last call, by the node's name and the path of its store."""

    def __init__(self, cache: str, host: str, store: str) -> None:
        self._root = Path(cache)
        name = hashlib.sha256(canonical([host, store])).hexdigest()[:32]
        self._path = self._root / "nodes" / name

    def read(self) -> str:
        """The release; empty if none is recorded."""
        with contextlib.suppress(OSError, UnicodeDecodeError):
            text = self._path.read_text(encoding="ascii").strip()
            if _RELEASE.fullmatch(text):
                return text
        return ""

    def write(self, release: str) -> None:
        """Record the release. A failure only costs a round trip later, so it is ignored."""
        if self.read() == release:
            return
        with contextlib.suppress(OSError, release_cache.CacheError):
            release_cache.private_directory(self._path.parent)
            atomic_files.replace(self._path, release.encode("ascii") + b"\n", durable=False)
