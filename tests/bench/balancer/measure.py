# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs on a host of tests/bench/balancer/hosts.yml: compares the role's configuration of HAProxy with a minimal one.

Prints a record for each measurement as a line of JSON. Standard library only.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
import time
import typing as t
from pathlib import Path

from load import Load, capacity, latency

DIRECTORY = Path(__file__).resolve().parent
MINIMAL, RENDERED = "minimal", "rendered"
# The minimal configuration with a log.
LOGGED = "logged"
PROTOCOLS, NODES, SIZES = ("h1", "h2"), ("plain", "tls"), ("small", "large")
UNITS = ("nodes", *(f"{name}-{nodes}" for name in (MINIMAL, LOGGED, RENDERED) for nodes in NODES))
SECONDS = 3
PATIENCE = 30.0


def unit(name: str) -> str:
    return f"bench-balancer-{name}.service"


def start(name: str) -> None:
    """Starts a HAProxy in a unit of its own, with the journal at hand as in Debian's unit."""
    words = ["systemd-run", "--quiet", "--collect", f"--unit={unit(name)}", "--property=LimitNOFILE=20000"]
    words += ["--property=RuntimeDirectory=haproxy", "--property=RuntimeDirectoryPreserve=yes"]
    words.append("--property=BindReadOnlyPaths=/dev/log:/var/lib/haproxy/dev/log")
    subprocess.run([*words, "/usr/sbin/haproxy", "-db", "-f", str(DIRECTORY / f"{name}.cfg")], check=True)


def stop(name: str) -> None:
    subprocess.run(["systemctl", "stop", unit(name)], check=False, capture_output=True)


@contextlib.contextmanager
def running() -> t.Iterator[None]:
    for name in UNITS:
        stop(name)
    try:
        for name in UNITS:
            start(name)
        yield
    finally:
        for name in UNITS:
            stop(name)


def cpu_seconds(name: str) -> float:
    """The CPU time that a unit's process has used."""
    shown = subprocess.run(
        ["systemctl", "show", "--value", "--property=MainPID", unit(name)], check=True, capture_output=True, text=True
    )
    fields = Path(f"/proc/{shown.stdout.strip()}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def port(name: str, nodes: str) -> int:
    """The HTTPS port in a configuration."""
    text = (DIRECTORY / f"{name}-{nodes}.cfg").read_text(encoding="utf-8")
    found = re.search(r"^ *bind 127\.0\.0\.1:(\d+) ssl ", text, re.MULTILINE)
    if not found:
        raise SystemExit(f"{name}-{nodes}.cfg contains no HTTPS port.")
    return int(found[1])


def load_of(name: str, nodes: str, protocol: str, answer: str, host: str) -> Load:
    cookie = "IVYNODE=engine1; JSESSIONID=0123456789ABCDEF0123456789ABCDEF"
    return Load(protocol, port(name, nodes), f"/app/faces/instances/{answer}.xhtml?task=4711", host, cookie)


def await_balancers(host: str) -> None:
    end = time.monotonic() + PATIENCE
    for name in (MINIMAL, LOGGED, RENDERED):
        for nodes in NODES:
            while True:
                try:
                    capacity(load_of(name, nodes, "h1", "small", host), 1)
                    break
                except (ValueError, subprocess.SubprocessError) as exc:
                    if time.monotonic() > end:
                        raise SystemExit(f"{name}-{nodes} does not serve: {exc}") from exc


def measured(name: str, nodes: str, protocol: str, answer: str, host: str) -> dict[str, float]:
    before = cpu_seconds(f"{name}-{nodes}")
    rate = capacity(load_of(name, nodes, protocol, answer, host), SECONDS)
    # The warm-up is included in both.
    return {"rate": rate, "cpu": cpu_seconds(f"{name}-{nodes}") - before}


def rounds(host: str, repetitions: int) -> t.Iterator[dict[str, t.Any]]:
    """Both configurations in turn, each of them first in every other round, and between them the one with a log."""
    for protocol in PROTOCOLS:
        for nodes in NODES:
            for answer in SIZES:
                cell = {"protocol": protocol, "nodes": nodes, "answer": answer}
                for number in range(repetitions):
                    names = (MINIMAL, RENDERED) if number % 2 else (RENDERED, MINIMAL)
                    order = (names[0], LOGGED, names[1])
                    found = {name: measured(name, nodes, protocol, answer, host) for name in order}
                    # The same rate for both: half of what the minimal configuration handles.
                    half = found[MINIMAL]["rate"] / 2
                    for name in names:
                        load = load_of(name, nodes, protocol, answer, host)
                        found[name]["p99"] = latency(load, SECONDS, half)
                    machine_load = os.getloadavg()[0]
                    yield {**cell, "number": number, "load": machine_load, **found}


def main(host: str, repetitions: int) -> None:
    version = subprocess.run(["/usr/sbin/haproxy", "-v"], check=True, capture_output=True, text=True).stdout
    with running():
        await_balancers(host)
        for record in rounds(host, repetitions):
            print(json.dumps({**record, "version": version.split()[2]}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
