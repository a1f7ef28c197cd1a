# Copyright: the ivy.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report of verify, from the facts of one run."""

from __future__ import annotations

import collections
import typing as t

from ansible_collections.ivy.cluster.plugins.plugin_utils.common.text import listed
from ansible_collections.ivy.cluster.plugins.plugin_utils.node.snapshot import Snapshot, snapshot_from
from ansible_collections.ivy.cluster.plugins.plugin_utils.report.document import Document
from ansible_collections.ivy.cluster.plugins.plugin_utils.verify.checks.results import TITLES, Row, Status, failures
from ansible_collections.ivy.cluster.plugins.plugin_utils.verify.evaluate import evaluate

_MARKS = {Status.PASSED: "✓", Status.FAILED: "✗", Status.SKIPPED: "-"}


def document(params: t.Mapping[str, t.Any]) -> Document:
    """The report from the facts that the role verify gathers."""
    return from_facts(snapshot_from(params))


def from_facts(facts: Snapshot) -> Document:
    rows = evaluate(facts)
    findings = [row.finding for row in failures(rows) if row.finding]
    numbers = collections.Counter(row.status for row in rows)
    summary = {
        "ok": not findings,
        "counts": {"checks": len(rows), **{status.value: numbers[status] for status in Status}},
        "failed": failed_checks(rows),
    }
    content = {
        "engine_version": facts.engine_version,
        "accept_unsupported": list(facts.accept_unsupported),
        "rows": [row.to_dict() for row in rows],
        "findings": [finding.to_dict() for finding in findings],
    }
    return Document(
        "verify", facts.cluster, headline(facts, rows), summary, content, lines(facts, rows), {"titles": TITLES}
    )


def failed_checks(rows: t.Iterable[Row]) -> list[str]:
    """One line for each check that failed, with its hosts."""
    wrong = failures(rows)
    return [
        f"{title}: {listed(row.subject for row in wrong if row.check == check)}"
        for check, title in TITLES.items()
        if any(row.check == check for row in wrong)
    ]


def headline(facts: Snapshot, rows: t.Sequence[Row]) -> str:
    """The report in one sentence."""
    numbers = collections.Counter(row.status for row in rows)
    text = f"Cluster {facts.cluster}: {numbers[Status.PASSED]} of {len(rows) - numbers[Status.SKIPPED]} checks passed"
    if numbers[Status.FAILED]:
        text += f", {numbers[Status.FAILED]} failed"
    if numbers[Status.SKIPPED]:
        text += f", {numbers[Status.SKIPPED]} skipped"
    return f"{text}."


def lines(facts: Snapshot, rows: t.Sequence[Row]) -> list[str]:
    """The rows under the titles of their checks, each failed row with its fix."""
    width = max((len(row.subject) for row in rows), default=0)
    found = [f"Cluster {facts.cluster}, engine {facts.engine_version}"]
    for check, title in TITLES.items():
        of_check = [row for row in rows if row.check == check]
        if of_check:
            found += ["", title]
        for row in of_check:
            found.append(f"  {_MARKS[row.status]} {row.subject.ljust(width)}  {row.message}")
            if row.fix:
                found.append(f"    {' ' * width}  -> {row.fix}")
    found += ["", headline(facts, rows)]
    if facts.accept_unsupported:
        found.append(f"Accepted although the vendor does not support it: {', '.join(facts.accept_unsupported)}")
    return found
