# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report on drift as one page of HTML that needs nothing but itself: no script, no font, no picture."""

from __future__ import annotations

import html
import typing as t

from ansible_collections.ivy.cluster.plugins.plugin_utils.common.text import plain_text
from ansible_collections.ivy.cluster.plugins.plugin_utils.drift.report import (
    CLEAN,
    Finding,
    Item,
    Node,
    Report,
    Step,
    node_step,
    steps,
)
from ansible_collections.ivy.cluster.plugins.plugin_utils.drift.text import (
    PLACES,
    TITLES,
    cell,
    columns,
    counts,
    headline,
    remarks,
    short,
    source_line,
    state_of,
)

# Should anything of a node ever get past the escaping, a browser still loads and runs nothing.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"

_STYLE = """
:root { color-scheme: light dark; --page: #f4f5f7; --card: #fff; --ink: #1c2430; --soft: #5b6676; --line: #d9dee6;
  --code: #eef1f5; --bad: #b3261e; --bad-soft: #fdeceb; --warn: #8a5200; --warn-soft: #fff3df; --good: #1a6b3c;
  --good-soft: #e6f4ec; --note: #1f5a99; --note-soft: #e8f1fb; }
@media (prefers-color-scheme: dark) { :root { --page: #14181e; --card: #1d232b; --ink: #e6eaf0; --soft: #9aa6b6;
  --line: #333c48; --code: #262e38; --bad: #ff9d94; --bad-soft: #43211f; --warn: #f5c06a; --warn-soft: #3d2f16;
  --good: #7fd6a2; --good-soft: #1b3627; --note: #8fc1f7; --note-soft: #1c3049; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 16px/1.5 system-ui, "Segoe UI", Roboto,
  "Helvetica Neue", Arial, sans-serif; }
main { max-width: 60rem; margin: 0 auto; padding: 2rem 1.25rem 4rem; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0 0 .25rem; }
h2 { font-size: 1.15rem; margin: 2.5rem 0 .75rem; }
h3 { font-size: 1rem; margin: 0; overflow-wrap: anywhere; }
p { margin: .5rem 0; }
code, pre, .mono { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, "Liberation Mono", monospace;
  font-size: .875em; }
pre { background: var(--code); border-radius: .375rem; padding: .6rem .75rem; margin: .35rem 0 0; white-space: pre-wrap;
  overflow-wrap: anywhere; }
.soft { color: var(--soft); }
.overline { color: var(--soft); font-size: .8rem; letter-spacing: .06em; text-transform: uppercase; margin: 0 0 .4rem; }
.notice { border-left: .25rem solid var(--warn); background: var(--warn-soft); border-radius: .375rem;
  padding: .6rem .9rem; margin: 1rem 0; overflow-wrap: anywhere; white-space: pre-line; }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(8.5rem, 1fr)); gap: .75rem; margin: 1.5rem 0; }
.figure { background: var(--card); border: 1px solid var(--line); border-radius: .6rem; padding: .75rem .9rem; }
.figure strong { display: block; font-size: 1.75rem; line-height: 1.2; font-variant-numeric: tabular-nums; }
.figure span { color: var(--soft); font-size: .875rem; }
.card { background: var(--card); border: 1px solid var(--line); border-left: .3rem solid var(--line);
  border-radius: .6rem; padding: 1rem 1.1rem; margin: 0 0 1rem; break-inside: avoid; }
.card.drift { border-left-color: var(--warn); } .card.conflict { border-left-color: var(--bad); }
.card.pending { border-left-color: var(--note); } .card.away { border-left-color: var(--bad); }
.head { display: flex; flex-wrap: wrap; gap: .5rem; align-items: baseline; justify-content: space-between; }
.chip { display: inline-block; border-radius: 1rem; padding: .05rem .6rem; font-size: .8rem; white-space: nowrap;
  border: 1px solid var(--line); margin: 0 .25rem .25rem 0; }
.good { color: var(--good); background: var(--good-soft); border-color: transparent; }
.warn { color: var(--warn); background: var(--warn-soft); border-color: transparent; }
.bad { color: var(--bad); background: var(--bad-soft); border-color: transparent; }
.note { color: var(--note); background: var(--note-soft); border-color: transparent; }
.scroll { overflow-x: auto; margin: .75rem 0; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; }
th { text-align: left; color: var(--soft); font-weight: 600; font-size: .8rem; }
th, td { padding: .35rem .75rem .35rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
tbody tr:last-child td { border-bottom: 0; }
td { overflow-wrap: break-word; } td.mono { white-space: pre-wrap; } td.value { overflow-wrap: anywhere; }
td.short { white-space: nowrap; }
.none { color: var(--soft); font-style: italic; }
.now { background: var(--warn-soft); border-radius: .25rem; padding: 0 .25rem; }
.next { border-top: 1px solid var(--line); margin-top: .75rem; padding-top: .5rem; }
.next p { margin: .5rem 0 0; }
summary { cursor: pointer; } details { margin: 1rem 0; }
footer { margin-top: 3rem; color: var(--soft); font-size: .85rem; }
@media print { body { background: #fff; font-size: 10.5pt; } main { max-width: none; padding: 0; }
  .card, .figure { border-color: #bbb; } details > * { display: block; } }
"""

