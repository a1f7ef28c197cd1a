# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import datetime

import pytest

from ansible_collections.ivy.cluster.plugins.module_utils.node.engine import licence as node_licence
from ansible_collections.ivy.cluster.plugins.plugin_utils.common.licence import (
    LicenceError,
    host_is_licensed,
    judge,
    parse_licence,
)

TEXT = """[Begin Licence]
#Licence for the engine
licence.keyversion=axonivy/11000
licence.type=Enterprise Edition
licence.valid.from=2026-11-03
licence.valid.until=2027-11-03
licencee.organisation=Caf\\u00e9 \\: Example
public.urls=ivy.example.com,*.apps.example.com, https://other.example.com:8443/
server.nodes.limit=3
server.sessions.limit=12
server.users.limit=40
[End Licence]
[Begin Signature]
licence.type=not this one
[End Signature]
"""
DAY = datetime.date(2027, 1, 1)


def problems(text: str = TEXT, nodes: int = 3, host: str = "ivy.example.com", today: datetime.date = DAY) -> list[str]:
    verdict = judge(parse_licence(text), today=today, nodes=nodes, host=host, engine_major=11)
    return [found.problem for found in verdict.problems]


def test_reads_what_matters_and_nothing_of_the_signature() -> None:
    assert parse_licence(TEXT).to_dict() == {
        "type": "Enterprise Edition",
        "nodes": 3,
        "users": 40,
        "sessions": 12,
        "valid_from": "2026-11-03",
        "valid_until": "2027-11-03",
        "public_urls": ["ivy.example.com", "*.apps.example.com", "https://other.example.com:8443/"],
        "key_version": "axonivy/11000",
    }


def test_a_licence_without_limits() -> None:
    read = parse_licence("licence.type: Enterprise Edition\n")
    assert (read.nodes, read.users, read.sessions, read.valid_until, read.public_urls) == (0, 0, 0, "", ())
    assert read.valid_from == ""
    assert problems("licence.type=Enterprise Edition\n", nodes=99, host="anything") == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "licence.type"),
        ("hello", "licence.type"),
        ("licence.type=x\nserver.nodes.limit=many", "not a number"),
        ("licence.type=x\nlicence.valid.until=soon", "not a date"),
    ],
)
def test_a_text_without_a_licence_is_rejected(text: str, message: str) -> None:
    with pytest.raises(LicenceError, match=message):
        parse_licence(text)


@pytest.mark.parametrize(
    ("host", "licensed"),
    [
        ("ivy.example.com", True), ("IVY.example.com", True), ("a.apps.example.com", True),
        ("other.example.com", True), ("localhost", True), ("127.0.0.1", True), ("apps.example.com", False),
        ("evil.com", False),
    ],
)  # fmt: skip
def test_public_urls(host: str, licensed: bool) -> None:
    assert host_is_licensed(parse_licence(TEXT), host) is licensed


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("licence.valid.until=31.12.2030", "2030-12-31"),
        ("licence.valid.until = 2030-12-31 00:00", "2030-12-31"),
        ("licence.valid.until=\\\n   2030-12-31", "2030-12-31"),
        ("licence.valid.until:2030-12-31\r", "2030-12-31"),
    ],
)
def test_controller_and_node_read_the_same_licence(line: str, expected: str) -> None:
    text = (
        f"[Begin Licence]\nlicence.type=x\n{line}\n[End Licence]\n[Begin Signature]\nlicence.valid.until=1999-01-01\n"
    )
    assert parse_licence(text).valid_until == expected
    assert node_licence.describe(text, DAY)["valid_until"] == expected


def test_a_good_licence_has_no_problem() -> None:
    assert problems() == []


def test_each_problem_is_named() -> None:
    assert problems(nodes=4) == ["the licence is for 3 nodes, the group engine_nodes has 4"]
    assert "evil.com" in problems(host="evil.com")[0]
    assert problems(today=datetime.date(2027, 11, 4)) == ["the licence ended on 2027-11-03"]
    assert problems(today=datetime.date(2027, 11, 3)) == []
    assert problems(today=datetime.date(2026, 11, 2)) == ["the licence is not valid before 2026-11-03"]
    assert problems(today=datetime.date(2026, 11, 3)) == []
    assert "Standard" in problems(TEXT.replace("Enterprise", "Standard"))[0]


@pytest.mark.parametrize(
    ("first", "found"),
    [
        ("licence.valid.from=2027-01-11", ("2027-01-11", 10)),
        ("licence.valid.from=2027-01-01", ("2027-01-01", 0)),
        ("licence.valid.from=\\\n  11.01.2027 00\\:00", ("2027-01-11", 10)),
        ("licence.valid.from=", (None, 0)),
        # Licences of engine 13 and later have none.
        ("licence.keyversion=axonivy/13000", (None, 0)),
    ],
)
def test_a_node_reports_a_licence_that_is_not_valid_yet(first: str, found: tuple[str | None, int]) -> None:
    facts = node_licence.describe(f"licence.type=x\n{first}\n", DAY)
    assert (facts["valid_from"], facts["valid_in_days"]) == found
    assert parse_licence(f"licence.type=x\n{first}\n").valid_from == (found[0] or "")


@pytest.mark.parametrize(("limit", "sessions", "few"), [("2", 2, True), ("3", 3, False), ("-1", None, False)])
def test_fewer_sessions_than_nodes_are_a_warning(limit: str, sessions: int | None, few: bool) -> None:
    """As in the vendor's licences for demonstrations. The cluster serves, but not its users."""
    text = TEXT.replace("sessions.limit=12", f"sessions.limit={limit}")
    verdict = judge(parse_licence(text), today=DAY, nodes=3, host="", engine_major=0)
    assert verdict.problems == ()
    assert [found.code for found in verdict.later] == ["licence-sessions"] * few
    if few:
        message = "The licence is for 2 sessions at the same time, the group engine_nodes has 3 nodes. "
        assert str(verdict.later[0]).startswith(message)
    assert node_licence.describe(text, DAY)["sessions"] == sessions


def test_warnings() -> None:
    soon = judge(parse_licence(TEXT), today=datetime.date(2027, 10, 20), nodes=1, host="", engine_major=12)
    assert soon.problems == ()
    assert [found.code for found in soon.later] == ["licence-ends-soon", "licence-key-version"]
    assert str(soon.later[0]) == "The licence ends on 2027-11-03, in 14 days. Get a new one in time."
    unknown = judge(parse_licence(TEXT), today=DAY, nodes=1, host="", engine_major=0)
    assert unknown.later == ()
