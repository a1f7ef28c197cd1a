# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The request of a call, built from a module's parameters, and the options that modules have in common."""

from __future__ import annotations

import contextlib
import hashlib
import os
import typing as t

from ..engine import run_state
from ..files.digest import CHUNK
from ..files.errors import NodeError
from ..files.patterns import check_patterns
from . import encryption, payload
from .view import Settings, settings_from


class Request(t.NamedTuple):
    """One request of the controller to a node."""

    state: str
    release: str
    manifest_digest: str
    settings: Settings
    store: str
    node_files: list[dict[str, t.Any]] | None
    on_drift: str
    keep_releases: int
    keep_backups: int
    check: bool
    diff: bool
    judge: bool
    manifest: bytes | None
    blobs: dict[str, bytes]
    verdicts: dict[str, dict[str, str]]
    key: bytes = b""
    accept_new_key: bool = False
    # The fingerprint of the key whose successor may be accepted.
    previous_key: str = ""
    # The release as its difference from one that the node is believed to have.
    delta: dict[str, t.Any] | None = None
    # The node files as they were before they were last changed.
    previous_node_files: bool = False
    # The node files as the store has recorded them, where it has the contents as well.
    recorded_node_files: dict[str, dict[str, t.Any]] | None = None
    run_directory: str = run_state.RUN_DIRECTORY

    @property
    def sets_node_files(self) -> bool:
        return self.node_files is not None or self.previous_node_files or self.recorded_node_files is not None


# Options of all modules that inspect a node.
COMMON: dict[str, dict[str, t.Any]] = {
    "roots": {
        "type": "dict",
        "required": True,
        "options": {
            "engine": {"type": "path", "required": True},
            "environment": {"type": "path", "default": "/etc/ivy-cluster"},
            "secrets": {"type": "path", "default": "/etc/ivy-cluster/secrets"},
        },
    },
    "store": {"type": "path", "default": "/var/lib/ivy-cluster"},
    "owner": {"type": "str", "default": "ivy"},
    "group": {"type": "str", "default": "ivy"},
    "unit": {"type": "str", "default": "axonivy-engine.service"},
    "ignore": {"type": "list", "elements": "str", "default": []},
}

NODE_FILES: dict[str, t.Any] = {
    "type": "list",
    "elements": "dict",
    "options": {
        "path": {"type": "path", "required": True},
        "content": {"type": "str"},
        "helper": {"type": "bool", "default": False},
        "mode": {"type": "str", "default": "0644"},
        "owner": {"type": "str", "default": "root"},
        "group": {"type": "str", "default": "root"},
        "secret": {"type": "bool", "default": False},
        "restart": {"type": "str", "choices": ["always", "never"]},
    },
}

# Where a module reads the cluster record in the same call.
RECORD: dict[str, t.Any] = {
    "type": "dict",
    "options": {
        "directory": {"type": "path", "required": True},
        "cluster": {"type": "str", "required": True},
        "user": {"type": "str", "default": "ivy"},
        "group": {"type": "str", "default": "ivy"},
    },
}

# Where a module checks in the same call that its run holds the lease.
LEASE: dict[str, t.Any] = {
    "type": "dict",
    "options": {**RECORD["options"], "run_id": {"type": "str", "default": ""}},
}

# Options with which the controller half sends confidential data.
TRANSPORT: dict[str, dict[str, t.Any]] = {
    "payload": {"type": "str", "default": "", "no_log": True},
    "bundle": {"type": "path", "default": ""},
}

# Parts of a result that only the controller may read.
_CONFIDENTIAL = ("have", "questions", "texts", "comparisons", "digests")


def settings(params: t.Mapping[str, t.Any]) -> Settings:
    check_patterns("ignore", params.get("ignore") or ())
    return settings_from(params)


def transported(params: t.Mapping[str, t.Any]) -> tuple[dict[str, t.Any], dict[str, bytes]]:
    """The header and the blobs, sent inline or as a separate file."""
    if not params.get("payload"):
        return {}, {}
    header, blobs = payload.unpack(payload.from_text(params["payload"]))
    if not params.get("bundle"):
        return header, blobs
    try:
        return _unpacked_file(params["bundle"], str(header.get("bundle_digest")))
    finally:
        if header.get("temporary"):
            # The controller made the directory for this file only.
            with contextlib.suppress(OSError):
                os.unlink(params["bundle"])
                os.rmdir(os.path.dirname(params["bundle"]))


def _unpacked_file(path: str, digest: str) -> tuple[dict[str, t.Any], dict[str, bytes]]:
    """The content of a bundle that was sent as a file. Another user may own it, so it is read only once."""
    state = hashlib.sha256()

    def pieces() -> t.Iterator[bytes]:
        while block := stream.read(CHUNK):
            state.update(block)
            yield block

    with open(path, "rb", buffering=0) as stream:
        try:
            return payload.unpack_stream(pieces())
        finally:
            for _rest in pieces():
                pass
            if state.hexdigest() != digest:
                raise NodeError("The bundle was damaged on its way to the node. Nothing was changed; run again.")


def build(params: t.Mapping[str, t.Any], state: str, check: bool, diff: bool) -> Request:
    header, blobs = transported(params)
    manifest = header.get("manifest")
    return Request(
        state=state,
        release=params["release"],
        manifest_digest=str(header.get("manifest_digest") or ""),
        settings=settings(params),
        store=params["store"],
        node_files=header.get("node_files"),
        on_drift=params.get("on_drift") or "overwrite",
        keep_releases=params.get("keep_releases") or 5,
        keep_backups=params.get("keep_backups") or 10,
        check=check,
        # Without a key nobody can decrypt the texts.
        diff=diff and bool(header.get("key")),
        judge=bool(header.get("judge") and header.get("key")),
        manifest=payload.from_text(manifest) if manifest else None,
        blobs=blobs,
        verdicts=header.get("verdicts") or {},
        key=bytes.fromhex(str(header.get("key") or "")),
        accept_new_key=bool(params.get("accept_new_key")),
        previous_key=str(params.get("previous_key") or ""),
        delta=header.get("delta"),
        previous_node_files=bool(params.get("previous_node_files")),
    )


def conceal(result: dict[str, t.Any], key: bytes) -> dict[str, t.Any]:
    """The result with its confidential parts encrypted, or removed if there is no key."""
    shown = {name: value for name, value in result.items() if name not in _CONFIDENTIAL}
    hidden = {name: result[name] for name in _CONFIDENTIAL if name in result}
    if key and hidden:
        shown["encrypted"] = encryption.encrypt(key, hidden)
    return shown
