# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Renders the contract as a table, and compares an existing table with the suite."""

from __future__ import annotations

import typing as t

from assumptions import Assumption

Report = t.Mapping[str, t.Any]

BEGIN, END = "<!-- contract: begin -->", "<!-- contract: end -->"
STATIC = ("Area", "The collection relies on", "What is known of a real engine")
REAL = "A real archive"
ABSENT = "-"
HOLDS, SEEN, FAILS, NEEDS = "holds", "seen", "fails", "needs"


def result(assumption: Assumption, report: Report) -> str:
    """One cell: the outcome and the observations. Durations are in the report file only."""
    if not assumption.holds_for(report["version"]):
        return ABSENT
    found = report["results"].get(assumption.name)
    if found is None:
        return "not run"
    if found["outcome"] == NEEDS:
        return f"needs {found['message']}"
    seen = "; ".join(found["seen"])
    if found["outcome"] == FAILS:
        words = [f"**fails**: {first_line(found['message'])}", seen]
    elif found["outcome"] == SEEN:
        words = [f"seen: {seen or found['message'] or 'as written'}"]
    else:
        words = [f"holds: {seen}" if seen else HOLDS]
    return "; ".join(word for word in words if word)


def first_line(text: str) -> str:
    return text.strip().splitlines()[0] if text.strip() else "no reason given"


def static_cells(assumption: Assumption) -> list[str]:
    """The cells of a row that do not depend on a run."""
    known = f"{assumption.fact} (**{assumption.certainty}**" + (
        f"; {assumption.source})" if assumption.source != "-" else ")"
    )
    versions = ""
    if assumption.since or assumption.before:
        bounds = [f"from {assumption.since}"] if assumption.since else []
        bounds += [f"before {assumption.before}"] if assumption.before else []
        versions = f" ({' and '.join(bounds)})"
    return [assumption.area, f"{assumption.text}{versions} `{assumption.name}`", known]


def row(cells: t.Sequence[str]) -> str:
    return "| " + " | ".join(" ".join(cell.replace("|", "\\|").split()) for cell in cells) + " |"


def ordered(assumptions: t.Iterable[Assumption]) -> list[Assumption]:
    """Grouped by area, in the order of first appearance."""
    every = list(assumptions)
    areas = list(dict.fromkeys(assumption.area for assumption in every))
    return sorted(every, key=lambda assumption: areas.index(assumption.area))


def table(assumptions: t.Iterable[Assumption], reports: t.Sequence[Report], empty: str = "") -> str:
    """The contract. `empty` is the head of a last column without results."""
    last = [empty] if empty else []
    heads = [*STATIC, *(head(report) for report in reports), *last]
    lines = [row(heads), row(["---"] * len(heads))]
    for assumption in ordered(assumptions):
        cells = [result(assumption, report) for report in reports]
        lines.append(row([*static_cells(assumption), *cells, *([""] if empty else [])]))
    return "\n".join(lines) + "\n"


def head(report: Report) -> str:
    return f"{'Stand-in' if report['stand_in'] else 'Engine'} {report['version']}"


def put(document: str, content: str) -> str:
    """The document with the new table between its markers."""
    before, rest = document.split(BEGIN, maxsplit=1)
    after = rest.split(END, maxsplit=1)[1]
    return f"{before}{BEGIN}\n{content}{END}{after}"


def rows(document: str) -> list[list[str]]:
    """The cells of the document's table, without the header."""
    between = document.split(BEGIN, maxsplit=1)[1].split(END, maxsplit=1)[0]
    lines = [line for line in between.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[2:]]


def misfits(assumptions: t.Iterable[Assumption], document: str) -> list[str]:
    """Differences between the document's table and the suite."""
    expected = [row(static_cells(assumption)) for assumption in ordered(assumptions)]
    actual = [row(cells[: len(STATIC)]).replace("\\\\|", "\\|") for cells in rows(document)]
    found = [f"missing from the table: {line}" for line in expected if line not in actual]
    found += [f"not in the suite: {line}" for line in actual if line not in expected]
    return found or (["the rows are in a different order"] if expected != actual else [])


def failures(report: Report) -> list[str]:
    """Failed tests, and for a stand-in also those that lack something, since it has everything that a test may need."""
    return [
        f"{head(report)}: {name}: {found['message']}"
        for name, found in report["results"].items()
        if found["outcome"] == FAILS or (found["outcome"] == NEEDS and report["stand_in"])
    ]


def counts(report: Report) -> str:
    outcomes = [found["outcome"] for found in report["results"].values()]
    words = [
        f"{outcomes.count(word)} {text}"
        for word, text in ((HOLDS, "hold"), (SEEN, "observed"), (FAILS, "fail"), (NEEDS, "lack something"))
        if word in outcomes
    ]
    return f"{head(report)}: {', '.join(words) or 'no results'}"


def to_send(assumptions: t.Iterable[Assumption], report: Report) -> str:
    """The report that a person with a real archive sends in."""
    host = report["host"]
    lines = [
        f"# Contract of {head(report)}\n",
        f"- archive: {report['archive']}",
        *(f"- {name}: {value}" for name, value in host.items()),
        f"- {counts(report)}\n",
        table(assumptions, [report]),
        "Seconds measured:\n",
    ]
    for name, found in report["results"].items():
        lines += [f"- `{name}`: {what} {seconds}" for what, seconds in found["measured"].items()]
    return "\n".join(lines) + "\n"
