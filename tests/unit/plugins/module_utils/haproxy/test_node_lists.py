# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import collections
from pathlib import Path

import pytest

from ansible_collections.ivy.cluster.plugins.module_utils.haproxy import node_lists as sut
from ansible_collections.ivy.cluster.plugins.module_utils.haproxy.runtime_socket import (
    RuntimeSocket,
    RuntimeSocketError,
)


class HAProxy(RuntimeSocket):
    """Answers as configured, and logs the other commands."""

    def __init__(self, answers: dict[str, str]) -> None:
        super().__init__("/nowhere")
        self.answers = answers
        self.commands: list[str] = []

    def command(self, text: str) -> str:
        if text in self.answers:
            return self.answers[text]
        self.commands.append(text)
        return "\n"


def test_a_process_without_the_lists_has_none() -> None:
    haproxy = HAProxy({"show acl": "# id (file) description\n", "show map": "# id (file) description\n"})
    assert sut.closed_nodes(haproxy) is None
    assert sut.preferred_nodes(haproxy) is None


def test_the_file_is_changed_before_the_process(tmp_path: Path) -> None:
    path = str(tmp_path / "missing/closed")
    haproxy = HAProxy({"show acl": f"0 ({path}) pattern loaded\n", f"show acl {path}": "\n"})
    with pytest.raises(RuntimeSocketError, match=r"cannot be written \(No such file or directory\)"):
        sut.set_closed(haproxy, "engine1", True, path)
    assert haproxy.commands == []


def test_every_preferred_node_gets_the_same_share(tmp_path: Path) -> None:
    path = str(tmp_path / "preferred")
    haproxy = HAProxy({f"prepare map {path}": "New version created: 3\n"})
    sut.set_preferred(haproxy, ["engine1", "engine2", "engine3"], path)
    lines = Path(path).read_text(encoding="ascii").splitlines()
    assert collections.Counter(line.split()[1] for line in lines) == dict.fromkeys(
        ("engine1", "engine2", "engine3"), 20
    )
    # All at once: a user who comes in between finds the earlier ones.
    assert haproxy.commands == [*(f"add map @3 {path} {line}" for line in lines), f"commit map @3 {path}"]
    assert [int(line.split()[0]) for line in lines] == list(range(sut.DRAWS))


def test_the_configuration_draws_as_many_numbers() -> None:
    template = Path(__file__).resolve().parents[5] / "roles/haproxy/templates/haproxy.cfg.j2"
    assert f"'rand({sut.DRAWS}),map_str(" in template.read_text(encoding="utf-8")


def test_users_who_moved_are_counted() -> None:
    question = "show table moved_users data.server_id lt 0"
    header = "# table: moved_users, type: binary, size:102400, used:12\n\n"
    assert sut.moved_users(HAProxy({question: header})) == 12
    assert sut.moved_users(HAProxy({question: "\n"})) == 0