_CLASSES = {"conflict": "bad", "drift": "warn", "pending": "note"}
_HINTS = {
    "conflict": "Both sides changed the same thing to different values. Somebody has to choose.",
    "drift": "It stands on these nodes only, and in no source. The next rollout puts it right.",
    "pending": "Nothing is wrong with it.",
}


def _safe(value: t.Any) -> str:
    return html.escape(plain_text(value), quote=True)


def _chip(text: str, kind: str = "") -> str:
    return f'<span class="chip {kind}">{_safe(text)}</span>'


def _lines(text: str) -> str:
    return "\n".join(_safe(line) for line in text.splitlines())


def render(report: Report) -> str:
    title = f"Configuration drift of {report.cluster}"
    parts = [
        "<!DOCTYPE html>",
        '<html lang="en">',
        "<head>",
        '<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<meta name="referrer" content="no-referrer">',
        f"<title>{_safe(title)}</title>",
        f"<style>{_STYLE}</style>",
        "</head>",
        "<body>",
        "<main>",
        *_head(report),
        *_nodes(report),
        *_away(report),
    ]
    for side in TITLES:
        parts += _side(report, side)
    parts += _owned(report)
    parts += [
        f"<footer>Made by ivy.cluster at {_safe(report.time)}. Values of secrets are not in this page.</footer>",
        "</main>",
        "</body>",
        "</html>",
    ]
    return "\n".join(parts) + "\n"


def _head(report: Report) -> list[str]:
    source = (
        f'<div class="notice"><strong>The source could not be built.</strong> This tells only what differs from what '
        f"was applied.\n{_lines(report.release_problem)}</div>"
        if report.release_problem
        else f'<p class="soft">{_safe(source_line(report))}</p>'
    )
    seen = sum(1 for node in report.nodes if node.looked_at)
    clean = len(report.names(CLEAN))
    figures = [
        (str(len(report.of("drift"))), "local changes", "warn" if report.of("drift") else "good"),
        (str(len(report.of("conflict"))), "conflicts", "bad" if report.of("conflict") else "good"),
        (str(len(report.of("pending"))), "pending changes", "note"),
        (f"{clean} of {len(report.nodes)}", "nodes as they should be", "good" if clean == len(report.nodes) else "ink"),
        (f"{seen} of {len(report.nodes)}", "nodes looked at", "good" if seen == len(report.nodes) else "bad"),
    ]
    return [
        f'<p class="overline">Cluster {_safe(report.cluster)} · engine {_safe(report.engine_version)} · '
        f"{_safe(report.time)}</p>",
        f"<h1>{_safe(headline(report))}</h1>",
        source,
        '<div class="figures">',
        *(
            f'<div class="figure"><strong style="color: var(--{colour})">{number}</strong><span>{label}</span></div>'
            for number, label, colour in figures
        ),
        "</div>",
    ]


def _nodes(report: Report) -> list[str]:
    lines = [
        "<h2>Nodes</h2>",
        '<div class="card"><div class="scroll"><table>',
        "<thead><tr><th>Node</th><th>State</th><th>Applied release</th><th>Since</th><th>Remarks</th></tr></thead>",
        "<tbody>",
    ]
    for node in report.nodes:
        release = short(node.result.get("applied")) if node.looked_at else ""
        since = node.result.get("applied_time") or ""
        lines.append(
            f'<tr><td class="short">{_safe(node.name)}</td><td>{_state(node)}</td>'
            f'<td class="mono short">{_safe(release)}</td><td class="short">{_safe(since)}</td>'
            f"<td>{_safe('; '.join(remarks(node)) if node.looked_at else '')}</td></tr>"
        )
    lines.append("</tbody></table></div></div>")
    if len(report.releases) > 1:
        lines.append('<div class="notice">The nodes do not all have the same release.</div>')
    return lines


