# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The contract's table: how it renders results, and that docs/contract.md matches the suite."""

from __future__ import annotations

import ast
import dataclasses
import typing as t
from pathlib import Path

import contract
import pytest
import report
from assumptions import CERTAINTIES, ORDER, Assumption, assumption

ROOT = Path(__file__).resolve().parents[3]

ONE = Assumption("test_one", "Start", "it starts | at once", "not documented", "inferred", "a sample", "", "")
LATE = Assumption("test_late", "Stop", "it stops", "it does", "stated", "documentation", "12.0.9", "")
OPEN = Assumption("test_open", "Start", "what it prints", "not known", "unknown", "-", "", "12.0.9")
ALL = [ONE, LATE, OPEN]


def found(outcome: str, message: str = "", *seen: str) -> dict[str, t.Any]:
    return {"outcome": outcome, "message": message, "seen": list(seen), "measured": {"stop": 1.5} if seen else {}}


def a_report(version: str = "11.3.0", stand_in: bool = True, **results: t.Any) -> dict[str, t.Any]:
    host = {"java": "17", "database": "15", "system": "Debian"}
    return {"version": version, "stand_in": stand_in, "archive": "engine.zip", "host": host, "results": results}


@pytest.mark.parametrize(
    ("result", "cell"),
    [
        (found("holds"), "holds"),
        (found("holds", "", "exit code 0", "soon"), "holds: exit code 0; soon"),
        (found("fails", "not within 30 s\nmore", "503"), "**fails**: not within 30 s; 503"),
        (found("needs", "a licence of the kind 'expired'"), "needs a licence of the kind 'expired'"),
    ],
)
def test_a_cell_shows_the_outcome_and_the_observations(result: dict[str, t.Any], cell: str) -> None:
    assert report.result(ONE, a_report(test_one=result)) == cell


def test_a_cell_of_an_unknown_fact_shows_the_observation_or_the_error() -> None:
    assert report.result(OPEN, a_report(test_open=found("seen", "", "JSESSIONID"))) == "seen: JSESSIONID"
    assert report.result(OPEN, a_report(test_open=found("seen", "no answer"))) == "seen: no answer"


def test_an_assumption_about_other_versions_has_no_result() -> None:
    assert report.result(LATE, a_report("11.3.0")) == "-"
    assert report.result(OPEN, a_report("12.0.9")) == "-"
    assert report.result(LATE, a_report("12.0.9")) == "not run"


def test_the_table_has_a_column_for_each_report_and_an_empty_one_for_a_real_archive() -> None:
    lines = report.table(ALL, [a_report(test_one=found("holds"))], report.REAL).splitlines()
    assert lines[0].endswith("| Stand-in 11.3.0 | A real archive |")
    # Grouped by area: the two assumptions about the start are adjacent.
    assert [line.split(" | ")[0] for line in lines[2:]] == ["| Start", "| Start", "| Stop"]
    assert lines[2].endswith("| holds |  |")
    assert "from 12.0.9" in lines[4]
    assert "(**unknown**)" in lines[3]
    assert "(**inferred**; a sample)" in lines[2]


def document() -> str:
    return report.put(f"before\n{report.BEGIN}\nold\n{report.END}\nafter\n", report.table(ALL, [a_report()], "more"))


def test_a_table_matches_the_suite_from_which_it_was_rendered() -> None:
    assert document().startswith("before\n")
    assert document().endswith("after\n")
    assert "old" not in document()
    assert report.misfits(ALL, document()) == []


@pytest.mark.parametrize(
    ("changed", "problems"),
    [
        ([ONE, LATE], ["not in the suite"]),
        ([*ALL, dataclasses.replace(ONE, name="test_two")], ["missing from the table"]),
        ([ONE, dataclasses.replace(LATE, certainty="assumed"), OPEN], ["missing from the table", "not in the suite"]),
        (
            [dataclasses.replace(ONE, fact="documented by the vendor"), LATE, OPEN],
            ["missing from the table", "not in the suite"],
        ),
        ([OPEN, LATE, ONE], ["different order"]),
    ],
)
def test_differences_between_table_and_suite_are_found(changed: list[Assumption], problems: list[str]) -> None:
    misfits = report.misfits(changed, document())
    assert len(misfits) == len(problems)
    assert all(problem in misfit for problem, misfit in zip(problems, misfits, strict=True))


def test_a_need_is_a_failure_of_the_stand_in_but_not_of_a_real_engine() -> None:
    results: dict[str, t.Any] = {
        "test_one": found("needs", "a licence"),
        "test_late": found("fails", "no"),
        "test_open": found("seen"),
    }
    assert len(report.failures(a_report(**results))) == 2
    assert len(report.failures(a_report(stand_in=False, **results))) == 1
    assert report.counts(a_report(**results)) == "Stand-in 11.3.0: 1 observed, 1 fail, 1 lack something"


def test_a_report_to_send_in_contains_archive_host_results_and_durations() -> None:
    text = report.to_send(ALL, a_report(stand_in=False, test_one=found("holds", "", "exit code 143")))
    for part in ("Engine 11.3.0", "engine.zip", "java: 17", "holds: exit code 143", "`test_one`: stop 1.5"):
        assert part in text


def test_the_document_matches_the_suite() -> None:
    text = contract.DOCUMENT.read_text(encoding="utf-8")
    assert report.misfits(contract.assumptions(), text) == [], "run `make contract`, which writes docs/contract.md"


def test_the_document_has_a_result_for_every_stand_in_and_an_empty_column() -> None:
    text = contract.DOCUMENT.read_text(encoding="utf-8")
    heads = [*report.STATIC, *(f"Stand-in {version}" for version in contract.STAND_INS), report.REAL]
    assert report.row(heads) in text
    for cells in report.rows(text):
        *results, real = cells[len(report.STATIC) :]
        assert len(results) == len(contract.STAND_INS)
        assert all(cell.startswith(("holds", "seen: ", "-")) for cell in results), cells
        assert real == ""


def test_every_test_of_the_suite_is_an_assumption() -> None:
    names = [
        node.name
        for path in sorted((ROOT / "tests/contract").glob("test_*.py"))
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    ]
    assert sorted(names) == sorted(registered.name for registered in contract.assumptions())
    assert len(names) == len(set(names))


def test_an_unknown_certainty_is_rejected() -> None:
    with pytest.raises(ValueError, match="unknown certainty: sure"):
        assumption("Start", "it starts", fact="it does", certainty="sure", source="-")
    assert {registered.certainty for registered in contract.assumptions()} == set(CERTAINTIES)


@pytest.mark.parametrize(
    ("version", "host"), [("10.0.20", "contract12"), ("11.3.0", "contract12"), ("12.0.9", "contract13")]
)
def test_an_engine_is_assigned_to_the_host_with_its_java(version: str, host: str) -> None:
    assert contract.host_for(version) == host


def test_an_engine_without_a_host_is_rejected() -> None:
    with pytest.raises(SystemExit, match=r"14\.0\.0 needs Java 25"):
        contract.host_for("14.0.0")


def test_the_version_is_read_from_the_file_name_of_the_archive() -> None:
    assert contract.version_of(Path("/x/AxonIvyEngine12.0.9.2412_Slim_All_x64.zip")) == "12.0.9"
    with pytest.raises(SystemExit, match="contains no version"):
        contract.version_of(Path("/x/engine.zip"))


def test_every_module_of_the_suite_is_in_the_order() -> None:
    assert sorted(ORDER) == sorted(path.stem for path in contract.SUITE.glob("test_*.py"))
