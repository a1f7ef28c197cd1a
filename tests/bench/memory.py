# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Prints the peak memory of the controller's part in a first push of a release with one large file.

python tests/bench/memory.py MIB DIRECTORY

It builds the release, writes it to a cache and packs it for a node, whose connection is replaced by a copy of the file
that would be transferred. The directory must be empty. The output is JSON: the peak in KiB, and the size of the file.
"""

from __future__ import annotations

import datetime
import json
import os
import resource
import shutil
import sys
import types
import typing as t
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "collections"))

from ansible_collections.ivy.cluster.plugins.plugin_utils.node import session
from ansible_collections.ivy.cluster.plugins.plugin_utils.release import build, cache, source

BLOCK = 1 << 20


class Host:
    """What of an action plugin the session needs. The node lacks everything and takes everything."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._task = types.SimpleNamespace(check_mode=False, diff=False)
        self._templar = types.SimpleNamespace(template=lambda value: value)
        self._connection = types.SimpleNamespace(
            _shell=types.SimpleNamespace(join_path=lambda *parts: "/".join(parts)),
            is_pipelining_enabled=lambda _wrap_async: False,
        )
        self.calls = 0

    def _execute_module(self, **_kwargs: t.Any) -> dict[str, t.Any]:
        self.calls += 1
        return {"changed": False, "need_release": True} if self.calls == 1 else {"changed": True, "staged": True}

    def _make_tmp_path(self) -> str:
        return str(self.directory)

    def _remove_tmp_path(self, tmp_path: str) -> None:
        pass

    def _transfer_file(self, local_path: str, remote_path: str) -> str:
        # In blocks, as scp and sftp read it in a process of their own.
        shutil.copyfile(local_path, remote_path)
        return remote_path

    def _fixup_perms2(self, remote_paths: list[str], *, execute: bool) -> None:
        pass

    def _low_level_execute_command(self, cmd: str, *, in_data: bytes | None = None) -> dict[str, t.Any]:
        raise AssertionError(cmd)


def write_large(path: Path, mebibytes: int) -> None:
    """Bytes that compression makes about a quarter smaller, other ones in each block."""
    path.parent.mkdir(parents=True)
    block = os.urandom(BLOCK - (BLOCK >> 2)) + b"x" * (BLOCK >> 2)
    with path.open("wb") as stream:
        for number in range(mebibytes):
            stream.write(number.to_bytes(8, "big") + block[8:])


def push(directory: Path, mebibytes: int) -> int:
    """The size of what would be transferred."""
    write_large(directory / "source" / "dropins" / "large.jar", mebibytes)
    read = source.read_source(directory / "source", large_on_disk=True)
    built = build.build_release(
        build.ReleaseInput(
            source=read,
            topology={},
            shared={},
            secret={},
            nodes=("bench01",),
            cluster="bench",
            engine_version="11.3.0",
            profile={},
            cluster_key="a key for measurements, not a secret",
            today=datetime.datetime.now(datetime.timezone.utc).date(),
        )
    )
    cache.write_release(directory / "cache", built.manifest, built.blobs, built.large_files)
    args = {"release": built.id, "cache": str(directory / "cache")}
    remote = directory / "remote"
    remote.mkdir()
    result = session.SharedConfigCall(Host(remote), args, {}).run()
    if not result.get("changed"):
        sys.exit(f"The push failed: {result}")
    sent = remote / "bundle"
    return sent.stat().st_size if sent.exists() else 0


def main() -> None:
    mebibytes, directory = int(sys.argv[1]), Path(sys.argv[2])
    sent = push(directory, mebibytes)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps({"peak": peak, "sent": sent}))


if __name__ == "__main__":
    main()
