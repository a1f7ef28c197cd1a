# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import re
from pathlib import Path

from ansible_collections.ivy.cluster.plugins.plugin_utils.common.findings import WARNING, Finding
from ansible_collections.ivy.cluster.plugins.plugin_utils.preflight.model.finding_codes import KINDS
from ansible_collections.ivy.cluster.plugins.plugin_utils.preflight.report import (
    AREAS,
    build,
    headline,
    lines,
)
from ansible_collections.ivy.cluster.plugins.plugin_utils.report.document import text_of

ROOT = Path(__file__).resolve().parents[5]
LICENCE = Finding("licence-expired", "Licence", "acme.lic", "the licence ended", "Get a new one")
PORT = Finding("port-range", "Options", "ivy_http_port", "0 is not a port.", "Use another.")
LATER = Finding("licence-ends-soon", "Licence", "acme.lic", "it ends soon", "", WARNING)


def test_errors_come_first_in_the_order_of_the_areas_and_each_once() -> None:
    report = build("acme", "all", [LATER, LICENCE, PORT, LICENCE])
    assert report.findings == (PORT, LICENCE, LATER)
    assert lines(report) == [
        "Preflight of cluster acme checked the inventory and the hosts: 2 errors and 1 warning. Nothing was changed.",
        "",
        "Errors",
        "  Options",
        "    - ivy_http_port: 0 is not a port. Use another. [port-range]",
        "  Licence",
        "    - acme.lic: the licence ended. Get a new one. [licence-expired]",
        "",
        "Warnings",
        "  Licence",
        "    - acme.lic: it ends soon. [licence-ends-soon]",
    ]
    assert report.summary() == {"ok": False, "scope": "all", "counts": {"errors": 2, "warnings": 1}}


def test_an_accepted_error_is_a_warning_that_says_so() -> None:
    report = build("acme", "inventory", [LICENCE, PORT], ["licence-expired"])
    assert [finding.code for finding in report.errors] == ["port-range"]
    assert [finding.fix for finding in report.warnings] == ["Get a new one. Accepted by preflight_accept."]


def test_no_problem_is_reported_in_one_sentence() -> None:
    report = build("acme", "inventory", [])
    assert lines(report) == [headline(report)] == ["Preflight of cluster acme: no problem found in the inventory."]
    assert report.summary()["ok"]


def test_text_from_a_host_cannot_control_a_terminal() -> None:
    evil = Finding("x", "Hosts", "db1", "it says \x1b[31m\nred", "")
    assert "\x1b" not in text_of(lines(build("acme", "all", [evil])))
    assert str(evil) == "db1: it says \\x1b[31m red. "[:-1]


def test_an_unknown_severity_is_an_error() -> None:
    assert Finding.from_dict({**LATER.to_dict(), "severity": "info"}).severity == "error"
    assert Finding.from_dict(LATER.to_dict()) == LATER


def test_every_kind_of_finding_is_explained_to_people() -> None:
    documented: set[str] = set()
    for line in (ROOT / "roles/preflight/README.md").read_text(encoding="utf-8").splitlines():
        if line.startswith("| `"):
            documented |= set(re.findall(r"`([a-z0-9-]+)`", line.split("|")[1]))
    made: set[str] = set()
    for path in (ROOT / "plugins/plugin_utils/preflight").rglob("*.py"):
        pattern = r"""Finding\(\s*"([a-z0-9-]+)",\s*(?:"([A-Z][A-Za-z ]+)"|_?AREA|area)"""
        for code, area in re.findall(pattern, path.read_text(encoding="utf-8")):
            made.add(code)
            assert not area or area in AREAS
    licence = (ROOT / "plugins/plugin_utils/common/licence.py").read_text(encoding="utf-8")
    remarks = set(re.findall(r"""Remark\("([a-z-]+)\"""", licence))
    assert len(made) > 60
    assert len(remarks) > 5
    assert (made | remarks) - documented == set()
    assert documented == KINDS
