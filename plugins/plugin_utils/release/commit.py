# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The commit of a source that is in a git checkout, and whether the source is exactly what that commit contains.

It describes a release and does not belong to it: the same files give the same release, whatever commit they come from.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
import re
import subprocess
import typing as t
from pathlib import Path

from ansible_collections.ivy.cluster.plugins.plugin_utils.common.text import plain_text
from ansible_collections.ivy.cluster.plugins.plugin_utils.release import source as source_tree

SECONDS = 30.0
_HEX = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_BLOCK = 1 << 20
_SHOWN = 12
# The checkout may belong to another user, as in AWX, so its settings must not be able to run a command. The two
# commands below read objects only: no index, no filter, no hook. The protocols are for objects that a partial clone
# would fetch.
_SETTINGS = (
    *("safe.directory=*", "safe.bareRepository=explicit", "core.hooksPath=/dev/null"),
    *("core.fsmonitor=false", "core.useReplaceRefs=false", "protocol.allow=never"),
)
_ENVIRONMENT = {
    "GIT_ALLOW_PROTOCOL": "none",
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
    "LC_ALL": "C",
}


class _NotKnownError(Exception):
    """The commit cannot be found out; the message says why."""


@dataclasses.dataclass(frozen=True)
class Commit:
    """``id`` is empty if there is no commit or it is not known, and then ``problem`` says why."""

    id: str = ""
    clean: bool = False
    problem: str = ""

    def to_dict(self) -> dict[str, t.Any]:
        return {"commit": self.id, "clean": self.clean, "problem": self.problem}


def words(entry: t.Any) -> str:
    """A commit of ``to_dict`` or of the cluster record for a report; empty if there is none."""
    commit = entry.get("commit") if isinstance(entry, dict) else None
    if not isinstance(commit, str) or not commit:
        return ""
    return f"commit {commit[:_SHOWN]}{'' if entry.get('clean') is True else ' and changes that are not committed'}"


def words_of(record: t.Any, release: t.Any) -> str:
    """The commit of a release according to the cluster record; empty if it is not known."""
    sources = record.get("sources") if isinstance(record, dict) else None
    return words(sources.get(str(release))) if isinstance(sources, dict) else ""


def commit_of(root: str | os.PathLike[str], files: t.Sequence[source_tree.SourceFile]) -> Commit:
    """The commit of the source's directory and whether its files are those of the commit. Never an error."""
    base = Path(root)
    try:
        commit = _git(base, "rev-parse", "--verify", "--quiet", "HEAD^{commit}").decode("ascii", "replace").strip()
        if not _HEX.fullmatch(commit):
            raise _NotKnownError("git printed no commit")
        committed = _blobs(_git(base, "ls-tree", "-r", "-z", commit))
    except _NotKnownError as error:
        return Commit(problem=str(error))
    if not any(file.on_disk in committed for file in files):
        return Commit(problem="git tracks no file of the source")
    expected = {path for path in committed if not source_tree.is_left_out(path)}
    clean = expected == {file.on_disk for file in files} and all(
        _is_blob(base / file.on_disk, committed[file.on_disk]) for file in files
    )
    return Commit(commit, clean)


def _git(base: Path, *arguments: str) -> bytes:
    settings = [word for setting in _SETTINGS for word in ("-c", setting)]
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        done = subprocess.run(
            ["git", "--no-pager", *settings, "-C", str(base), *arguments],
            env={**inherited, **_ENVIRONMENT},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise _NotKnownError(f"git did not answer within {SECONDS:.0f} seconds") from None
    except FileNotFoundError:
        raise _NotKnownError("git is not installed on the controller") from None
    except OSError as error:
        raise _NotKnownError(f"git cannot be run ({error.strerror})") from None
    if done.returncode == 0:
        return done.stdout
    reason = done.stderr.decode("utf-8", "replace").strip()
    if "not a git repository" in reason:
        raise _NotKnownError("the source is not in a git checkout")
    first = plain_text((reason.splitlines() or ["there is no commit yet"])[0])
    raise _NotKnownError(f"git failed: {first[:200]}" if reason else first)


def _blobs(listing: bytes) -> dict[str, str]:
    """Path and object id of each file of a listing; a path is relative to the directory of the call."""
    found = {}
    for entry in filter(None, listing.split(b"\0")):
        head, _tab, path = entry.partition(b"\t")
        parts = head.split()
        if len(parts) == 3 and parts[1] == b"blob":
            found[os.fsdecode(path)] = parts[2].decode("ascii", "replace")
    return found


def _is_blob(path: Path, blob: str) -> bool:
    """Whether the file has the content of the object; Git LFS commits a pointer in its place."""
    try:
        size = path.stat().st_size
        content, lfs = _new(blob), hashlib.sha256()
        content.update(b"blob %d\0" % size)
        with path.open("rb") as stream:
            while block := stream.read(_BLOCK):
                content.update(block)
                lfs.update(block)
    except OSError:
        return False
    if content.hexdigest() == blob:
        return True
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{lfs.hexdigest()}\nsize {size}\n".encode("ascii")
    other = _new(blob)
    other.update(b"blob %d\0" % len(pointer) + pointer)
    return other.hexdigest() == blob


def _new(blob: str) -> t.Any:
    return hashlib.sha256() if len(blob) == 64 else hashlib.sha1(usedforsecurity=False)
