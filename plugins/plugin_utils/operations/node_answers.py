# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The shapes of what nodes answer about their releases and the cluster record, for reports and rollbacks."""

from __future__ import annotations

import typing as t

from ansible_collections.ivy.cluster.plugins.plugin_utils.common import answers

_LEASE = dict.fromkeys(("run_id", "owner", "operation", "started", "renewed", "step", "node"), str)
_TEXTS = {
    "pin?": {"release?": str, "reason?": str, "owner?": str, "time?": str},
    "operation?": {"name?": str, "owner?": str, "since?": str, "step?": str, "backup?": str},
}
RECORD = {
    "desired_release?": str,
    "previous_release?": str,
    "lease?": _LEASE,
    "drained?": [str],
    "passed?": {"*": str},
    "removed?": {"*": str},
    "history?": [{"*": (str, int, float)}],
    "sources?": {"*": {"commit": str, "clean": bool}},
    "durations?": [{"kind": str, "node": str, "seconds": int}],
    "drained_nodes?": {"*": {"since": str, "owner": str, "reason": str, "stopped": bool}},
    "restarts?": {"since": str, "owner": str, "nodes": [str]},
    "schema?": {"backup?": str, "migrating?": {"backup?": str}},
    "deploying?": {"since": str, "owner": str, "applications": {"*": str}},
    **_TEXTS,
}
RELEASES = {"applied?": str, "releases?": [{"id": str, "staged?": str, "engine_version?": str, "complete?": bool}]}
_SHAPES: dict[str, answers.Shape] = {"record": {"record?": RECORD}, "releases": RELEASES}


def problem(value: t.Any, kind: str) -> str:
    """Why the answer of a node cannot be used, "record" or "releases"; empty if it can."""
    try:
        answers.check(value, _SHAPES[kind])
    except answers.AnswerError as error:
        return f"its answer cannot be used: {error}"
    return ""
