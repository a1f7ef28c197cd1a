# Copyright: the ivy.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows of a report and how a person reads them."""

from __future__ import annotations

import dataclasses
import enum
import typing as t


class Verdict(enum.Enum):
    """What a check came to. Not knowing is never taken for holding."""

    HOLDS = "✓"
    BROKEN = "✗"
    LEFT_OUT = "-"


@dataclasses.dataclass(frozen=True)
class Row:
    """One check of one host."""

    check: str
    subject: str
    verdict: Verdict
    seen: str
    advice: str = ""

    def plain(self) -> dict[str, t.Any]:
        return {
            "check": self.check,
            "subject": self.subject,
            "verdict": self.verdict.name.lower(),
            "seen": self.seen,
            "advice": self.advice,
        }


def holds(check: str, subject: str, seen: str) -> Row:
    return Row(check, subject, Verdict.HOLDS, seen)


def broken(check: str, subject: str, seen: str, advice: str) -> Row:
    return Row(check, subject, Verdict.BROKEN, seen, advice)


def left_out(check: str, subject: str, seen: str) -> Row:
    return Row(check, subject, Verdict.LEFT_OUT, seen)


def failures(rows: t.Iterable[Row]) -> list[Row]:
    return [row for row in rows if row.verdict is Verdict.BROKEN]


def _summary(rows: t.Sequence[Row]) -> str:
    broken_rows = len(failures(rows))
    skipped = sum(1 for row in rows if row.verdict is Verdict.LEFT_OUT)
    proved = len(rows) - broken_rows - skipped
    text = f"{proved} of {proved + broken_rows} checks hold"
    if skipped:
        text += f", {skipped} left out"
    return text + ("." if not broken_rows else f"; {broken_rows} do{'es' if broken_rows == 1 else ''} not.")


def render(
    rows: t.Sequence[Row],
    titles: t.Mapping[str, str],
    head: t.Sequence[str] = (),
    foot: t.Sequence[str] = (),
) -> str:
    """The rows under the titles of their checks, in that order, with the advice below each row that is broken."""
    width = max((len(row.subject) for row in rows), default=0)
    lines = list(head)
    for check, title in titles.items():
        of_check = [row for row in rows if row.check == check]
        if not of_check:
            continue
        lines += ["", title]
        for row in of_check:
            lines.append(f"  {row.verdict.value} {row.subject.ljust(width)}  {row.seen}")
            if row.advice:
                lines.append(f"    {' ' * width}  -> {row.advice}")
    lines += ["", _summary(rows), *foot]
    return "\n".join(line.rstrip() for line in lines)
