# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with the input of a release, collected so that one run shows all of it."""

from __future__ import annotations

import dataclasses
import typing as t


@dataclasses.dataclass(frozen=True, order=True)
class Finding:
    """One problem: in which file (empty for the inventory), at which line (0 for the whole file), and what to do."""

    file: str
    line: int
    problem: str
    advice: str

    def to_dict(self) -> dict[str, t.Any]:
        return dataclasses.asdict(self)

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place}: {self.problem}. {self.advice}" if place else f"{self.problem}. {self.advice}"


class FindingsError(Exception):
    """The release cannot be built; ``findings`` says everything that is in the way."""

    def __init__(self, findings: t.Iterable[Finding]) -> None:
        self.findings = tuple(sorted(set(findings)))
        super().__init__(format_findings(self.findings))


def format_findings(findings: t.Sequence[Finding]) -> str:
    count = "1 problem" if len(findings) == 1 else f"{len(findings)} problems"
    lines = "\n".join(f"  - {finding}" for finding in findings)
    return f"The shared configuration cannot be built, {count}:\n{lines}"
