# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands and answers of HAProxy's runtime socket."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ansible_collections.ivy.cluster.plugins.module_utils.haproxy import runtime_socket as sut

Answers = dict[str, str]


def test_a_long_answer_is_read_completely(haproxy: Callable[[Answers], str]) -> None:
    long = "x: y\n" * 100000
    assert sut.RuntimeSocket(haproxy({"show info": long})).command("show info") == long


def test_a_rejected_command_is_an_error(haproxy: Callable[[Answers], str]) -> None:
    runtime = sut.RuntimeSocket(haproxy({"set server engine_nodes/engine9 state drain": "No such server.\n\n"}))
    with pytest.raises(sut.RuntimeSocketError, match=r"rejected 'set server .*': No such server"):
        runtime.command("set server engine_nodes/engine9 state drain")
    with pytest.raises(sut.RuntimeSocketError, match="Unknown command"):
        runtime.command("bogus")


@pytest.mark.parametrize("text", ["show info;disable server a/b", "show info\ndisable server a/b"])
def test_two_commands_in_one_line_are_rejected(text: str) -> None:
    with pytest.raises(sut.RuntimeSocketError, match="one line without a semicolon"):
        sut.RuntimeSocket("/nowhere").command(text)


def test_a_missing_socket_is_reported_with_its_path(tmp_path: Path) -> None:
    with pytest.raises(sut.RuntimeSocketError, match=r"admin\.sock cannot be used: .*haproxy\.service"):
        sut.RuntimeSocket(str(tmp_path / "admin.sock")).command("show info")


def test_values_may_contain_colons() -> None:
    assert sut.parse_info("Name: HAProxy\nUptime: 0d 0h00m06s\nbuilt: a:b\n\n") == {
        "Name": "HAProxy",
        "Uptime": "0d 0h00m06s",
        "built": "a:b",
    }
