# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest

from ansible_collections.ivy.cluster.plugins.module_utils.node.engine import health, licence, sockets
from ansible_collections.ivy.cluster.plugins.module_utils.node.gate import state as sut


def test_a_host_without_an_engine(node: t.Any, tmp_path: Path) -> None:
    scope = sut.Scope(
        8080,
        "h",
        {"requests": [{"path": "/", "status": "200"}]},
        {"port": 7800, "fd_port": 7900, "peers": []},
        {"address": "127.0.0.1", "port": 1},
        None,
        run_directory=str(tmp_path),
    )
    facts = sut.gather(node.settings(tmp_path / "none"), str(tmp_path / "store"), scope)
    assert facts["installed_version"] is None
    assert facts["applied"] is None
    assert facts["running"] is None
    assert facts["health"]["ok"] is False
    assert facts["licence"] is None
    assert facts["start"] is None


def test_the_shipped_jvm_options_are_known_after_they_were_replaced(node: t.Any, tmp_path: Path) -> None:
    scope = sut.Scope(8080, "h", None, None, None, None, run_directory=str(tmp_path))
    node.vendor("bin/AxonIvyEngine", b"#!/bin/sh\n")
    node.vendor("configuration/jvm.options", b"-Xmx2g\n-XX:+UseG1GC\n")
    assert sut.gather(node.settings(), str(node.store), scope)["shipped_jvm_options"] is None
    node.record_baseline()
    node.vendor("configuration/jvm.options", b"-Xmx1g\n")
    assert sut.gather(node.settings(), str(node.store), scope)["shipped_jvm_options"] == "-Xmx2g\n-XX:+UseG1GC\n"


LISTENER = """
import socket, sys
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
sys.stdin.read()
"""


def test_another_program_on_the_port_of_the_engine_is_not_the_engine() -> None:
    own = sockets.of_process(os.getpid())
    with subprocess.Popen([sys.executable, "-c", LISTENER], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        port = int(other.stdout.readline())
        # The tests' own process stands for the engine. A child process is a part of it.
        assert sut._not_its_port(sockets.of_process(os.getpid()), port) == ""
        reason = sut._not_its_port([one for one in own if one.local_port != port], port)
        assert f"port {port} is held by python" in reason
        assert f"(pid {other.pid})" in reason
        other.communicate()
    assert sut._not_its_port(own, port) == f"the engine does not listen on port {port}"


def test_the_health_of_an_engine_that_does_not_have_its_port(
    node: t.Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another program would answer as a healthy engine does."""
    monkeypatch.setattr(health, "check", lambda *_args: health.Health(200, True, ""))
    monkeypatch.setattr(sockets, "holders", lambda _port: ["nginx (pid 7)"])
    node.active = True
    scope = sut.Scope(8080, "h", {"requests": []}, None, None, None, run_directory=str(tmp_path))
    monkeypatch.setattr(sut, "show", node.unit)
    facts = sut.gather(node.settings(), str(node.store), scope)
    assert facts["health"]["ok"] is False
    assert "port 8080 is held by nginx (pid 7)" in facts["health"]["reason"]


def test_the_licence_on_the_node(node: t.Any) -> None:
    node.vendor("configuration/my.lic", b"server.nodes.limit=3\nlicence.valid.until=2027-11-03\n")
    assert (licence.read_installed(node.settings().roots["engine"]) or {})["nodes"] == 3
