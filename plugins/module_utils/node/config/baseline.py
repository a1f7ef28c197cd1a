# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Records the vendor's files, so that extra files can be distinguished from them later."""

from __future__ import annotations

import typing as t

from ..files.digest import sha256
from ..files.errors import NodeError
from ..files.scan import ENGINE_AREAS, FILE, walk
from ..store.store import Store, timestamp
from .view import Settings, View

_BLOB_SIZE = 8 << 20
# Documentation and snippets: worth a digest, not a copy.
_WITHOUT_CONTENT = ("configuration/reference/", "configuration/templates/")


def record_baseline(settings: Settings, store_path: str, version: str, check: bool) -> dict[str, t.Any]:
    """Record the vendor's files of a newly unpacked engine, once for each version."""
    with Store(store_path) as store, View(settings, store, must_exist=False) as view:
        tree = view.trees["engine"]
        if not tree.exists:
            if check:
                return {"changed": True, "files": 0}
            raise NodeError(f"The engine's directory {tree.base} does not exist. Unpack the engine first.")
        walked = walk(tree, ENGINE_AREAS, {})
        files: dict[str, dict[str, t.Any]] = {
            path: {"sha256": one.sha256, "size": one.size, "mode": f"{one.mode:04o}"}
            for path, one in walked.files.items()
            if one.kind == FILE
        }
        known = store.baseline(view.engine_directory, version) if store.tree.exists else None
        used = store.applied().get("engine_directory") == view.engine_directory if store.tree.exists else False
        if known is not None and known.get("engine_version") == version and (used or known.get("files") == files):
            # After an activation, the directory no longer contains only the vendor's files.
            return {"changed": False, "files": len(known.get("files", {}))}
        if used:
            raise NodeError(
                f"A release was applied to {view.engine_directory} already, so its files are not the vendor's "
                "any more. "
                "The baseline must be recorded right after unpacking."
            )
        if check:
            return {"changed": True, "files": len(files)}
        with store.lock():
            present = set(store.blob_names())
            for path, item in sorted(files.items()):
                if path.startswith(_WITHOUT_CONTENT) or item["size"] > _BLOB_SIZE or item["sha256"] in present:
                    continue
                read = tree.read(path, _BLOB_SIZE)
                if read is not None and sha256(read[0]) == item["sha256"]:
                    store.put_blob(str(item["sha256"]), read[0])
                    present.add(str(item["sha256"]))
            store.put_baseline(
                version,
                {
                    "format": 1,
                    "engine_version": version,
                    "engine_directory": view.engine_directory,
                    "time": timestamp(),
                    "files": files,
                },
            )
            store.journal("baseline", version=version, files=len(files))
        return {"changed": True, "files": len(files)}
