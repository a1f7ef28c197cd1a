# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What preflight finds, and how it is told: everything at once, grouped, errors before warnings."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.ivy.cluster.plugins.plugin_utils.common.table import count
from ansible_collections.ivy.cluster.plugins.plugin_utils.drift.report import plain_text

ERROR = "error"
WARNING = "warning"
SEVERITIES = (ERROR, WARNING)

# The headings of a report, in their order; what an area stands for comes before what follows from it.
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
class Finding:
    """One thing that is wrong: ``where`` names hosts, an option or a file, ``code`` the kind, which never changes."""

    code: str
    area: str
    where: str
    problem: str
    advice: str
    severity: str = ERROR
    # What each host said, where that differs while all the rest is equal.
    details: tuple[tuple[str, str], ...] = ()

    def to_dict(self) -> dict[str, t.Any]:
        found = {field.name: getattr(self, field.name) for field in dataclasses.fields(self) if field.name != "details"}
        return {**found, "details": dict(self.details)} if self.details else found

    @classmethod
    def from_dict(cls, given: t.Mapping[str, t.Any]) -> Finding:
        """What a task handed on; a severity that is none counts as an error, so that nothing is lost."""
        names = [field.name for field in dataclasses.fields(cls) if field.name != "details"]
        texts = {name: str(given.get(name, "")) for name in names}
        if texts["severity"] not in SEVERITIES:
            texts["severity"] = ERROR
        details = given.get("details") or {}
        return cls(**texts, details=tuple((str(host), str(said)) for host, said in details.items()))

    @property
    def example(self) -> str:
        """What the hosts said, once: in full where it is the same, else what the first of them said."""
        said = dict.fromkeys(text for _host, text in self.details)
        if len(said) > 1:
            return f" ({self.details[0][0]}: {self.details[0][1]})"
        return f" ({next(iter(said))})" if said else ""

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        return plain_text(
            " ".join(f"{place}{_sentence(f'{self.problem}{self.example}')} {_sentence(self.advice)}".split())
        )


@dataclasses.dataclass(frozen=True)
class Report:
    """All findings of a run, each once and in the order in which they are told."""

    cluster: str
    scope: str
    findings: tuple[Finding, ...]

    @property
    def errors(self) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.severity == ERROR)

    @property
    def warnings(self) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.severity == WARNING)

    def to_dict(self) -> dict[str, t.Any]:
        return {
            "format": 1,
            "cluster": self.cluster,
            "scope": self.scope,
            "ok": not self.errors,
            "errors": len(self.errors),
            "warnings": len(self.warnings),
            "findings": [finding.to_dict() for finding in self.findings],
        }


def build(cluster: str, scope: str, findings: t.Iterable[Finding], accepted: t.Collection[str] = ()) -> Report:
    """Put the findings in order; an error whose code is accepted becomes a warning that says so."""
    told = {_accept(finding) if finding.code in accepted else finding for finding in findings}
    return Report(cluster, scope, tuple(sorted(told, key=_order)))


def headline(report: Report) -> str:
    """The report in one sentence."""
    checked = "the inventory" if report.scope == "inventory" else "the inventory and the hosts"
    if not report.findings:
        return f"Preflight of cluster {report.cluster}: nothing is wrong with {checked}."
    parts = [count(len(found), word) for found, word in ((report.errors, ERROR), (report.warnings, WARNING)) if found]
    return f"Preflight of cluster {report.cluster} looked at {checked}: {' and '.join(parts)}. Nothing was changed."


def text(report: Report, head: str = "") -> str:
    """The report for a terminal."""
    lines = [head or headline(report)]
    for title, findings in (("Errors", report.errors), ("Warnings", report.warnings)):
        area = None
        for finding in findings:
            if area is None:
                lines += ["", title]
            if finding.area != area:
                area = finding.area
                lines.append(f"  {plain_text(area)}")
            lines.append(f"    - {finding} [{plain_text(finding.code)}]")
    return "\n".join(lines)


def _accept(finding: Finding) -> Finding:
    if finding.severity != ERROR:
        return finding
    advice = f"{_sentence(finding.advice)} Accepted by preflight_accept."
    return dataclasses.replace(finding, severity=WARNING, advice=advice)


def _order(finding: Finding) -> tuple[int, int, str, str, str, str]:
    area = AREAS.index(finding.area) if finding.area in AREAS else len(AREAS)
    return SEVERITIES.index(finding.severity), area, finding.area, finding.where, finding.code, finding.problem


def _sentence(words: str) -> str:
    words = words.strip()
    return words if not words or words.endswith((".", "!", "?")) else f"{words}."
