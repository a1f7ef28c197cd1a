# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Places an artefact in the engine's deploy directory once, and reads the result of its deployment.

The engine watches that directory and renames deployed files. So a file must appear there by a rename, and the store
records what was placed.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import time
import typing as t

from ..files import last_lines
from ..files.atomic import Tree, discard_at, lstat_at, prepare_at, temporary_name, write_at
from ..files.digest import sha256
from ..files.errors import NodeError
from ..masking.text import masked_lines
from ..store.store import Store, timestamp

DEPLOYED, FAILED, WAITING, ABSENT = "deployed", "failed", "waiting", "absent"
_MARKERS = (".deployed", ".notDeployed", ".deploymentLog", ".deploymentError")
# Files of the artefact that is in use, which keep this ending while another one of its name is deployed. The engine
# reads no such name.
_IN_USE = (".deployed", ".deploymentLog", ".options.yaml")
_BEFORE = "Before"
_POLL = 0.5
_BLOCK = 1 << 20
_LOG_BYTES = 16384


class Artefact(t.NamedTuple):
    """An artefact and its place in the deploy directory."""

    source: str
    name: str
    deploy_directory: str
    options: bytes | None
    uid: int
    gid: int
    # Digest of the source, if the caller knows it.
    sha256: str = ""

    @property
    def key(self) -> str:
        return os.path.join(self.deploy_directory, self.name)


def check_name(name: str) -> None:
    base = os.path.basename(name)
    parts = name.split("/")
    if len(parts) > 4 or any(part in ("", ".", "..") for part in parts) or not base.endswith((".zip", ".iar")):
        raise NodeError(
            f"{name!r} is not the name of an artefact. Use a name such as demo.zip, or app/project.iar for a "
            "directory of an application."
        )


def digest_of(path: str) -> str:
    state = hashlib.sha256()
    try:
        with open(path, "rb") as stream:
            while True:
                block = stream.read(_BLOCK)
                if not block:
                    return state.hexdigest()
                state.update(block)
    except FileNotFoundError as exc:
        raise NodeError(f"The artefact {path} is not on this host. Copy it there first.") from exc


def marker(tree: Tree, artefact: Artefact) -> str:
    """The state of the artefact, as the engine reported it."""
    place = tree.open_parent(artefact.name)
    if place is None:
        return ABSENT
    directory, name = place
    try:
        there = {suffix: lstat_at(directory, name + suffix) is not None for suffix in ("", *_MARKERS)}
    finally:
        os.close(directory)
    if there[""]:
        return WAITING
    if there[".notDeployed"] or there[".deploymentError"]:
        return FAILED
    return DEPLOYED if there[".deployed"] else ABSENT


def log_of(tree: Tree, artefact: Artefact) -> list[str]:
    lines: list[str] = []
    for suffix in (".deploymentError", ".deploymentLog"):
        with contextlib.suppress(NodeError, OSError):
            end = tree.read_end(artefact.name + suffix, _LOG_BYTES)
            if end is not None:
                lines.extend(last_lines.of_end(end, _LOG_BYTES)[-30:])
    return masked_lines(lines)


def is_placed(store: Store, tree: Tree, artefact: Artefact, digest: str) -> bool:
    """Whether exactly this artefact, with these options, was placed and has not failed."""
    known = store.applications().get(artefact.key) if store.tree.exists else None
    if not known or known.get("sha256") != digest:
        return False
    options = sha256(artefact.options) if artefact.options is not None else None
    return known.get("options") == options and marker(tree, artefact) in (DEPLOYED, WAITING)


def _blocks(source: str) -> t.Iterator[bytes]:
    with open(source, "rb") as stream:
        while True:
            block = stream.read(_BLOCK)
            if not block:
                return
            yield block


def _in_use(store: Store, tree: Tree, artefact: Artefact) -> dict[str, t.Any] | None:
    """What is known of the artefact that the engine uses under this name."""
    known = store.applications().get(artefact.key)
    if not known:
        return None
    if marker(tree, artefact) != DEPLOYED:
        earlier = known.get("earlier")
        return earlier if isinstance(earlier, dict) else None
    return {name: known.get(name) for name in ("sha256", "options", "time")}


