# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A problem that a check found, in the form that release building, preflight and verify share."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.ivy.cluster.plugins.plugin_utils.common.text import count, plain_text, sentence

ERROR = "error"
WARNING = "warning"
SEVERITIES = (ERROR, WARNING)


@dataclasses.dataclass(frozen=True)
class Finding:
    """One problem. ``code`` is its kind and stays the same from version to version."""

    code: str
    # The heading under which a report lists it.
    area: str
    # The hosts, the option or the file that it is about.
    subject: str
    message: str
    fix: str
    severity: str = ERROR
    # By host, what the host reported, where that differs and everything else is equal.
    details: tuple[tuple[str, str], ...] = ()
    file: str = ""
    line: int = 0

    @classmethod
    def in_file(cls, file: str, line: int, message: str, fix: str) -> Finding:
        """A problem of the release; no file means the inventory, line 0 the entire file."""
        subject = f"{file}:{line}" if line else file
        return cls("release", "Shared configuration", subject, message, fix, file=file, line=line)

    def to_dict(self) -> dict[str, t.Any]:
        """As in reports and return values; what is not set is absent."""
        found: dict[str, t.Any] = {
            "code": self.code,
            "severity": self.severity,
            "area": self.area,
            "subject": self.subject,
            "message": self.message,
            "fix": self.fix,
        }
        if self.details:
            found["details"] = dict(self.details)
        if self.file:
            found.update(file=self.file, line=self.line)
        return found

    @classmethod
    def from_dict(cls, values: t.Mapping[str, t.Any]) -> Finding:
        """The reverse of to_dict. An unknown severity counts as an error, so that no problem is lost."""
        texts = {
            name: str(values.get(name) or "") for name in ("code", "area", "subject", "message", "fix", "severity")
        }
        if texts["severity"] not in SEVERITIES:
            texts["severity"] = ERROR
        details = tuple((str(host), str(text)) for host, text in (values.get("details") or {}).items())
        return cls(**texts, details=details, file=str(values.get("file") or ""), line=int(values.get("line") or 0))

    @property
    def example(self) -> str:
        """The details in brackets: once if they are equal on all hosts, else those of the first host."""
        texts = dict.fromkeys(text for _host, text in self.details)
        if len(texts) > 1:
            return f" ({self.details[0][0]}: {self.details[0][1]})"
        return f" ({next(iter(texts))})" if texts else ""

    def __str__(self) -> str:
        subject = f"{self.subject}: " if self.subject else ""
        message = sentence(f"{self.message}{self.example}")
        return plain_text(" ".join(f"{subject}{message} {sentence(self.fix)}".split()))


def sorted_by_location(findings: t.Iterable[Finding]) -> list[Finding]:
    """Each finding once, by file and line."""
    return sorted(set(findings), key=lambda finding: (finding.file, finding.line, finding.message, finding.fix))


class FindingsError(Exception):
    """The release cannot be built; ``findings`` has every reason."""

    def __init__(self, findings: t.Iterable[Finding]) -> None:
        self.findings = tuple(sorted_by_location(findings))
        super().__init__(format_findings(self.findings))


def format_findings(findings: t.Sequence[Finding]) -> str:
    lines = "\n".join(f"  - {finding}" for finding in findings)
    return f"The shared configuration cannot be built, {count(len(findings), 'problem')}:\n{lines}"
