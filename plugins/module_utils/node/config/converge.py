# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One call of shared_config on a node: inspect it, decide, and (unless in check mode) stage or activate the release."""

from __future__ import annotations

import os
import typing as t

from ..engine.unit import show
from ..files.atomic import Tree
from ..files.errors import NodeError
from ..files.manifest import Manifest, check_id
from ..files.scan import FILE, NODE, printable
from ..store.store import Store
from . import decision as decisions
from . import payload
from .activate import ATTRIBUTES, CREATE, UPDATE, Action
from .context import Context, open_context
from .decision import FAIL, Decision, content_of
from .describe import action_to_dict, drift_to_dict
from .drift import Findings, Settlement, find_drift, questions, settle
from .node_files import NodeFiles, parse_node_files
from .node_state import Inspection, inspect_node, lacks_contents
from .request import Request
from .staging import Obtained, keep_release, obtain_release
from .transaction import Outcome, activate
from .view import View

STAGED, APPLIED = "staged", "applied"
_LARGEST_DIFF = 256 << 10
_LISTED_FILES = 10

Result = dict[str, t.Any]


def converge(request: Request) -> Result:
    """Stage or apply a release, or predict what that would change."""
    check_id(request.release)
    with Store(request.store) as store:
        if request.check:
            return converge_locked(request, store)
        with store.lock():
            return converge_locked(request, store)


def converge_locked(request: Request, store: Store) -> Result:
    """The same for a caller that holds the lock of the store, or that only predicts."""
    settings = request.settings
    with View(settings, store, must_exist=not request.check) as view:
        context = open_context(request, store, view, show(settings.unit))
        obtained = obtain_release(context)
        release = obtained.release if obtained else None
        node_files = NodeFiles(context.recorded.node_files, {})
        if request.recorded_node_files is not None:
            node_files = NodeFiles(request.recorded_node_files, {})
        elif request.node_files is not None:
            node_files = parse_node_files(request.node_files, must_exist=not request.check)
        elif request.previous_node_files:
            node_files = NodeFiles(context.recorded.previous_node_files or context.recorded.node_files, {})
        inspection = inspect_node(context, release, node_files.records)
        findings = find_drift(context, inspection)
        needs = _needs(context, inspection, findings, release, node_files)
        if obtained is None or needs:
            return {"changed": False, **needs}
        # Not before: a call that ends in a question must not change anything, since only the last one reports it.
        keep_release(context, obtained)
        settlement = settle(context, inspection, findings)
        decision = decisions.decide(context, settlement.inspection, settlement.findings)
        finish = _stage if request.state == STAGED else _apply
        contents = dict(node_files.contents)
        if obtained.received is not None:
            # They were just written to the store and need not be read from it.
            contents.update(request.blobs)
        return finish(context, settlement, decision, obtained, contents)


def _needs(
    context: Context,
    inspection: Inspection,
    findings: Findings,
    release: Manifest | None,
    node_files: NodeFiles,
) -> Result:
    """What the controller must send or answer before the call can go on."""
    needs: Result = {}
    if release is None:
        needs["need_release"] = True
        needs["have"] = ""
        if context.store.tree.exists:
            needs["have"] = payload.digest_list(name for name in context.store.blob_names() if len(name) == 64)
    if lacks_contents(context, inspection, node_files.contents):
        if context.request.previous_node_files:
            raise NodeError("The store does not have the earlier content of every node file. Nothing was changed.")
        needs["need_contents"] = True
    if context.request.judge:
        open_questions = questions(context, inspection, findings)
        if open_questions:
            needs["questions"] = open_questions
    return needs


def _common(
    context: Context, settlement: Settlement, decision: Decision, release: Manifest, running: Result | None
) -> Result:
    findings = settlement.findings
    return {
        "release": release.id,
        "staged": True,
        "drift": [drift_to_dict(drift) for drift in findings.drift],
        "kept": decision.kept,
        "engine_owned": [key.split(":", 1)[-1] for key in findings.engine_owned],
        "warnings": findings.warnings,
        "interrupted": context.interrupted,
        "backup": "",
        "running": running,
        "unit_active": context.unit.running,
    }


def _stage(
    context: Context,
    settlement: Settlement,
    decision: Decision,
    obtained: Obtained,
    contents: dict[str, bytes],
) -> Result:
    """The result of a staged release, with a prediction of its activation."""
    inspection, release = settlement.inspection, obtained.release
    now = decisions.current_run_state(context, inspection)
    after = decisions.run_state_after(context, inspection, decision, release, contents)
    applied = context.recorded.applied.get("release")
    return {
        **_common(context, settlement, decision, release, now.running),
        **_texts(context, inspection, decision, contents),
        "changed": obtained.received is not None,
        "actions": [],
        "applied": {"before": applied, "after": applied},
        "restart_required": now.restart_required,
        "restart_reasons": now.reasons,
        "hot_reload": [],
        "daemon_reload": context.unit.need_reload,
        "activation": {
            "changed": decisions.will_change(context, inspection, decision, release.id),
            "actions": [action_to_dict(action) for action in decision.actions],
            "restart_required": after.restart_required,
            "restart_reasons": after.reasons,
            "hot_reload": decisions.hot_reloads(context, decision, after),
            "daemon_reload": decisions.needs_daemon_reload(context, decision),
        },
    }


