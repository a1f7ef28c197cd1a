# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report on drift for a terminal, and as Markdown for a ticket or a pull request.

Names and values come from the nodes, where anybody may have put anything: nothing of it may steer a terminal, end a
code span or become markup.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.ivy.cluster.plugins.plugin_utils.common.text import count, listed, plain_text
from ansible_collections.ivy.cluster.plugins.plugin_utils.drift.report import (
    CLEAN,
    FAILED,
    UNREACHABLE,
    Finding,
    Item,
    Node,
    Report,
    Step,
    node_step,
    steps,
)

TITLES = {
    "conflict": "Conflicts: changed on the node and in the source",
    "drift": "Local changes: what somebody changed on a node",
    "pending": "Pending: what the source changes and is not rolled out yet",
}
# Where a file lies, unless it is the engine's directory.
PLACES = {
    "environment": "environment of the unit",
    "secrets": "secret file",
    "node": "file of the node",
    "copy": "copy that the engine works with",
}
_STATES = {CLEAN: "clean", UNREACHABLE: "UNREACHABLE", FAILED: "NOT LOOKED AT"}
_MARKUP = re.compile(r"([\\`*_{}\[\]<>()#+!|~$@&-])")
_BACKTICKS = re.compile(r"`+")
_KEYS_SHOWN = 40


def headline(report: Report) -> str:
    """The whole report in one sentence."""
    parts = []
    for side, one in (("conflict", "conflict"), ("drift", "local change")):
        if report.of(side):
            parts.append(count(len(report.of(side)), one))
    seen = len(report.nodes) - len(report.not_seen)
    if parts:
        nodes = sorted({*report.with_side("drift"), *report.with_side("conflict")})
        text = f"{' and '.join(parts)} on {len(nodes)} of {count(len(report.nodes), 'node')}"
    elif seen:
        text = f"No local change on {count(seen, 'node')}"
    else:
        text = "No node was looked at"
    if report.not_seen and seen:
        text += f"; {listed(report.not_seen)} not looked at"
    if report.of("pending"):
        text += f"; {count(len(report.of('pending')), 'change')} of the source pending"
    if report.pin:
        text += f"; the cluster is pinned to {report.pin}"
    return plain_text(text) + "."


def counts(node: Node) -> list[tuple[str, str]]:
    """How much of what was found on a node."""
    words = {"conflict": "conflict", "drift": "local change", "pending": "pending change"}
    numbers = {side: len(node.result.get(side) or []) for side in words}
    return [(side, count(numbers[side], word)) for side, word in words.items() if numbers[side]]


def state_of(node: Node) -> str:
    return _STATES.get(node.state) or ", ".join(text for _side, text in counts(node))


def remarks(node: Node) -> list[str]:
    """What a person should know of a node beside its findings."""
    if not node.looked_at:
        return [plain_text(node.reason)]
    found = []
    if not node.result.get("applied"):
        found.append("no release was applied to it yet")
    if node.result.get("interrupted"):
        found.append("an activation was cut off here; the next rollout finishes it")
    if node.result.get("restart_required"):
        reasons = [plain_text(reason) for reason in node.result.get("restart_reasons") or []]
        found.append(f"needs a restart: {listed(reasons, 3)}" if reasons else "needs a restart")
    return found


def short(release: t.Any) -> str:
    return plain_text(release)[:12] if release else "none"


def source_line(report: Report) -> str:
    if report.release_problem:
        return "The source could not be built, so this tells only what differs from what was applied: " + "; ".join(
            plain_text(line).strip() for line in report.release_problem.splitlines() if line.strip()
        )
    if report.release:
        return f"Compared with release {short(report.release)} of the source."
    return "Compared with what was applied, not with the source."


def columns(finding: Finding) -> list[tuple[str, str]]:
    """Heading and name of each column of the table of keys."""
    found = [("key", "Key"), ("before", "Applied")]
    if finding.side != "pending":
        found.append(("after", "On the node"))
    if finding.side != "drift":
        found.append(("wanted", "Source"))
    return found


def cell(key: Item, name: str) -> str:
    """One value; a secret that differs looks the same on both sides, so it says that it does."""
    value = key.get(name)
    if value is None:
        return "" if key.get("change") == "unreadable" else "(none)"
    if str(value) == "":
        return "(empty)"
    # Only columns that differ from the applied value are shown, so what looks the same differs below the mask.
    differs = name in ("after", "wanted") and value == key.get("before")
    return plain_text(value) + (" (changed)" if differs else "")


# --- terminal


def terminal(report: Report) -> str:
    lines = [f"Cluster {plain_text(report.cluster)}: {headline(report)}"]
    if report.release_problem:
        lines.append("The source could not be built, so this tells only what differs from what was applied:")
        lines += [f"  {plain_text(line)}" for line in report.release_problem.splitlines()]
    else:
        lines.append(source_line(report))
    lines.append("")
    width = max((len(plain_text(node.name)) for node in report.nodes), default=0)
    for node in report.nodes:
        lines.append(f"  {plain_text(node.name).ljust(width)}  {state_of(node)}")
        lines += [f"  {' ' * width}  - {remark}" for remark in remarks(node)]
    for node in report.nodes:
        if not node.looked_at:
            step = node_step(report, node)
            lines += ["", f"{plain_text(node.name)}: {step.text}", f"  {step.command}"]
    for side, title in TITLES.items():
        findings = report.of(side)
        if not findings:
            continue
        lines += ["", title]
        for finding in findings:
            lines += _terminal_finding(report, finding)
        # The first step is the same for all of a kind; on a screen it is said once.
        lines += ["", *_terminal_step(steps(report, findings[-1])[0], "  ")]
    return "\n".join(line.rstrip() for line in lines)


