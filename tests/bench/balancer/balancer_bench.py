# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compares the role's configuration of HAProxy with a minimal one, on the hosts of tests/bench/balancer/hosts.yml.

`make bench-balancer` creates the hosts, runs this, and removes them. Without changing the figures in
docs/benchmark.md: --print. With other repetitions: --repetitions=N.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import subprocess
import sys
import typing as t
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
sys.path.insert(0, str(HERE.parent))

from balancer_figures import Record, tables, verdict
from bench_figures import placed

LAB = ROOT / ".cache" / "lab" / "ivy-bench-balancer"
DOCUMENT = ROOT / "docs" / "benchmark.md"
BEGIN, END = "<!-- balancer: begin -->", "<!-- balancer: end -->"
HOSTS = {"debian12": "Debian 12", "debian13": "Debian 13"}
DIRECTORY = "/var/tmp/bench-balancer"
PUBLIC_HOST = "bench.example.com"
REPETITIONS = 5


def prepare() -> None:
    words = ["ansible-playbook", "--inventory", str(HERE / "hosts.yml"), str(HERE / "prepare.yml")]
    subprocess.run(words, check=True)


def measure(host: str, repetitions: int) -> list[Record]:
    """The hosts are measured one after the other, since they share the machine's cores."""
    program = f"sudo python3 -B {DIRECTORY}/measure.py {PUBLIC_HOST} {repetitions}"
    words = ["ssh", "-F", str(LAB / "ssh_config"), host, program]
    records: list[Record] = []
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            print(host, line, end="", flush=True)
            records.append({**json.loads(line), "host": HOSTS[host]})
    if process.returncode != 0:
        raise SystemExit(f"The measurement on {host} failed with status {process.returncode}.")
    return records


def machine(records: t.Sequence[Record], repetitions: int) -> str:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    loads = sorted(record["load"] for record in records)
    return (
        f"Measured on {datetime.datetime.now(datetime.timezone.utc):%Y-%m-%d} on one machine with {os.cpu_count()} "
        f"cores and {memory:.0f} GB, which held load generator, balancer and nodes alike; load average during the "
        f"measurement {loads[0]:.1f} to {loads[-1]:.1f}, median {loads[len(loads) // 2]:.1f}. "
        f"Medians of {repetitions} pairs; the ratios are medians of the ratios of each pair.\n"
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--print", action="store_true", help="do not write docs/benchmark.md")
    parser.add_argument("--repetitions", type=int, default=REPETITIONS)
    options = parser.parse_args()
    os.chdir(ROOT)
    prepare()
    records = [record for host in HOSTS for record in measure(host, options.repetitions)]
    text = "\n".join((machine(records, options.repetitions), verdict(records), tables(records)))
    if not options.print:
        DOCUMENT.write_text(placed(DOCUMENT.read_text(encoding="utf-8"), BEGIN, END, text), encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
