# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import hashlib
import random
import tracemalloc
import typing as t
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.ivy.cluster.plugins.module_utils.node.config import payload, request
from ansible_collections.ivy.cluster.plugins.module_utils.node.files.errors import NodeError


def bundle_of(contents: t.Iterable[bytes]) -> tuple[dict[str, bytes], bytes]:
    blobs = {hashlib.sha256(content).hexdigest(): content for content in contents}
    return blobs, payload.pack({"a": 1}, blobs)


@given(st.lists(st.binary(max_size=50), max_size=5), st.integers(1, 40))
def test_the_size_of_the_pieces_does_not_matter(contents: list[bytes], size: int) -> None:
    blobs, bundle = bundle_of(contents)
    pieces = [bundle[start : start + size] for start in range(0, len(bundle), size)]
    assert payload.unpack_stream(pieces) == ({"a": 1}, blobs)


@given(st.lists(st.binary(max_size=50), max_size=3), st.data())
def test_a_bundle_that_is_cut_or_longer_is_refused(contents: list[bytes], data: st.DataObject) -> None:
    _blobs, bundle = bundle_of(contents)
    end = data.draw(st.integers(0, len(bundle) - 1))
    for damaged in (
        (bundle[:end],),
        (bundle, b"x"),
        (bundle + b"x",),
        (zlib.compress(zlib.decompress(bundle) + b"x"),),
    ):
        with pytest.raises(NodeError, match="is damaged"):
            payload.unpack_stream(damaged)


def test_a_bundle_in_a_file_is_in_memory_only_once(tmp_path: Path) -> None:
    content = random.Random(1).randbytes(16 << 20)
    _blobs, bundle = bundle_of([content])
    (tmp_path / "bundle").write_bytes(bundle)
    announced = payload.pack({"bundle_digest": hashlib.sha256(bundle).hexdigest()}, {})
    size, params = len(content), {"payload": payload.to_text(announced), "bundle": str(tmp_path / "bundle")}
    del content, bundle, _blobs
    tracemalloc.start()
    try:
        _header, blobs = request.transported(params)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert [len(blob) for blob in blobs.values()] == [size]
    # The blocks of one content are joined, so there are two copies for a moment; never the packed form as well.
    assert peak < 2.4 * size


def test_a_temporary_bundle_is_removed_even_if_it_is_damaged(tmp_path: Path) -> None:
    place = tmp_path / "ivy-cluster-0" / "bundle"
    place.parent.mkdir()
    place.write_bytes(b"damaged")
    announced = payload.pack({"bundle_digest": "0" * 64, "temporary": True}, {})
    with pytest.raises(NodeError, match="damaged on its way"):
        request.transported({"payload": payload.to_text(announced), "bundle": str(place)})
    assert list(tmp_path.iterdir()) == []