def _terminal_step(step: Step, indent: str) -> list[str]:
    lines = [f"{indent}-> {plain_text(step.text)}"]
    return [*lines, f"{indent}   {step.command}"] if step.command else lines


def _terminal_finding(report: Report, finding: Finding) -> list[str]:
    place = plain_text(finding.path) + (f" ({PLACES[finding.root]})" if finding.root in PLACES else "")
    lines = ["", f"  {place}", f"    {', '.join(map(plain_text, finding.nodes))}: {_detail(finding)}"]
    lines += [f"      {_key_line(finding, key)}" for key in finding.keys[:_KEYS_SHOWN]]
    if len(finding.keys) > _KEYS_SHOWN:
        lines.append(f"      and {len(finding.keys) - _KEYS_SHOWN} more keys")
    for one in finding.places if finding.side != "pending" else ():
        if one.modified:
            lines.append(f"      {plain_text(one.node)}: {_since(one.owner, one.modified)}")
    for step in steps(report, finding)[1:]:
        lines += _terminal_step(step, "    ")
    return lines


def _since(owner: str, modified: str) -> str:
    return f"written {plain_text(modified)}, owner {plain_text(owner)}"


def _detail(finding: Finding) -> str:
    return finding.what + (f" ({plain_text(finding.detail)})" if finding.detail else "")


def _key_line(finding: Finding, key: Item) -> str:
    if key.get("change") == "unreadable":
        return cell(key, "after")
    values = " -> ".join(cell(key, name) for name, _title in columns(finding)[1:])
    return f"{cell(key, 'key')}: {values}"


# --- Markdown


def escaped(text: str) -> str:
    return _MARKUP.sub(r"\\\1", plain_text(text)).replace("://", "\\://")


def code(text: str) -> str:
    """A code span that its content cannot end, inside a table or not."""
    clean = plain_text(text)
    fence = "`" * (max((len(run) for run in _BACKTICKS.findall(clean)), default=0) + 1)
    pad = " " if clean.startswith("`") or clean.endswith("`") or not clean.strip() else ""
    return f"{fence}{pad}{clean}{pad}{fence}".replace("|", "\\|")


def markdown(report: Report) -> str:
    lines = [
        f"# Configuration drift of {escaped(report.cluster)}",
        "",
        f"**{escaped(headline(report))}**",
        "",
        f"{escaped(report.time)}, engine {escaped(report.engine_version)}. {escaped(source_line(report))}",
        "",
        "| Node | State | Release | Remarks |",
        "|---|---|---|---|",
    ]
    for node in report.nodes:
        release = short(node.result.get("applied")) if node.looked_at else ""
        lines.append(
            f"| {escaped(node.name)} | {escaped(state_of(node))} | {escaped(release)} "
            f"| {escaped('; '.join(remarks(node)))} |"
        )
    for side, title in TITLES.items():
        if report.of(side):
            lines += ["", f"## {title}"]
        for finding in report.of(side):
            lines += _markdown_finding(report, finding)
    for node in report.nodes:
        if not node.looked_at:
            step = node_step(report, node)
            lines += ["", f"**{escaped(node.name)}**: {escaped(step.text)}", "", *_block(step.command)]
    owned = [node for node in report.nodes if node.result.get("engine_owned")]
    if owned:
        lines += ["", "## Kept by the engine itself", ""]
        for node in owned:
            lines.append(f"- {escaped(node.name)}: {', '.join(map(code, node.result['engine_owned']))}")
    return "\n".join(lines) + "\n"


def _markdown_finding(report: Report, finding: Finding) -> list[str]:
    lines = [
        "",
        f"### {code(finding.path)}{f' ({PLACES[finding.root]})' if finding.root in PLACES else ''}",
        "",
        f"{', '.join(f'**{escaped(name)}**' for name in finding.nodes)}: {escaped(_detail(finding))}",
    ]
    readable = [key for key in finding.keys if key.get("change") != "unreadable"]
    lines += [f"\n{escaped(cell(key, 'after'))}" for key in finding.keys if key.get("change") == "unreadable"]
    if readable:
        titles = columns(finding)
        lines += ["", f"| {' | '.join(title for _name, title in titles)} |", f"|{'---|' * len(titles)}"]
        lines += [f"| {' | '.join(code(cell(key, name)) for name, _title in titles)} |" for key in readable]
    if finding.side != "pending" and any(place.modified for place in finding.places):
        lines += ["", "| Node | Written | Owner | Mode | Bytes |", "|---|---|---|---|---|"]
        for place in finding.places:
            size = "" if place.size is None else str(place.size)
            values = (place.node, place.modified, place.owner, place.mode, size)
            lines.append(f"| {' | '.join(escaped(value) for value in values)} |")
    for step in steps(report, finding):
        lines += ["", escaped(step.text)]
        if step.command:
            lines += ["", *_block(step.command)]
    return lines


def _block(command: str) -> list[str]:
    clean = plain_text(command)
    fence = "`" * max(3, max((len(run) for run in _BACKTICKS.findall(clean)), default=0) + 1)
    return [f"{fence}sh", clean, fence]
