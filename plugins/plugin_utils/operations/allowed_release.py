# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the load balancers may use a node: only with a release that the cluster record allows.

The fence asks at the start of an engine. An engine that kept running while its node was away was not asked since.
"""

from __future__ import annotations

import typing as t

from ansible_collections.ivy.cluster.plugins.module_utils.node.cluster import database_restore, fence
from ansible_collections.ivy.cluster.plugins.plugin_utils.common.commands import command, completing
from ansible_collections.ivy.cluster.plugins.plugin_utils.common.text import plain_text, sentence
from ansible_collections.ivy.cluster.plugins.plugin_utils.operations.point_in_time import moment


def problem(found: t.Mapping[str, t.Any], node: str, cluster: str, now: float | None = None) -> str:
    """Why no balancer may use the node, and what to run; empty if they may.

    ``found`` is the result of engine_info with the cluster record.
    """
    record = found.get("record")
    if record is None:
        why = found.get("record_problem") or found.get("msg") or "There is no cluster record."
        return f"Whether the cluster record allows the release of {node} is not known. {sentence(plain_text(why))}"
    running = (found.get("engine") or {}).get("running") or {}
    # With local changes at its start, it runs that release and more.
    release = running.get("release") or running.get("started_release")
    if not release:
        return f"Which release runs on {node} is not known, so no balancer may use it. {_advice(record, node)}"
    reason = fence.refusal(release, record, cluster, node, now)
    if not reason:
        return _outdated(record, node, str(running.get("started") or ""))
    desired = record.get("desired_release")
    if desired in (None, release):
        return f"No balancer may use {node}. {reason}"
    return (
        f"{node} runs release {plain_text(release)}, and the cluster record wants {plain_text(desired)}, so no "
        f"balancer may use it. {_advice(record, node)}"
    )


def _outdated(record: t.Mapping[str, t.Any], node: str, started: str) -> str:
    """An engine that was left out, and has run since before the database went back, remembers what is gone."""
    begun = restored = ""
    for entry in record.get("history") or []:
        if entry.get("operation") == database_restore.OPERATION:
            begun = str(entry.get("time") or "")
        elif entry.get("operation") == database_restore.RESTORED:
            # Between the two no engine starts. An operation that was taken over has no beginning in the history.
            restored = max(begun, str(entry.get("since") or ""))
    before, at = moment(started), moment(restored)
    if before is None or at is None or before >= at:
        return ""
    return (
        f"The engine of {node} has run since {plain_text(started)}, and the database was restored after that, at "
        f"{plain_text(restored)} or later, so no balancer may use it. Run: "
        f"{command('restart', '-e', f'restart_nodes={node}', '-e', 'restart_force=true')}"
    )


def _advice(record: t.Mapping[str, t.Any], node: str) -> str:
    operation = record.get("operation") or {}
    if operation:
        return f"Run: {completing(str(operation.get('name')))}"
    if record.get("pin"):
        # A rollout of another release than the pinned one is refused.
        return f"Run: {command('undrain', '-e', f'undrain_nodes={node}')}"
    return f"Run: {command('rollout')}"
