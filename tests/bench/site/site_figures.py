# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The arithmetic of bench-site: from one record for each run to medians, ratios and tables."""

from __future__ import annotations

import statistics
import typing as t

from bench_figures import Target, seconds, table

Record = dict[str, t.Any]

PING, EMPTY = "ping", "empty"
# At most this many times the duration of a ping.
TARGETS = {"site": 15.0, "rollout": 4.0, "verify": 5.0, "status": 3.0, "drift": 2.0}
# At most this many times the duration of a ping for each further node, for site.
NODE_TARGET = 1.5
TITLES = {
    PING: "`ansible all -m ping`",
    EMPTY: "a play without tasks",
    **{name: f"`{name}.yml` without a change" for name in TARGETS},
}
COSTLIEST = 15


def of(records: t.Iterable[Record], run: str, hosts: int) -> list[Record]:
    """The records of one command, in the order of their repetitions."""
    found = [record for record in records if (record["run"], record["hosts"]) == (run, hosts)]
    return sorted(found, key=lambda record: int(record["repetition"]))


def median(records: t.Iterable[Record], key: str) -> float:
    return statistics.median(float(record[key]) for record in records)


def ratio(records: t.Sequence[Record], run: str, floor: str, hosts: int) -> float:
    """The median of the ratios to another command in the same repetition, so that a slow moment cancels out."""
    floors = {record["repetition"]: record["seconds"] for record in of(records, floor, hosts)}
    return statistics.median(
        record["seconds"] / floors[record["repetition"]]
        for record in of(records, run, hosts)
        if record["repetition"] in floors
    )


def cost_of_a_node(records: t.Sequence[Record], few: int, many: int) -> float:
    """What site takes for each further node, in pings of the smaller cluster."""
    more = median(of(records, "site", many), "seconds") - median(of(records, "site", few), "seconds")
    return more / (many - few) / median(of(records, PING, few), "seconds")


def targets(records: t.Sequence[Record], few: int, many: int) -> list[Target]:
    found = [
        Target(f"{TITLES[run]}, {few} hosts, against ping", limit, ratio(records, run, PING, few))
        for run, limit in TARGETS.items()
    ]
    if of(records, "site", many):
        text = f"`site.yml`, each node from {few} to {many} hosts, against ping"
        found.append(Target(text, NODE_TARGET, cost_of_a_node(records, few, many)))
    return found


def runs_table(records: t.Sequence[Record], hosts: int) -> str:
    rows = []
    for run, title in TITLES.items():
        own = of(records, run, hosts)
        if own:
            tasks = "-" if run == PING else f"{median(own, 'ran'):.0f} + {median(own, 'skipped'):.0f}"
            pings = "1.0" if run == PING else f"{ratio(records, run, PING, hosts):.1f}"
            empties = f"{ratio(records, run, EMPTY, hosts):.1f}"
            rows.append([title, seconds(median(own, "seconds")), pings, empties, seconds(median(own, "cpu")), tasks])
    head = [f"{hosts} hosts", "duration", "in pings", "in empty plays", "CPU of the controller", "tasks run + skipped"]
    return table(head, rows)


def costliest_table(records: t.Sequence[Record], run: str, hosts: int) -> str:
    """The tasks with the longest durations, by the medians over the repetitions."""
    durations: dict[tuple[str, str], list[float]] = {}
    counts: dict[tuple[str, str], int] = {}
    for record in of(records, run, hosts):
        for task in record["tasks"]:
            key = (str(task["name"]), str(task["action"]))
            durations.setdefault(key, []).append(float(task["seconds"]))
            counts[key] = int(task["ran"])
    order = sorted(durations, key=lambda key: -statistics.median(durations[key]))[:COSTLIEST]
    total = median(of(records, run, hosts), "seconds")
    rows = [
        [name, f"`{action}`" if action else "-", str(counts[name, action]), seconds(middle), f"{middle / total:.0%}"]
        for name, action in order
        for middle in [statistics.median(durations[name, action])]
    ]
    return table(["task", "module", "hosts", "duration", "of the run"], rows)
