# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import typing as t
from pathlib import Path

import pytest

from ansible_collections.ivy.cluster.plugins.module_utils.host_state import postgres

# The example of RFC 7677 with the password "pencil".
VERIFIER = (
    "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ=="
    "$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
)


@pytest.fixture
def params(tmp_path: Path) -> dict[str, t.Any]:
    (tmp_path / "postmaster.pid").write_text("1\n/data\n17\n5433\n/run\n", encoding="utf-8")
    return {
        "data_directory": str(tmp_path),
        "socket_directory": "/run/postgresql",
        "database": "ivy",
        "user": "ivy",
        "login": "ivy_0000000a",
        "settings": ["port"],
    }


def test_the_verifier_does_not_leave_the_host(params: dict[str, t.Any], monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[t.Any] = []

    def answer(*arguments: str, environment: dict[str, str], text: str) -> str:
        calls.append((arguments, environment, text))
        return json.dumps({"user": {"superuser": False}, "login": {"login": True, "password": VERIFIER}, "pending": 0})

    monkeypatch.setattr(postgres, "output", answer)

    found = postgres.gather(params, "pencil")

    assert found == {
        "user": {"superuser": False},
        "login": {"login": True, "password": True},
        "pending": 0,
        "port": 5433,
    }
    arguments, environment, text = calls[0]
    assert environment["PGPORT"] == "5433"
    assert "pencil" not in repr((arguments, environment, text))


@pytest.mark.parametrize("output", [None, "", "{}", "not JSON"])
def test_a_server_that_does_not_answer_has_no_state(
    params: dict[str, t.Any], monkeypatch: pytest.MonkeyPatch, output: str | None
) -> None:
    monkeypatch.setattr(postgres, "output", lambda *_arguments, **_more: output)

    assert postgres.gather(params, "x") == {}


def test_a_login_that_does_not_exist_has_no_state(params: dict[str, t.Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres, "output", lambda *_arguments, **_more: json.dumps({"login": None, "pending": 0}))

    assert postgres.gather(params, "x") == {"login": None, "pending": 0, "port": 5433}


def test_a_server_that_does_not_run_is_not_asked(params: dict[str, t.Any]) -> None:
    assert postgres.gather({**params, "data_directory": "/no/such"}, "x") == {}
