# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest
from balancer_figures import figures, tables, verdict
from load import Load, command, durations_of, percentile, requests_per_second

KEY = ("Debian 12", "h1", "tls", "small")
OUTPUT = """
finished in 2.00s, 4751.50 req/s, 9.68MB/s
requests: 9503 total, 9503 started, 9503 done, 9503 succeeded, {} failed, {} errored, 0 timeout
"""


def record(minimal: tuple[float, float, float], rendered: tuple[float, float, float]) -> dict[str, Any]:
    def side(values: tuple[float, float, float]) -> dict[str, float]:
        return dict(zip(("rate", "p99", "cpu"), values, strict=True))

    place = dict(zip(("host", "protocol", "nodes", "answer"), KEY, strict=True))
    logged = {"rate": minimal[0] / 2, "cpu": minimal[2]}
    sides = {"minimal": side(minimal), "logged": logged, "rendered": side(rendered)}
    return {**place, "version": "2.6.12", "load": 1.0, **sides}


RECORDS = [
    record((1000, 2000, 1.0), (950, 2000, 1.0)),
    # Everything was slow in this round, which cancels out.
    record((100, 20000, 1.0), (95, 21000, 1.0)),
    record((1000, 2000, 1.0), (10, 2100, 1.0)),
]


def test_the_ratio_is_the_median_of_the_ratios_of_each_pair() -> None:
    found = figures(RECORDS)[KEY]
    assert found.rates == (1000, 95)
    assert (found.rate_ratio, found.logged_ratio, found.p99_ratio) == (0.95, 1.9, 1.05)
    assert found.cpu_ratio == pytest.approx(1 / 0.95)
    assert found.met


@pytest.mark.parametrize(("rate", "p99"), [(89, 100), (100, 111)])
def test_a_target_is_missed_by_the_rate_or_by_the_percentile(rate: float, p99: float) -> None:
    records = [record((100, 100, 1.0), (rate, p99, 1.0))]
    assert not figures(records)[KEY].met
    assert "Missed by 1 of 1" in verdict(records)
    assert "**no**" in tables(records)


def test_a_table_names_the_version_of_each_host() -> None:
    assert "### HAProxy 2.6.12 (Debian 12)" in tables(RECORDS)
    assert "| h1, TLS to the nodes, 2 KB | 1000 | 95 | 0.95 | 1.90 |" in tables(RECORDS)


def test_only_successful_requests_count() -> None:
    assert requests_per_second(OUTPUT.format(0, 0)) == 4751.5
    for failed, errored in ((1, 0), (0, 1)):
        with pytest.raises(ValueError, match="Requests failed"):
            requests_per_second(OUTPUT.format(failed, errored))
    with pytest.raises(ValueError, match="Requests failed"):
        requests_per_second("")


def test_the_percentile_of_the_durations_in_a_log() -> None:
    durations = durations_of("".join(f"1700000000\t200\t{number}\t1\n" for number in range(1, 201)))
    assert percentile(durations, 0.99) == 198
    assert percentile([7], 0.99) == 7
    assert durations_of("1700000000\t0\t9000\t1\n1700000000\t200\t7\t1\n") == [7]
    with pytest.raises(ValueError, match="status -1"):
        durations_of("1700000000\t-1\t5\t1\n")
    with pytest.raises(ValueError, match="No request"):
        percentile([], 0.99)
    with pytest.raises(ValueError, match="status 503"):
        durations_of("1700000000\t503\t5\t1\n")


def test_the_rate_is_divided_by_the_number_of_connections() -> None:
    load = Load("h1", 9441, "/x", "bench.example.com", "a=b")
    assert "--rps=100" in command(load, 3, 3200, "/tmp/log")
    assert "--h1" in command(load, 3)
    assert not [word for word in command(load, 3) if word.startswith("--rps")]
    assert "--h1" not in command(load._replace(protocol="h2"), 3)
