# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A new cluster does not start on a search server that another cluster uses."""

from __future__ import annotations

import http.server
import json
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.ivy.cluster.tests.in_process import run_play

ROOT = Path(__file__).resolve().parents[3]
PLAY = """
- hosts: localhost
  connection: local
  gather_facts: false
  tasks:
    - ansible.builtin.import_tasks: "{{ tasks }}"
"""
INDICES = [{"index": "ivy-default-businessdata-1"}]


class Search(http.server.BaseHTTPRequestHandler):
    """Answers every request with the server's status and content."""

    def do_GET(self) -> None:
        server: Any = self.server
        server.requested.append(self.path)
        content = json.dumps(server.content).encode()
        self.send_response(server.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_arguments: Any) -> None:
        pass


@pytest.fixture
def search() -> Iterator[Any]:
    server: Any = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Search)
    server.status, server.content, server.requested = 200, INDICES, []
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def run(tmp_path: Path, search: Any, **more: Any) -> subprocess.CompletedProcess[str]:
    (tmp_path / "play.yml").write_text(PLAY, encoding="utf-8")
    values = {
        "ansible_python_interpreter": "{{ ansible_playbook_python }}",
        "tasks": str(ROOT / "roles/rollout/tasks/check_search.yml"),
        "ivy_search_address_url": f"http://127.0.0.1:{search.server_address[1]}",
        "ivy_search_user": "",
        "ivy_search_password": "",
        "ivy_known_secrets": [],
        "ivy_accept_unsupported": [],
        "__rollout_search_acknowledgement": "search-in-use",
        **more,
    }
    return run_play(tmp_path, values)


def test_indices_of_another_cluster_stop_the_rollout(tmp_path: Path, search: Any) -> None:
    done = run(tmp_path, search)
    assert done.returncode != 0
    assert "ivy-default-businessdata-1" in done.stdout
    assert "add search-in-use to" in " ".join(done.stdout.split())
    assert search.requested == ["/_cat/indices/ivy-*?format=json&h=index"]


@pytest.mark.parametrize(
    ("status", "content", "accepted"),
    [
        (200, INDICES, ["search-in-use"]),
        (200, [], []),
        (404, {"error": "no such index"}, []),
        (200, "text", []),
        (401, INDICES, []),
        (200, {"index": "ivy-"}, []),
    ],
    ids=["acknowledged", "no index", "an error", "a text", "no rights", "no list"],
)
def test_everything_else_does_not(tmp_path: Path, search: Any, status: int, content: Any, accepted: list[str]) -> None:
    search.status, search.content = status, content
    done = run(tmp_path, search, ivy_accept_unsupported=accepted)
    assert done.returncode == 0, done.stdout


def test_more_names_than_are_read_stop_it_as_well(tmp_path: Path, search: Any) -> None:
    search.content = INDICES * 30000
    done = run(tmp_path, search)
    assert done.returncode != 0
    assert "more than 1 MiB of names" in done.stdout
