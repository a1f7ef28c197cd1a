# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The background process that listens on ports and keeps a file on the share."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import types
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.ivy.cluster.plugins.module_utils.preflight import network, port_listener
from ansible_collections.ivy.cluster.tests.timing import PATIENCE, Clock, wait_until

TOKEN = "t0k3n"
# Longer than any test takes, so a port listener ends only when it is stopped.
LIFETIME = 1000.0
UID, GID = os.geteuid(), os.getegid()


def test_a_port_listener_answers_until_it_is_stopped(tmp_path: Path, started: list[dict[str, Any]]) -> None:
    file, listener = tmp_path / "probe", port_listener.open_socket(0)
    port = int(listener.getsockname()[1])
    file.write_text("x", encoding="ascii")
    process = port_listener.start([listener], TOKEN, (str(file), UID, GID), LIFETIME)
    started.append(process)

    assert network.connect("127.0.0.1", port, TOKEN, PATIENCE) == ""
    assert network.connect("127.0.0.1", port, "other", PATIENCE) == "another program answers there"
    assert file.exists()
    assert port_listener.stop(process["pid"], process["start"], PATIENCE)
    assert not file.exists()
    assert network.connect("127.0.0.1", port, TOKEN, PATIENCE) == "Connection refused"
    # No socket remains in TIME_WAIT, so the service can listen at once, without SO_REUSEADDR.
    with socket.socket() as service:
        service.bind(("127.0.0.1", port))


def test_a_port_listener_ends_after_its_time(tmp_path: Path, started: list[dict[str, Any]]) -> None:
    file, listener = tmp_path / "probe", port_listener.open_socket(0)
    port = int(listener.getsockname()[1])
    file.write_text("x", encoding="ascii")
    process = port_listener.start([listener], TOKEN, (str(file), UID, GID), 0.3)
    started.append(process)
    wait_until(lambda: port_listener.start_time(process["pid"]) != process["start"], "the end of the process")
    assert not file.exists()
    assert network.connect("127.0.0.1", port, "", PATIENCE) == "Connection refused"


def test_no_descriptor_of_the_run_remains_open() -> None:
    code = (
        f"import json, sys; sys.path[:0] = {[path for path in sys.path if path]!r}\n"
        "from ansible_collections.ivy.cluster.plugins.module_utils.preflight import port_listener\n"
        "print(json.dumps(port_listener.start([], 'x', None, 1000)))"
    )
    # An open descriptor would make this call wait for the end of the process.
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=PATIENCE)
    process = json.loads(done.stdout)
    assert port_listener.stop(process["pid"], process["start"], PATIENCE)


def test_a_silent_client_does_not_block_others_for_long(
    started: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(port_listener, "_CLIENT_TIMEOUT", 0.1)
    listener = port_listener.open_socket(0)
    port = int(listener.getsockname()[1])
    started.append(port_listener.start([listener], TOKEN, None, LIFETIME))
    with socket.create_connection(("127.0.0.1", port)):
        assert network.connect("127.0.0.1", port, TOKEN, PATIENCE) == ""


def test_another_process_with_the_same_pid_is_not_stopped() -> None:
    with subprocess.Popen(["sleep", "1000"]) as other:
        assert port_listener.stop(other.pid, "1", PATIENCE)
        assert other.poll() is None
        other.kill()
    assert port_listener.stop(0, "", PATIENCE)


def test_a_port_listener_has_a_marker(markers: Path, started: list[dict[str, Any]]) -> None:
    assert port_listener.others() == []
    process = port_listener.start([port_listener.open_socket(0)], TOKEN, None, LIFETIME)
    started.append(process)
    assert [path.name for path in markers.iterdir()] == [f"ivy-preflight-{process['pid']}-{process['start']}"]
    assert port_listener.wait_for_others(0) == [process["pid"]]
    assert port_listener.stop(process["pid"], process["start"], PATIENCE)
    assert list(markers.iterdir()) == []
    # A process without listeners blocks no port and needs no marker.
    started.append(port_listener.start([], TOKEN, None, LIFETIME))
    assert list(markers.iterdir()) == []


def test_the_marker_of_a_killed_process_is_removed(markers: Path, started: list[dict[str, Any]]) -> None:
    process = port_listener.start([port_listener.open_socket(0)], TOKEN, None, LIFETIME)
    started.append(process)
    os.kill(process["pid"], signal.SIGKILL)
    wait_until(lambda: port_listener.start_time(process["pid"]) != process["start"], "the end of the process")
    (markers / f"ivy-preflight-{os.getpid()}-1").touch()
    (markers / "ivy-preflight-unrelated").touch()
    assert port_listener.others() == []
    assert [path.name for path in markers.iterdir()] == ["ivy-preflight-unrelated"]


def test_a_port_listener_that_ends_soon_is_awaited(
    started: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    process = port_listener.start([port_listener.open_socket(0)], TOKEN, None, LIFETIME)
    started.append(process)
    assert port_listener.others() == [process["pid"]]
    naps: list[float] = []

    def nap(seconds: float) -> None:
        naps.append(seconds)
        os.kill(process["pid"], signal.SIGTERM)
        wait_until(lambda: port_listener.start_time(process["pid"]) != process["start"], "the end of the process")

    monkeypatch.setattr(port_listener, "time", types.SimpleNamespace(monotonic=time.monotonic, sleep=nap))
    assert port_listener.wait_for_others(PATIENCE) == []
    assert len(naps) == 1


def test_waiting_for_a_port_listener_ends(started: list[dict[str, Any]], clock: Clock) -> None:
    process = port_listener.start([port_listener.open_socket(0)], TOKEN, None, LIFETIME)
    started.append(process)
    assert port_listener.wait_for_others(60) == [process["pid"]]
    assert sum(clock.naps) == pytest.approx(60, abs=1)