def _apply(
    context: Context,
    settlement: Settlement,
    decision: Decision,
    obtained: Obtained,
    contents: dict[str, bytes],
) -> Result:
    """Activate the release, unless in check mode or rejected because of drift."""
    inspection, findings, release = settlement.inspection, settlement.findings, obtained.release
    after = decisions.run_state_after(context, inspection, decision, release, contents)
    result = _common(context, settlement, decision, release, after.running)
    applied = context.recorded.applied.get("release")
    if context.request.on_drift == FAIL and findings.drift:
        return {
            **result,
            "changed": False,
            "failed": True,
            "actions": [],
            "applied": {"before": applied, "after": applied},
            "msg": _drift_message(findings),
        }
    result.update(
        **_texts(context, inspection, decision, contents),
        changed=decisions.will_change(context, inspection, decision, release.id),
        actions=[action_to_dict(action) for action in decision.actions],
        node_files_changed=inspection.node_files != inspection.applied_node_files,
        applied={"before": applied, "after": release.id},
        restart_required=after.restart_required,
        restart_reasons=after.reasons,
        hot_reload=decisions.hot_reloads(context, decision, after),
        daemon_reload=decisions.needs_daemon_reload(context, decision),
    )
    if not context.request.check:
        for accepted in settlement.accepted:
            context.store.accept(accepted.key, accepted.released, accepted.content)
        cut_off = context.store.unreported()
        outcome = activate(context, inspection, findings, decision, release, contents)
        result["backup"] = outcome.backup
        result["warnings"] = [*findings.warnings, *_about_backups(context.store, outcome, cut_off)]
        context.store.mark_reported([*cut_off, *outcome.backups])
    return result


def _about_backups(store: Store, outcome: Outcome, cut_off: t.Iterable[str]) -> list[str]:
    """Backups that the result does not name otherwise."""
    warnings = []
    if outcome.late.paths:
        shown = outcome.late.paths[:_LISTED_FILES]
        shown += [f"{len(outcome.late.paths) - len(shown)} more"] if len(outcome.late.paths) > len(shown) else []
        warnings.append(
            f"These files were replaced by those of the release after a last change, which is kept in "
            f"{', '.join(outcome.late.backups)}: {'; '.join(shown)}."
        )
    if cut_off:
        warnings.append(f"An earlier run was cut off after it had backed up files: {', '.join(cut_off)}.")
    full = store.backups_exceed()
    if full:
        warnings.append(f"A config guard restores nothing for now: {full}.")
    return warnings


def _drift_message(findings: Findings) -> str:
    names = ", ".join(drift.path for drift in findings.drift[:_LISTED_FILES])
    return (
        f"The node differs from what was applied to it, and on_drift is fail: {names}. Nothing was changed. "
        "Inspect the differences (drift), then adopt them into the source or run with on_drift: overwrite."
    )


# --- the controller's diff


def _texts(context: Context, inspection: Inspection, decision: Decision, contents: dict[str, bytes]) -> Result:
    """Contents for the controller's diff. Of files with secrets, only YAML is sent, which is shown by keys."""
    if not context.request.diff:
        return {}
    texts = {}
    for action in decision.actions:
        item = _text(context, inspection, action, contents)
        if item is not None:
            texts[printable(action.key)] = item
    return {"texts": texts}


def _text(context: Context, inspection: Inspection, action: Action, contents: dict[str, bytes]) -> Result | None:
    previous = inspection.before.get(action.key)
    secret = action.secret or (previous is not None and previous.secret)
    yaml = "yaml" in (previous.kind if previous else "", action.target.kind if action.target else "")
    if action.action == ATTRIBUTES or (secret and not yaml):
        return None
    item: Result = {}
    if secret:
        item.update(secret=True, secret_keys=list(inspection.secret_keys.get(action.key, ())))
    if action.found is not None and action.found.kind == FILE and action.found.size <= _LARGEST_DIFF:
        before = _content_before(context, action)
        if before is not None:
            item["before"] = payload.to_text(before)
    if action.target is not None and action.target.origin != "release" and action.action in (CREATE, UPDATE):
        content = content_of(context, contents, action.target)
        if len(content) <= _LARGEST_DIFF:
            item["after"] = payload.to_text(content)
    return item


def _content_before(context: Context, action: Action) -> bytes | None:
    if action.root != NODE:
        read = context.view.trees[action.root].read(action.path, _LARGEST_DIFF)
        return read[0] if read else None
    directory, name = os.path.split(action.path)
    with Tree(directory) as tree:
        read = tree.read(name, _LARGEST_DIFF) if tree.exists else None
        return read[0] if read else None
