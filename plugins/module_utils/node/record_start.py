# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs before the engine, as root, from the unit's ExecStartPre: fences a stale node, records what the engine reads."""

from __future__ import annotations

import os
import sys

from . import accounts, fence, record, run_state
from .errors import NodeError
from .store import Store, read_json_file
from .unit import show
from .view import View, settings_from

SETTINGS = "/etc/ivy-cluster/node.json"


def prepare(settings_path: str = SETTINGS, run_directory: str = run_state.RUN_DIRECTORY) -> str:
    """Record the start; returns why the node must not start, empty when it may."""
    node = read_json_file(settings_path)
    if node is None:
        return f"{settings_path} is missing or damaged. Run: ansible-playbook site.yml --limit this node"
    name = str(node.get("node", ""))
    with Store(str(node.get("store") or "/var/lib/ivy-cluster")) as store:
        applied = store.applied()
        if store.intent():
            return (
                "An activation was cut off on this node, so its files are not one whole release. "
                f"Run: ansible-playbook site.yml --limit {name or 'this node'}"
            )
        release = applied.get("release")
        uid = accounts.uid_of(str(node.get("user") or "ivy"))
        gid = accounts.gid_of(str(node.get("group") or "ivy"))
        if node.get("record_directory"):
            desired = record.read(str(node["record_directory"]), uid, gid)
            reason = fence.refusal(release, desired, str(node.get("cluster", "")), name)
            if reason:
                return reason
        elif not release:
            return fence.refusal(None, None, "", name)
        settings = settings_from(applied.get("settings") or {})
        unit = show(settings.unit or str(node.get("unit") or ""))
        with View(settings, store) as view:
            manifest = view.applied_manifest(applied)
            baseline = store.baseline(view.engine_directory, manifest.engine_version if manifest else "")
            nodes = dict(applied.get("node_files") or {})
            matches = applied.get("engine_directory") == view.engine_directory
            expected = view.expected(manifest, store.accepted(), baseline, nodes, matches)
            scene = view.look((expected,), unit)
            now = view.present(scene.files, expected, manifest, view.java_home(node))
            modified = [
                want.path
                for key, want in expected.items()
                if want.origin != "baseline" and now.files.get(key) not in want.digests
            ]
            run_state.write(run_state.record(now, modified, unit, os.environ.get("INVOCATION_ID", "")), run_directory)
    return ""


def main() -> int:
    try:
        reason = prepare()
    except (NodeError, OSError) as exc:
        reason = str(exc)
    if reason:
        sys.stderr.write(f"ivy-cluster: the engine is not started. {reason}\n")
        return 1
    return 0