def _rename(directory: int, name: str, old: str, new: str) -> None:
    """Give the files of the artefact that is in use another ending."""
    for suffix in _IN_USE:
        with contextlib.suppress(FileNotFoundError):
            os.rename(name + suffix + old, name + suffix + new, src_dir_fd=directory, dst_dir_fd=directory)


def put(store: Store, tree: Tree, artefact: Artefact, digest: str) -> None:
    """Place the artefact. It is written beside the watched directory and renamed into it."""
    earlier = _in_use(store, tree, artefact)
    head, _name = os.path.split(artefact.deploy_directory)
    beside = Tree(head)
    directory, name = tree.make_parent(artefact.name, 0o750, artefact.uid, artefact.gid)
    temporary = temporary_name(artefact.key)
    try:
        if marker(tree, artefact) == DEPLOYED:
            _rename(directory, name, "", _BEFORE)
        for suffix in ("", *_MARKERS):
            discard_at(directory, name + suffix)
        if artefact.options is None:
            discard_at(directory, f"{name}.options.yaml")
        else:
            write_at(directory, f"{name}.options.yaml", artefact.options, 0o640, artefact.uid, artefact.gid)
        prepare_at(beside.fd, artefact.key, _blocks(artefact.source), 0o640, artefact.uid, artefact.gid)
        try:
            os.rename(temporary, name, src_dir_fd=beside.fd, dst_dir_fd=directory)
        except OSError as exc:
            discard_at(beside.fd, temporary)
            if exc.errno == errno.EXDEV:
                raise NodeError(
                    f"{artefact.deploy_directory} is a file system of its own, so an artefact cannot be moved "
                    "into it as a "
                    "whole. Mount the directory above it instead."
                ) from exc
            raise
        os.fsync(directory)
    finally:
        os.close(directory)
        beside.close()
    options = sha256(artefact.options) if artefact.options is not None else None
    entry: dict[str, t.Any] = {"sha256": digest, "options": options, "time": timestamp()}
    store.put_application(artefact.key, entry if earlier is None else {**entry, "earlier": earlier})
    store.journal("placed", artefact=artefact.key)


def withdraw(store: Store, tree: Tree, artefact: Artefact) -> None:
    """Remove an artefact whose deployment failed, with its files. The one that was in use before is known again."""
    earlier = (store.applications().get(artefact.key) or {}).get("earlier")
    place = tree.open_parent(artefact.name)
    if place is None:
        return
    directory, name = place
    try:
        for suffix in ("", ".options.yaml", *_MARKERS):
            discard_at(directory, name + suffix)
        _rename(directory, name, _BEFORE, "")
        os.fsync(directory)
    finally:
        os.close(directory)
    kept = marker(tree, artefact) == DEPLOYED and isinstance(earlier, dict)
    store.put_application(artefact.key, earlier if kept else None)
    store.journal("withdrawn", artefact=artefact.key)


def settle(store: Store, tree: Tree, artefact: Artefact) -> None:
    """The artefact is in use, so the one before is not needed any more."""
    known = store.applications().get(artefact.key) or {}
    place = tree.open_parent(artefact.name)
    if place is None:
        return
    directory, name = place
    try:
        for suffix in _IN_USE:
            discard_at(directory, name + suffix + _BEFORE)
    finally:
        os.close(directory)
    if "earlier" in known:
        store.put_application(artefact.key, {name: known.get(name) for name in ("sha256", "options", "time")})


def await_marker(tree: Tree, artefact: Artefact, seconds: float) -> tuple[str, float]:
    """Wait until the engine has reported a result. Returns it and the seconds that it took."""
    start = time.monotonic()
    while True:
        state = marker(tree, artefact)
        waited = time.monotonic() - start
        if state in (DEPLOYED, FAILED) or waited >= seconds:
            return state, waited
        time.sleep(_POLL)
