# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The text of the drift report: headline, states and remarks in words, and the form for a terminal."""

from __future__ import annotations

import typing as t

from ansible_collections.ivy.cluster.plugins.plugin_utils.common.text import count, listed, plain_text
from ansible_collections.ivy.cluster.plugins.plugin_utils.drift.changes import (
    CLEAN,
    FAILED,
    UNREACHABLE,
    Change,
    Item,
    Node,
    Report,
    Step,
    node_step,
    steps,
)

TITLES = {
    "conflict": "Conflicts: changed on the node and in the source",
    "drift": "Local changes: changed on a node, not in the source",
    "pending": "Pending changes: in the source, not rolled out yet",
}
# The location of a file outside the engine's directory.
LOCATIONS = {
    "environment": "environment of the unit",
    "secrets": "secret file",
    "node": "node file",
    "copy": "working copy of the engine",
}
_STATES = {CLEAN: "clean", UNREACHABLE: "UNREACHABLE", FAILED: "NOT INSPECTED"}
_KEYS_SHOWN = 40


def headline(report: Report) -> str:
    """The report in one sentence."""
    parts = []
    for side, noun in (("conflict", "conflict"), ("drift", "local change")):
        if report.of(side):
            parts.append(count(len(report.of(side)), noun))
    inspected = len(report.nodes) - len(report.not_inspected)
    if parts:
        nodes = sorted({*report.with_side("drift"), *report.with_side("conflict")})
        text = f"{' and '.join(parts)} on {len(nodes)} of {count(len(report.nodes), 'node')}"
    elif inspected:
        text = f"No local change on {count(inspected, 'node')}"
    else:
        text = "No node was inspected"
    if report.not_inspected and inspected:
        text += f"; {listed(report.not_inspected)} not inspected"
    if report.of("pending"):
        text += f"; {count(len(report.of('pending')), 'pending change')} in the source"
    if report.pin:
        text += f"; the cluster is pinned to {report.pin}"
    return plain_text(text) + "."


def counts(node: Node) -> list[tuple[str, str]]:
    """The number of changes of each side on a node, in words."""
    nouns = {"conflict": "conflict", "drift": "local change", "pending": "pending change"}
    numbers = {side: len(node.result.get(side) or []) for side in nouns}
    return [(side, count(numbers[side], noun)) for side, noun in nouns.items() if numbers[side]]


def state_of(node: Node) -> str:
    return _STATES.get(node.state) or ", ".join(text for _side, text in counts(node))


def remarks(node: Node) -> list[str]:
    """Notes on a node beside its changes."""
    if not node.inspected:
        return [plain_text(node.reason)]
    found = []
    if not node.result.get("applied"):
        found.append("no release is applied yet")
    if node.result.get("interrupted"):
        found.append("an activation was interrupted; the next rollout completes it")
    if node.result.get("restart_required"):
        reasons = [plain_text(reason) for reason in node.result.get("restart_reasons") or []]
        found.append(f"needs a restart: {listed(reasons, 3)}" if reasons else "needs a restart")
    return found


def short(release: t.Any) -> str:
    return plain_text(release)[:12] if release else "none"


def source_line(report: Report) -> str:
    """The release that the nodes were compared with."""
    if report.release:
        commit = f" ({report.source})" if report.source else ""
        return f"Compared with release {short(report.release)} of the source{commit}."
    return "Compared with the applied release, not with the source."


def commit_lines(report: Report) -> list[str]:
    """The commits of the applied releases."""
    return [f"Applied release {short(release)}: {words}." for release, words in report.commits.items()]


def columns(change: Change) -> list[tuple[str, str]]:
    """Name and heading of each column of the table of keys."""
    found = [("key", "Key"), ("before", "Applied")]
    if change.side != "pending":
        found.append(("after", "On the node"))
    if change.side != "drift":
        found.append(("wanted", "Source"))
    return found


def cell(key: Item, name: str) -> str:
    """One value. A masked secret looks the same on both sides, so a changed one is marked."""
    value = key.get(name)
    if value is None:
        return "" if key.get("change") == "unreadable" else "(none)"
    if str(value) == "":
        return "(empty)"
    # Only columns that differ from the applied value are shown, so equal texts are masked values that differ.
    differs = name in ("after", "wanted") and value == key.get("before")
    return plain_text(value) + (" (changed)" if differs else "")


def lines(report: Report) -> list[str]:
    """The report for a terminal."""
    found = [f"Cluster {report.cluster}: {headline(report)}"]
    if report.release_problem:
        found.append("The source could not be built; this report covers only differences from the applied release:")
        found += [f"  {line}" for line in report.release_problem.splitlines()]
    else:
        found.append(source_line(report))
    found += commit_lines(report)
    found.append("")
    width = max((len(plain_text(node.name)) for node in report.nodes), default=0)
    for node in report.nodes:
        found.append(f"  {plain_text(node.name).ljust(width)}  {state_of(node)}")
        found += [f"  {' ' * width}  - {remark}" for remark in remarks(node)]
    for node in report.nodes:
        if not node.inspected:
            step = node_step(report, node)
            found += ["", f"{node.name}: {step.text}", f"  {step.command}"]
    for side, title in TITLES.items():
        changes = report.of(side)
        if not changes:
            continue
        found += ["", title]
        for change in changes:
            found += _change_lines(report, change)
        # The first step is the same for every change of a side, so the terminal shows it once.
        found += ["", *_step_lines(steps(report, changes[-1])[0], "  ")]
    return found


def _change_lines(report: Report, change: Change) -> list[str]:
    location = f" ({LOCATIONS[change.root]})" if change.root in LOCATIONS else ""
    detail = f" ({change.detail})" if change.detail else ""
    found = ["", f"  {change.path}{location}", f"    {', '.join(change.nodes)}: {change.what}{detail}"]
    found += [f"      {key_line(change, key)}" for key in change.keys[:_KEYS_SHOWN]]
    if len(change.keys) > _KEYS_SHOWN:
        found.append(f"      and {len(change.keys) - _KEYS_SHOWN} more keys")
    for file in change.files if change.side != "pending" else ():
        if file.modified:
            found.append(f"      {file.node}: written {file.modified}, owner {file.owner}")
    for step in steps(report, change)[1:]:
        found += _step_lines(step, "    ")
    return found


def _step_lines(step: Step, indent: str) -> list[str]:
    return [f"{indent}-> {step.text}", *([f"{indent}   {step.command}"] if step.command else [])]


def key_line(change: Change, key: Item) -> str:
    if key.get("change") == "unreadable":
        return cell(key, "after")
    values = " -> ".join(cell(key, name) for name, _title in columns(change)[1:])
    return f"{cell(key, 'key')}: {values}"