def _state(node: Node) -> str:
    if node.state == CLEAN:
        return _chip("as it should be", "good")
    if not node.looked_at:
        return _chip(state_of(node).lower(), "bad")
    return "".join(_chip(text, _CLASSES[side]) for side, text in counts(node))


def _away(report: Report) -> list[str]:
    away = [node for node in report.nodes if not node.looked_at]
    lines = ["<h2>Not looked at</h2>"] if away else []
    for node in away:
        lines += [
            '<section class="card away">',
            f'<div class="head"><h3>{_safe(node.name)}</h3>{_chip(state_of(node).lower(), "bad")}</div>',
            *(f"<p>{_safe(remark)}</p>" for remark in remarks(node)),
            *_next([node_step(report, node)]),
            "</section>",
        ]
    return lines


def _side(report: Report, side: str) -> list[str]:
    findings = report.of(side)
    if not findings:
        return []
    return [
        f"<h2>{TITLES[side]}</h2>",
        f'<p class="soft">{_HINTS[side]}</p>',
        *(line for finding in findings for line in _card(report, finding)),
    ]


def _card(report: Report, finding: Finding) -> list[str]:
    kind = _CLASSES[finding.side]
    return [
        f'<section class="card {finding.side}">',
        f'<div class="head"><h3 class="mono">{_safe(finding.path)}</h3><span>{_chip(finding.what, kind)}'
        f"{_chip(PLACES[finding.root]) if finding.root in PLACES else ''}"
        f"{_chip('holds a secret') if finding.secret else ''}</span></div>",
        f'<p>{"".join(_chip(name) for name in finding.nodes)}<span class="soft">{_safe(finding.detail)}</span></p>',
        *_keys(finding),
        *_places(finding),
        *_next(steps(report, finding)),
        "</section>",
    ]


def _keys(finding: Finding) -> list[str]:
    unreadable = [key for key in finding.keys if key.get("change") == "unreadable"]
    readable = [key for key in finding.keys if key.get("change") != "unreadable"]
    lines = [f'<p class="soft">{_safe(cell(key, "after"))}</p>' for key in unreadable]
    if not readable:
        return lines
    titles = columns(finding)
    heads = "".join(f"<th>{title}</th>" for _name, title in titles)
    lines += [f'<div class="scroll"><table><thead><tr>{heads}</tr></thead>', "<tbody>"]
    for key in readable:
        cells = "".join(
            f'<td class="mono{"" if name == "key" else " value"}">{_value(key, name)}</td>' for name, _title in titles
        )
        lines.append(f"<tr>{cells}</tr>")
    return [*lines, "</tbody></table></div>"]


def _value(key: Item, name: str) -> str:
    text = _safe(cell(key, name))
    if name != "key" and (key.get(name) is None or str(key[name]) == ""):
        return f'<span class="none">{text}</span>'
    return f'<span class="now">{text}</span>' if name == "after" else text


def _places(finding: Finding) -> list[str]:
    if finding.side == "pending" or not any(place.modified for place in finding.places):
        return []
    rows = [
        f"<tr><td>{_safe(place.node)}</td><td>{_safe(place.modified)}</td><td>{_safe(place.owner)}</td>"
        f'<td class="mono">{_safe(place.mode)}</td><td>{_safe("" if place.size is None else place.size)}</td></tr>'
        for place in finding.places
    ]
    return [
        '<div class="scroll"><table><thead><tr><th>Node</th><th>Written</th><th>Owner</th><th>Mode</th><th>Bytes</th>'
        "</tr></thead><tbody>",
        *rows,
        "</tbody></table></div>",
    ]


def _next(todo: t.Iterable[Step]) -> list[str]:
    lines = ['<div class="next"><p class="overline">What to do next</p>']
    for step in todo:
        command = f"<pre>{_safe(step.command)}</pre>" if step.command else ""
        lines.append(f"<p>{_safe(step.text)}</p>{command}")
    return [*lines, "</div>"]


def _owned(report: Report) -> list[str]:
    owned = [node for node in report.nodes if node.result.get("engine_owned")]
    if not owned:
        return []
    lines = [
        "<h2>Kept by the engine itself</h2>",
        '<p class="soft">Applications that were deployed or created there, and what the engine makes for itself. They '
        "are never put right, and no drift.</p>",
        '<div class="card"><div class="scroll"><table><thead><tr><th>Node</th><th>Files</th></tr></thead><tbody>',
    ]
    for node in owned:
        files = "<br>".join(_safe(path) for path in node.result["engine_owned"])
        lines.append(f'<tr><td>{_safe(node.name)}</td><td class="mono">{files}</td></tr>')
    return [*lines, "</tbody></table></div></div>"]
