# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Calls the load generator h2load and reads its results. Standard library only."""

from __future__ import annotations

import math
import re
import subprocess
import tempfile
import typing as t

CLIENTS = {"h1": 32, "h2": 8}
# Concurrent requests of one connection.
STREAMS = {"h1": 1, "h2": 4}
WARM_UP = 1
PATIENCE = 30


class Load(t.NamedTuple):
    """One kind of request."""

    protocol: str
    port: int
    path: str
    host: str
    cookie: str


def command(load: Load, seconds: int, rate: float = 0.0, log: str = "") -> list[str]:
    """The call of h2load, as fast as possible or with a fixed rate (requests a second)."""
    clients = CLIENTS[load.protocol]
    words = ["h2load", f"--clients={clients}", "--threads=1", f"--max-concurrent-streams={STREAMS[load.protocol]}"]
    words += [f"--duration={seconds}", f"--warm-up-time={WARM_UP}"]
    if load.protocol == "h1":
        words.append("--h1")
    if rate:
        # h2load accepts whole numbers for one client.
        words.append(f"--rps={max(1, round(rate / clients))}")
    if log:
        words.append(f"--log-file={log}")
    words += [f"--header=Cookie: {load.cookie}", "--header=User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0)"]
    words += ["--header=Accept: text/html,application/xhtml+xml,*/*;q=0.8", "--header=Accept-Language: en,de;q=0.5"]
    return [*words, f"--connect-to=127.0.0.1:{load.port}", f"https://{load.host}{load.path}"]


def requests_per_second(output: str) -> float:
    """The rate in the output of h2load. Raises ValueError if a request failed or was rejected."""
    rate = re.search(r"finished in [^,]+, ([0-9.]+) req/s", output)
    counts = re.search(r"(\d+) succeeded, (\d+) failed, (\d+) errored, (\d+) timeout", output)
    if not rate or not counts or int(counts[1]) == 0 or any(int(counts[index]) for index in (2, 3, 4)):
        raise ValueError(f"Requests failed:\n{output[-1500:]}")
    return float(rate[1])


def percentile(durations: t.Sequence[int], share: float) -> int:
    """The smallest duration that is at least as long as this share of all."""
    if not durations:
        raise ValueError("No request was measured. Check the rate and the duration of the measurement.")
    return sorted(durations)[max(0, math.ceil(len(durations) * share) - 1)]


def durations_of(log: str) -> list[int]:
    """The microseconds of each request in a log of h2load. Raises ValueError if one was not successful."""
    found = []
    for line in log.splitlines():
        _start, status, microseconds = line.split("\t")[:3]
        # The response began in the warm-up, so h2load has not noted its status. A failed request has status -1.
        if status == "0":
            continue
        if status != "200":
            raise ValueError(f"A request got status {status}.")
        found.append(int(microseconds))
    return found


def run(words: list[str], seconds: int) -> str:
    # h2load does not end if its requests are neither answered nor refused.
    limit = WARM_UP + seconds + PATIENCE
    return subprocess.run(words, check=True, capture_output=True, text=True, timeout=limit).stdout


def capacity(load: Load, seconds: int) -> float:
    return requests_per_second(run(command(load, seconds), seconds))


def latency(load: Load, seconds: int, rate: float) -> int:
    """The 99th percentile in microseconds at a fixed rate."""
    with tempfile.NamedTemporaryFile("r", encoding="ascii") as log:
        requests_per_second(run(command(load, seconds, rate, log.name), seconds))
        return percentile(durations_of(log.read()), 0.99)
