# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One call of shared_config on a node: look, decide, and (unless only asked) act."""

from __future__ import annotations

import os
import typing as t

from ..engine.unit import show
from ..files.atomic import Tree
from ..files.manifest import Manifest, check_id
from ..files.scan import FILE, NODE, printable
from ..store.store import Store
from . import payload
from .activate import ATTRIBUTES, CREATE, UPDATE
from .run import FAIL, Request, Run, describe, describe_action, node_file_records
from .view import View

STAGED, APPLIED = "staged", "applied"
_DIFF_SIZE = 256 << 10


def _texts(run: Run) -> dict[str, dict[str, t.Any]]:
    """Old content for the controller's diff, of files that may be shown: of those with a secret YAML only, by keys."""
    out: dict[str, dict[str, t.Any]] = {}
    for one in run.actions:
        was = run.before.get(one.key)
        secret = one.secret or (was is not None and was.secret)
        yaml = "yaml" in (was.kind if was else "", one.target.kind if one.target else "")
        if one.action == ATTRIBUTES or (secret and not yaml):
            continue
        item: dict[str, t.Any] = {}
        if secret:
            item.update(secret=True, secret_keys=list(run.secret_keys.get(one.key, ())))
        if one.found is not None and one.found.kind == FILE and one.found.size <= _DIFF_SIZE:
            place = None
            if one.root == NODE:
                head, name = os.path.split(one.path)
                place = _read_absolute(head, name)
            else:
                read = run.view.trees[one.root].read(one.path)
                place = read[0] if read else None
            if place is not None:
                item["before"] = payload.to_text(place)
        if one.target is not None and one.target.origin != "release" and one.action in (CREATE, UPDATE):
            content = run.content(one.target)
            if len(content) <= _DIFF_SIZE:
                item["after"] = payload.to_text(content)
        out[printable(one.key)] = item
    return out


def _read_absolute(head: str, name: str) -> bytes | None:
    tree = Tree(head)
    try:
        read = tree.read(name) if tree.exists else None
        return read[0] if read else None
    finally:
        tree.close()


def _work(request: Request, store: Store) -> dict[str, t.Any]:
    settings = request.settings
    unit = show(settings.unit) if settings.unit else show("")
    with View(settings, store, must_exist=not request.check) as view:
        run = Run(request, store, view, unit)
        wanted = run.release()
        listed = request.node_files
        records: dict[str, dict[str, t.Any]] = dict(run.applied.get("node_files") or {})
        contents: dict[str, bytes] = {}
        if listed is not None:
            records, contents = node_file_records(listed, must_exist=not request.check)
        run.observe(wanted, records)
        run.drift()
        answer: dict[str, t.Any] = {"changed": False}
        if wanted is None:
            answer["need_release"] = True
            answer["have"] = (
                payload.digest_list(name for name in store.blob_names() if len(name) == 64) if store.tree.exists else ""
            )
        if run.lacking(records, contents):
            answer["need_contents"] = True
        if request.judge:
            asked = run.questions()
            if asked:
                answer["questions"] = asked
        if wanted is None or len(answer) > 1:
            return answer
        remembered = run.settle()
        run.make_plan(contents)
        return _finish(run, wanted, records, contents, remembered)


def _finish(
    run: Run,
    wanted: Manifest,
    records: dict[str, dict[str, t.Any]],
    contents: dict[str, bytes],
    remembered: list[tuple[str, str, bytes]],
) -> dict[str, t.Any]:
    request = run.request
    staging = request.state == STAGED
    after = run.verdict(wanted, run.after_files, run.target, records, run.java_home(contents))
    now = after
    if staging:
        nodes = run.applied_nodes
        now = run.verdict(run.applied_manifest, run.scene.files, run.before, nodes, run.view.java_home())
    changes = run.will_change(wanted.id)
    actions = [describe_action(one) for one in run.actions]
    result: dict[str, t.Any] = {
        "release": wanted.id,
        "staged": True,
        "drift": [describe(one) for one in run.findings],
        "kept": run.kept,
        "engine_owned": [key.split(":", 1)[-1] for key in run.engine_owned],
        "warnings": run.warnings,
        "interrupted": bool(run.intent),
        "backup": "",
        "running": now.running,
        "unit_active": run.unit.running,
    }
    refused = request.on_drift == FAIL and bool(run.findings)
    if refused and not staging:
        names = ", ".join(one.path for one in run.findings[:10])
        result.update(
            changed=False,
            failed=True,
            actions=[],
            applied={"before": run.applied.get("release"), "after": run.applied.get("release")},
            msg=f"The node differs from what was applied to it, and on_drift is fail: {names}. Nothing was changed. "
            "Check the differences (drift), then adopt them or run with on_drift: overwrite.",
        )
        return result
    if request.diff:
        result["texts"] = _texts(run)
    before = run.applied.get("release")
    if staging:
        result.update(
            actions=[],
            applied={"before": before, "after": before},
            restart_required=now.restart_required,
            restart_reasons=now.reasons,
            hot_reload=[],
            daemon_reload=run.unit.need_reload,
            activation={
                "changed": changes,
                "actions": actions,
                "restart_required": after.restart_required,
                "restart_reasons": after.reasons,
                "hot_reload": run.hot(after),
                "daemon_reload": run.daemon_reload(),
            },
        )
        result["changed"] = request.manifest is not None
        return result
    result.update(
        actions=actions,
        applied={"before": before, "after": wanted.id},
        restart_required=after.restart_required,
        restart_reasons=after.reasons,
        hot_reload=run.hot(after),
        daemon_reload=run.daemon_reload(),
    )
    result["changed"] = changes
    if not request.check:
        for key, released, content in remembered:
            run.store.accept(key, released, content)
        result["backup"] = run.act(wanted)
    return result


def converge(request: Request) -> dict[str, t.Any]:
    """Stage or apply a release, or say what doing so would change."""
    check_id(request.release)
    with Store(request.store) as store:
        if request.check:
            return _work(request, store)
        with store.lock():
            return _work(request, store)
