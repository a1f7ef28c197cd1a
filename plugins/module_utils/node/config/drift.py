# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Step 3: find drift, and take out of it the YAML that differs in bytes but not in meaning.

Only the controller can compare YAML by meaning. The node asks it (questions) and gets verdicts with the next call.
"""

from __future__ import annotations

import typing as t

from ..files.digest import sha256
from ..files.scan import FILE, Drift, attribute_problem, printable
from . import payload
from .context import Context
from .node_state import Inspection, read_expected
from .running_copy import COPY

SAME, REWRITING = "same", "rewriting"
_LARGEST_COMPARED = 4 << 20


class Findings(t.NamedTuple):
    """The drift of a node, and the files that the engine itself maintains."""

    drift: list[Drift]
    engine_owned: list[str]
    warnings: list[str]


class Accepted(t.NamedTuple):
    """A content that means the same as the released one."""

    key: str
    released: str
    content: bytes


class Settlement(t.NamedTuple):
    """The result of applying the controller's verdicts."""

    inspection: Inspection
    findings: Findings
    accepted: list[Accepted]


def find_drift(context: Context, inspection: Inspection, stopped: bool = False) -> Findings:
    """Differences from what was applied, without those that this or an interrupted activation explains.

    Changes in a running engine's copy count; with stopped, they count whether or not the engine runs.
    """
    view = context.view
    known = {*inspection.before, *inspection.target, *inspection.planned}
    known.update(view.alias(key) for key in list(known))
    paths = [
        expected.path
        for group in (inspection.before, inspection.target)
        for expected in group.values()
        if expected.root == "engine"
    ]
    found = view.assess(inspection.scene, inspection.before, known, paths, inspection.baseline is not None)
    drift = [item for item in found.drift if not _is_explained(context, inspection, item)]
    if context.unit.running or stopped:
        drift.extend(inspection.copy.drift())
    return Findings(drift, [printable(key) for key in found.engine_owned], found.warnings)


def _is_explained(context: Context, inspection: Inspection, drift: Drift) -> bool:
    key = drift.key
    target, planned = inspection.target.get(key), inspection.planned.get(key)
    if drift.kind == "missing":
        return (target is None and key not in inspection.planned) or (context.interrupted and planned is None)
    if drift.kind in ("modified", "attributes") and drift.found is not None and drift.found.kind == FILE:
        content = drift.found.sha256
        if drift.kind == "modified":
            return any(expected is not None and content in expected.digests for expected in (target, planned))
        return context.interrupted or (target is not None and not attribute_problem(target, drift.found))
    return False


def questions(context: Context, inspection: Inspection, findings: Findings) -> list[dict[str, t.Any]]:
    """Modified YAML files without a verdict on their current content."""
    open_questions = []
    for drift in findings.drift:
        verdict = context.request.verdicts.get(drift.key)
        if drift.kind != "modified" or (
            verdict is not None and drift.found is not None and verdict.get("digest") == drift.found.sha256
        ):
            continue
        texts = yaml_texts(context, inspection, drift.key)
        if texts is not None:
            open_questions.append(texts)
    return open_questions


def yaml_texts(context: Context, inspection: Inspection, key: str) -> dict[str, t.Any] | None:
    """The texts that the controller needs to compare an applied YAML file by key; None if they are not available.

    They include the text that was accepted last, since a later change starts from that text.
    """
    expected, found = inspection.known(key)
    if expected is None or expected.kind != "yaml" or found is None or found.kind != FILE:
        return None
    if found.size > _LARGEST_COMPARED:
        return None
    actual = read_expected(context, inspection, expected, _LARGEST_COMPARED)
    # Without the applied text there is nothing to compare with, so the bytes decide.
    applied = context.store.blob_if_sound(expected.digests[0])
    if actual is None or applied is None:
        return None
    in_copy = expected.root == COPY
    texts = {
        "key": key,
        "digest": found.sha256,
        "applied": payload.to_text(applied),
        "actual": payload.to_text(actual[0]),
        "secret": expected.secret,
        "secret_keys": list(inspection.secret_keys.get(f"engine:{expected.path}" if in_copy else key, ())),
    }
    if len(expected.digests) > 1 and not in_copy:
        texts["accepted"] = payload.to_text(context.store.blob(expected.digests[-1]))
    return texts


def settle(
    context: Context, inspection: Inspection, findings: Findings, good_verdicts: t.Sequence[str] = (SAME,)
) -> Settlement:
    """Apply the controller's verdicts: a file that means the same is no longer a finding."""
    accepted: list[Accepted] = []
    remaining: list[Drift] = []
    for drift in findings.drift:
        content = _accepted_content(context, inspection, drift, good_verdicts)
        if content is None:
            remaining.append(drift)
            continue
        accepted.append(content)
        inspection = inspection.with_accepted(drift.key, sha256(content.content))
    return Settlement(inspection, findings._replace(drift=remaining), accepted)


def _accepted_content(
    context: Context, inspection: Inspection, drift: Drift, good_verdicts: t.Sequence[str]
) -> Accepted | None:
    """The content that a good verdict is about, if it is still on disk."""
    verdict = context.request.verdicts.get(drift.key) or {}
    # In its copy, the engine encrypts values again at each start.
    good = verdict.get("verdict") in (*good_verdicts, REWRITING if drift.root == COPY else SAME)
    expected = inspection.known(drift.key)[0]
    if not good or expected is None or drift.found is None or verdict.get("digest") != drift.found.sha256:
        return None
    read = read_expected(context, inspection, expected, _LARGEST_COMPARED)
    if read is None or sha256(read[0]) != drift.found.sha256:
        return None
    return Accepted(drift.key, expected.digests[0], read[0])
