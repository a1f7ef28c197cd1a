# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The arithmetic of the benchmark: from one record for each task to medians, ratios and tables."""

from __future__ import annotations

import statistics
import typing as t

Record = dict[str, t.Any]
# case, method, files, hosts
Key = tuple[str, str, int, int]


class Figure(t.NamedTuple):
    """The repetitions of one method in one case."""

    seconds: float
    # Relative to the ping of the same repetition, so that a slowdown of both cancels out.
    ratio: float | None
    received: int
    sent: int


def key_of(name: str) -> tuple[Key, int]:
    """Splits the name of a task into case, method, files, hosts and repetition."""
    case, method, files, hosts, repetition = name.split("|")
    return (case, method, int(files), int(hosts)), int(repetition)


def figures(records: t.Iterable[Record], floor: str = "ping") -> dict[Key, Figure]:
    """Medians over the repetitions, and medians of their ratios to the baseline of the same round."""
    rounds: dict[Key, dict[int, Record]] = {}
    for record in records:
        key, repetition = key_of(record["name"])
        rounds.setdefault(key, {})[repetition] = record
    out = {}
    for key, by_round in rounds.items():
        case, method, files, hosts = key
        floors = rounds.get((case, floor, files, hosts), {})
        ratios = [task["seconds"] / floors[number]["seconds"] for number, task in by_round.items() if number in floors]
        out[key] = Figure(
            statistics.median(task["seconds"] for task in by_round.values()),
            statistics.median(ratios) if ratios and method != floor else None,
            round(statistics.median(task["received"] for task in by_round.values())),
            round(statistics.median(task["sent"] for task in by_round.values())),
        )
    return out


def ratio_between(records: t.Iterable[Record], case: str, method: str, other: str, files: int) -> float:
    """The median of the paired ratios of two methods on one host."""
    by_method: dict[str, dict[int, float]] = {method: {}, other: {}}
    for record in records:
        key, number = key_of(record["name"])
        if key[0] == case and key[1] in by_method and key[2:] == (files, 1):
            by_method[key[1]][number] = record["seconds"]
    mine, theirs = by_method[method], by_method[other]
    return statistics.median(mine[number] / theirs[number] for number in mine if number in theirs)


def seconds(value: float) -> str:
    return f"{value:.2f} s" if value >= 1 else f"{value * 1000:.0f} ms"


def size(value: int) -> str:
    return f"{value / 1e6:.1f} MB" if value >= 1_000_000 else f"{value / 1000:.1f} kB"


def cell(figure: Figure | None) -> str:
    if figure is None:
        return "-"
    return seconds(figure.seconds) + (f" ({figure.ratio:.2f})" if figure.ratio is not None else "")


def table(head: t.Sequence[str], rows: t.Iterable[t.Sequence[str]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + "|".join("---" if not n else "--:" for n in range(len(head))) + "|"]
    lines.extend("| " + " | ".join(row) + " |" for row in rows)
    return "\n".join(lines) + "\n"


class Target(t.NamedTuple):
    """A target and its measured value."""

    text: str
    limit: float
    measured: float

    @property
    def met(self) -> bool:
        return self.measured <= self.limit

    def row(self) -> tuple[str, str, str, str]:
        return self.text, f"{self.limit:.2f}", f"{self.measured:.2f}", "yes" if self.met else "**no**"


def placed(text: str, begin: str, end: str, new: str) -> str:
    """A document with the text between two markers replaced."""
    head, found, rest = text.partition(begin)
    _old, closed, tail = rest.partition(end)
    if not found or not closed:
        raise ValueError(f"The document must contain the markers {begin} and {end}.")
    return f"{head}{begin}\n\n{new.strip()}\n\n{end}{tail}"
