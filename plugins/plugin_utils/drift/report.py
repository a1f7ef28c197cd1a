# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Assembles the drift report from the parameters of ivy.cluster.report."""

from __future__ import annotations

import typing as t

from ansible_collections.ivy.cluster.plugins.plugin_utils.drift import changes, text
from ansible_collections.ivy.cluster.plugins.plugin_utils.report.document import Document


def document(params: t.Mapping[str, t.Any]) -> Document:
    report = changes.build(
        params["cluster"],
        params["engine_version"],
        params["time"],
        params["release"],
        params["release_problem"],
        params["command"],
        {name: result if isinstance(result, dict) else {} for name, result in params["nodes"].items()},
        params["pin"],
        params.get("hot_reload_keys") or (),
        params.get("source"),
    )
    return from_report(report)


def from_report(report: changes.Report) -> Document:
    page = {
        "report": report,
        "titles": text.TITLES,
        "locations": text.LOCATIONS,
        "figures": _figures(report),
        "source_line": text.source_line(report),
        "commit_lines": text.commit_lines(report),
        "state_of": text.state_of,
        "counts": text.counts,
        "remarks": text.remarks,
        "short": text.short,
        "columns": text.columns,
        "cell": text.cell,
        "file_rows": _file_rows,
        "steps": changes.steps,
        "node_step": changes.node_step,
    }
    return Document(
        "drift", report.cluster, text.headline(report), report.summary(), report.to_dict(), text.lines(report), page
    )


def _figures(report: changes.Report) -> list[tuple[str, str, str]]:
    nodes = len(report.nodes)
    inspected, clean = nodes - len(report.not_inspected), len(report.names(changes.CLEAN))
    return [
        (str(len(report.of("drift"))), "local changes", "warn" if report.of("drift") else "good"),
        (str(len(report.of("conflict"))), "conflicts", "bad" if report.of("conflict") else "good"),
        (str(len(report.of("pending"))), "pending changes", "note"),
        (f"{clean} of {nodes}", "nodes clean", "good" if clean == nodes else "ink"),
        (f"{inspected} of {nodes}", "nodes inspected", "good" if inspected == nodes else "bad"),
    ]


def _file_rows(change: changes.Change) -> list[list[str]]:
    return [
        [file.node, file.modified, file.owner, file.mode, "" if file.size is None else str(file.size)]
        for file in change.files
    ]
