# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What to adopt may be a list or a text with commas, as surveys and the command line give it."""

from __future__ import annotations

import json
from pathlib import Path

from ansible_collections.ivy.cluster.tests.in_process import run_play

ROOT = Path(__file__).resolve().parents[3]


def test_a_text_with_commas_is_a_list_and_an_empty_one_chooses_nothing(tmp_path: Path) -> None:
    given = {"text": " EMail.Server, a*,", "empty": "", "list": ["a, b"]}
    expected = {"text": ["EMail.Server", "a*"], "empty": [], "list": ["a, b"]}
    tasks = [
        {
            "ansible.builtin.assert": {"that": f"__adopt_chosen['keys'] == {expected[name]!r}"},
            "vars": {"adopt_keys": value, "adopt_files": []},
        }
        for name, value in given.items()
    ]
    variables = str(ROOT / "roles/adopt/vars/main.yml")
    play = [{"hosts": "localhost", "gather_facts": False, "vars_files": [variables], "tasks": tasks}]
    (tmp_path / "play.yml").write_text(json.dumps(play), encoding="utf-8")
    ended = run_play(tmp_path, {})
    assert ended.returncode == 0, ended.stdout + ended.stderr
