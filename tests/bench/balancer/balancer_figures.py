# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The arithmetic of the balancer's benchmark: from the records of measure.py to medians, ratios and tables."""

from __future__ import annotations

import statistics
import typing as t

from bench_figures import table

Record = dict[str, t.Any]
# host, protocol, nodes, answer
Key = tuple[str, str, str, str]
MINIMAL, LOGGED, RENDERED = "minimal", "logged", "rendered"
LEAST_RATE, MOST_P99 = 0.9, 1.1
ANSWERS = {"small": "2 KB", "large": "200 KB"}
NODES = {"plain": "HTTP", "tls": "TLS"}


class Figure(t.NamedTuple):
    """One kind of request: medians of both configurations, and medians of the ratios of each pair."""

    rates: tuple[float, float]
    rate_ratio: float
    # To the minimal configuration with a log.
    logged_ratio: float
    p99s: tuple[float, float]
    p99_ratio: float
    cpu_ratio: float

    @property
    def met(self) -> bool:
        return self.rate_ratio >= LEAST_RATE and self.p99_ratio <= MOST_P99


def cpu_of_a_request(found: t.Mapping[str, float]) -> float:
    """In arbitrary units: the time of a measurement is the same for both configurations."""
    return found["cpu"] / found["rate"]


def figure(records: t.Sequence[Record]) -> Figure:
    def middle(value: t.Callable[[Record], float]) -> float:
        return statistics.median(value(record) for record in records)

    def ratio(value: t.Callable[[t.Mapping[str, float]], float]) -> float:
        return middle(lambda record: value(record[RENDERED]) / value(record[MINIMAL]))

    return Figure(
        (middle(lambda record: record[MINIMAL]["rate"]), middle(lambda record: record[RENDERED]["rate"])),
        ratio(lambda found: found["rate"]),
        middle(lambda record: record[RENDERED]["rate"] / record[LOGGED]["rate"]),
        (middle(lambda record: record[MINIMAL]["p99"]), middle(lambda record: record[RENDERED]["p99"])),
        ratio(lambda found: found["p99"]),
        ratio(cpu_of_a_request),
    )


def figures(records: t.Iterable[Record]) -> dict[Key, Figure]:
    groups: dict[Key, list[Record]] = {}
    for record in records:
        key = (record["host"], record["protocol"], record["nodes"], record["answer"])
        groups.setdefault(key, []).append(record)
    return {key: figure(group) for key, group in groups.items()}


def row(key: Key, found: Figure) -> list[str]:
    _host, protocol, nodes, answer = key
    return [
        f"{protocol}, {NODES[nodes]} to the nodes, {ANSWERS[answer]}",
        f"{found.rates[0]:.0f}",
        f"{found.rates[1]:.0f}",
        f"{found.rate_ratio:.2f}",
        f"{found.logged_ratio:.2f}",
        f"{found.p99s[0] / 1000:.1f} ms",
        f"{found.p99s[1] / 1000:.1f} ms",
        f"{found.p99_ratio:.2f}",
        f"{found.cpu_ratio:.2f}",
        "yes" if found.met else "**no**",
    ]


def tables(records: t.Sequence[Record]) -> str:
    head = ["", "minimal, a second", "rendered, a second", "ratio", "ratio if both log"]
    head += ["minimal, p99", "rendered, p99", "ratio", "CPU a request, ratio", "met"]
    found = figures(records)
    out = ""
    for host, version in sorted({(record["host"], record["version"]) for record in records}):
        rows = [row(key, value) for key, value in found.items() if key[0] == host]
        out += f"### HAProxy {version} ({host})\n\n{table(head, rows)}\n"
    return out


def verdict(records: t.Sequence[Record]) -> str:
    found = figures(records)
    missed = sum(not value.met for value in found.values())
    goal = f"Target: at least {LEAST_RATE} of the requests a second, and at most {MOST_P99} times the 99th percentile."
    return f"{goal} {'All are met.' if not missed else f'**Missed by {missed} of {len(found)}.**'}\n"
