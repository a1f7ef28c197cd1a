# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report of preflight: all findings at once, errors before warnings, by area."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.ivy.cluster.plugins.plugin_utils.common.findings import ERROR, SEVERITIES, WARNING, Finding
from ansible_collections.ivy.cluster.plugins.plugin_utils.common.text import count, sentence
from ansible_collections.ivy.cluster.plugins.plugin_utils.report.document import Document

# The headings of a report in their order: causes before consequences.
AREAS = (
    "Inventory",
    "Options",
    "Secrets",
    "Versions",
    "Acknowledgements",
    "Licence",
    "Archives",
    "Certificates",
    "Shared configuration",
    "Hosts",
    "Memory and disk",
    "Time",
    "Names",
    "Ports",
    "Network",
    "File share",
    "Packages",
)


@dataclasses.dataclass(frozen=True)
class Report:
    """All findings of a run, each once and in the order of the report."""

    cluster: str
    scope: str
    findings: tuple[Finding, ...]

    @property
    def errors(self) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.severity == ERROR)

    @property
    def warnings(self) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.severity == WARNING)

    def summary(self) -> dict[str, t.Any]:
        return {
            "ok": not self.errors,
            "scope": self.scope,
            "counts": {"errors": len(self.errors), "warnings": len(self.warnings)},
        }


def build(cluster: str, scope: str, findings: t.Iterable[Finding], accepted: t.Collection[str] = ()) -> Report:
    """Sort the findings; an error whose code is accepted becomes a warning with a note."""
    unique = {_accept(finding) if finding.code in accepted else finding for finding in findings}
    return Report(cluster, scope, tuple(sorted(unique, key=_order)))


def headline(report: Report) -> str:
    """The report in one sentence."""
    checked = "the inventory" if report.scope == "inventory" else "the inventory and the hosts"
    if not report.findings:
        return f"Preflight of cluster {report.cluster}: no problem found in {checked}."
    parts = [count(len(found), word) for found, word in ((report.errors, ERROR), (report.warnings, WARNING)) if found]
    return f"Preflight of cluster {report.cluster} checked {checked}: {' and '.join(parts)}. Nothing was changed."


def lines(report: Report, head: str = "") -> list[str]:
    """The report for a terminal."""
    found = [head or headline(report)]
    for title, findings in (("Errors", report.errors), ("Warnings", report.warnings)):
        area = None
        for finding in findings:
            if area is None:
                found += ["", title]
            if finding.area != area:
                area = finding.area
                found.append(f"  {area}")
            found.append(f"    - {finding} [{finding.code}]")
    return found


def document(params: t.Mapping[str, t.Any]) -> Document:
    """The report from the parameters of ivy.cluster.report. Findings without code, area or message are errors."""
    for finding in params["findings"]:
        for name in ("code", "area", "message"):
            if not finding[name]:
                raise KeyError(name)
    findings = [Finding.from_dict(finding) for finding in params["findings"]]
    report = build(params["cluster"], params["scope"], findings, params["accept"])
    content = {"findings": [finding.to_dict() for finding in report.findings]}
    return Document("preflight", report.cluster, headline(report), report.summary(), content, lines(report))


def _accept(finding: Finding) -> Finding:
    if finding.severity != ERROR:
        return finding
    fix = f"{sentence(finding.fix)} Accepted by preflight_accept."
    return dataclasses.replace(finding, severity=WARNING, fix=fix)


def _order(finding: Finding) -> tuple[int, int, str, str, str, str]:
    area = AREAS.index(finding.area) if finding.area in AREAS else len(AREAS)
    return SEVERITIES.index(finding.severity), area, finding.area, finding.subject, finding.code, finding.message
