# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measures the playbooks without a change beside a ping, on the hosts of tests/bench/site/hosts.yml.

`make bench-site` creates the hosts, runs this, and removes them. On an installed cluster, without changing the figures
in docs/benchmark.md: --inventory=DIRECTORY, which may be repeated.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import random
import subprocess
import sys
import tempfile
import time
import typing as t
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
sys.path.insert(0, str(HERE.parent))

from bench_figures import placed, table
from site_figures import EMPTY, PING, TARGETS, Record, costliest_table, runs_table, targets

LAB = ROOT / ".cache" / "lab" / "ivy-bench-site"
DOCUMENT = ROOT / "docs" / "benchmark.md"
BEGIN, END = "<!-- site: begin -->", "<!-- site: end -->"
INVENTORY = ["inventories/demo", "tests/bench/site/hosts.yml"]
MORE = "tests/bench/site/more_nodes.yml"
FEW, MANY = 6, 12
REPETITIONS = 5
NODES = 12


def words(inventory: t.Sequence[str]) -> list[str]:
    found = [word for path in inventory for word in ("-i", path)]
    # The options of the demo are relative to its inventory, also those of the nodes from another directory.
    return [*found, "-e", f"inventory_dir={ROOT / INVENTORY[0]}"] if MORE in inventory else found


def command(run: str, inventory: t.Sequence[str]) -> list[str]:
    if run == PING:
        return ["ansible", *words(inventory), "all", "-m", "ansible.builtin.ping"]
    playbook = "tests/bench/site/empty.yml" if run == EMPTY else f"playbooks/{run}.yml"
    return ["ansible-playbook", *words(inventory), playbook]


def play(inventory: t.Sequence[str], playbook: str) -> None:
    subprocess.run(["ansible-playbook", *words(inventory), playbook], check=True)


def measured(run: str, inventory: t.Sequence[str]) -> Record:
    """One run of a command. It must succeed and change nothing, or the figure would be of something else."""
    with tempfile.TemporaryDirectory() as directory:
        profile = Path(directory) / "profile"
        environment = {
            **os.environ,
            "ANSIBLE_CALLBACK_PLUGINS": str(HERE.parent / "callback_plugins"),
            "ANSIBLE_CALLBACKS_ENABLED": "run_profile",
            "RUN_PROFILE": str(profile),
        }
        load, begin = os.getloadavg()[0], time.perf_counter()
        with (Path(directory) / "output").open("w+", encoding="utf-8") as output:
            process = subprocess.Popen(
                command(run, inventory), stdout=output, stderr=subprocess.STDOUT, env=environment
            )
            _pid, status, usage = os.wait4(process.pid, 0)
            duration = time.perf_counter() - begin
            if status != 0:
                output.seek(0)
                raise SystemExit(f"{run} failed:\n{output.read()[-4000:]}")
        lines = profile.read_text(encoding="utf-8").splitlines() if run != PING else []
    tasks = [json.loads(line) for line in lines]
    changed = [task["name"] for task in tasks if task["changed"] and run != "verify"]
    if changed:
        raise SystemExit(f"{run} changed something: {', '.join(changed)}")
    return {
        "run": run,
        "seconds": duration,
        "cpu": usage.ru_utime + usage.ru_stime,
        "ran": sum(task["ran"] for task in tasks),
        "skipped": sum(task["skipped"] for task in tasks),
        "load": load,
        "tasks": tasks,
    }


def measure(inventory: t.Sequence[str], runs: t.Sequence[str], hosts: int, repetitions: int) -> list[Record]:
    """The commands of one repetition in turn, in a different order each time."""
    order = random.Random(hosts)
    records = []
    for repetition in range(repetitions):
        for run in order.sample(list(runs), len(runs)):
            record = {**measured(run, inventory), "hosts": hosts, "repetition": repetition}
            records.append(record)
            print(f"{hosts} hosts, repetition {repetition}: {run} {record['seconds']:.2f} s", flush=True)
    return records


def install(inventory: t.Sequence[str]) -> None:
    """Until a run changes nothing: what the run after an installation may still change does not count."""
    play(inventory, "site.yml")
    play(inventory, "site.yml")


def machine(records: t.Sequence[Record], repetitions: int) -> str:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    loads = sorted(float(record["load"]) for record in records)
    version = subprocess.run(["ansible-playbook", "--version"], check=True, capture_output=True, text=True).stdout
    return (
        f"Measured on {datetime.datetime.now(datetime.timezone.utc):%Y-%m-%d} on one machine with {os.cpu_count()} "
        f"cores and {memory:.0f} GB, which held controller and hosts alike; load average before each run "
        f"{loads[0]:.1f} to {loads[-1]:.1f}, median {loads[len(loads) // 2]:.1f}. "
        f"{version.split(']')[0].removeprefix('ansible-playbook [').replace('core ', 'ansible-core ')}. "
        f"Medians of {repetitions} repetitions; a ratio is the median of the ratios of each repetition.\n"
    )


def document(records: t.Sequence[Record], repetitions: int) -> str:
    found = targets(records, FEW, MANY)
    missed = [target.text for target in found if not target.met]
    parts = [
        machine(records, repetitions),
        table(["", "at most", "measured", "met"], [target.row() for target in found]),
        f"**Missed: {'; '.join(missed)}.**\n" if missed else "All targets are met.\n",
        runs_table(records, FEW),
    ]
    if any(record["hosts"] == MANY for record in records):
        parts.append(runs_table(records, MANY))
    parts += [f"### The costliest tasks of `site.yml`, {FEW} hosts\n", costliest_table(records, "site", FEW)]
    return "\n".join(parts)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--inventory", action="append", help="an installed cluster to measure; writes nothing")
    parser.add_argument("--repetitions", type=int, default=REPETITIONS)
    options = parser.parse_args()
    os.chdir(ROOT)
    runs = [PING, EMPTY, *TARGETS]
    if options.inventory:
        print(document(measure(options.inventory, runs, FEW, options.repetitions), options.repetitions))
        return
    licence = ["tests/engine_stand_in/make-licence.sh", "--nodes", str(NODES), "--public-urls", "ivy.localhost"]
    subprocess.run([*licence, str(LAB / "bench.lic")], check=True)
    # The demo's own licence is for fewer nodes.
    os.environ["ENGINE_LICENCE"] = str(LAB / "bench.lic")
    install(INVENTORY)
    records = measure(INVENTORY, runs, FEW, options.repetitions)
    larger = [*INVENTORY, MORE]
    play(larger, "molecule/shared/create.yml")
    install(larger)
    records += measure(larger, [PING, EMPTY, "site"], MANY, options.repetitions)
    text = document(records, options.repetitions)
    DOCUMENT.write_text(placed(DOCUMENT.read_text(encoding="utf-8"), BEGIN, END, text), encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
