# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from bench_figures import Figure, Target, cell, figures, placed, ratio_between, size, table


def record(name: str, elapsed: float, received: int = 1000, sent: int = 10) -> dict[str, object]:
    return {"name": name, "seconds": elapsed, "received": received, "sent": sent}


RECORDS = [
    record("clean|ping|200|1|0", 1.0),
    record("clean|ping|200|1|1", 10.0),
    record("clean|ping|200|1|2", 2.0),
    record("clean|ours|200|1|0", 2.0, 30),
    record("clean|ours|200|1|1", 5.0, 20),
    record("clean|ours|200|1|2", 1.0, 40),
    record("clean|ours|200|25|0", 8.0),
    record("clean|theirs|200|1|0", 4.0),
    record("clean|theirs|200|1|2", 4.0),
]


def test_medians_and_the_median_of_paired_ratios() -> None:
    found = figures(RECORDS)
    assert found[("clean", "ping", 200, 1)] == Figure(2.0, None, 1000, 10)
    # 2/1, 5/10 and 1/2: the second round was slow for both, which cancels out.
    assert found[("clean", "ours", 200, 1)] == Figure(2.0, 0.5, 30, 10)


def test_without_a_baseline_there_is_no_ratio() -> None:
    assert figures(RECORDS)[("clean", "ours", 200, 25)].ratio is None


def test_two_methods_are_compared_in_the_rounds_that_both_have() -> None:
    assert ratio_between(RECORDS, "clean", "ours", "theirs", 200) == pytest.approx(0.375)


def test_cells_and_sizes() -> None:
    assert cell(Figure(0.1234, 0.75, 1, 1)) == "123 ms (0.75)"
    assert cell(Figure(1.5, None, 1, 1)) == "1.50 s"
    assert cell(None) == "-"
    assert [size(value) for value in (1234, 2_500_000)] == ["1.2 kB", "2.5 MB"]


def test_a_missed_target_is_highlighted() -> None:
    assert Target("x", 1.1, 1.05).row() == ("x", "1.10", "1.05", "yes")
    assert Target("x", 1.1, 1.2).row()[-1] == "**no**"


def test_a_table() -> None:
    assert table(["a", "b"], [["1", "2"]]) == "| a | b |\n|---|--:|\n| 1 | 2 |\n"


def test_only_the_text_between_the_markers_is_replaced() -> None:
    text = placed("before\n<b>\nold\n<e>\nafter\n", "<b>", "<e>", "new\n")
    assert text == "before\n<b>\n\nnew\n\n<e>\nafter\n"
    assert placed(text, "<b>", "<e>", "new") == text
    with pytest.raises(ValueError, match="markers"):
        placed("no markers", "<b>", "<e>", "new")
