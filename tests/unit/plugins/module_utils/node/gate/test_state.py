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
family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
listener = socket.create_server((sys.argv[1], 0), family=family)
print(listener.getsockname()[1], flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_another_program_on_the_port_of_the_engine_is_named(address: str) -> None:
    if address == "::1" and not Path("/proc/sys/net/ipv6/conf/lo/disable_ipv6").exists():
        pytest.skip("IPv6 is off")
    own = sockets.of_process(os.getpid())
    with subprocess.Popen(
        [sys.executable, "-c", LISTENER, address], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        port = int(other.stdout.readline())
        # The tests' own process stands for the engine. A child process is a part of it.
        assert sockets.listens(sockets.of_process(os.getpid()), port)
        assert not sockets.listens(own, port)
        reason = sut._not_its_port(sockets.holders(port), port)
        assert f"port {port} is held by python" in reason
        assert f"(pid {other.pid}" in reason
        other.communicate()
    assert sockets.holders(port) == []
    assert sut._not_its_port([], port) == ""


def test_a_holder_may_have_any_name_or_be_hidden(tmp_path: Path) -> None:
    (tmp_path / "net").mkdir()
    line = "0: 00000000:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 4711 1 0"
    (tmp_path / "net/tcp").write_text(f"head\n{line}\n", encoding="ascii")
    assert sockets.holders(8080, str(tmp_path)) == ["a process that is not visible on this host"]
    (tmp_path / "7/fd").mkdir(parents=True)
    (tmp_path / "7/fd/3").symlink_to("socket:[4711]")
    (tmp_path / "7/comm").write_bytes(b"a\x1b[2Jb\n")
    assert sockets.holders(8080, str(tmp_path)) == ["a?[2Jb (pid 7)"]
    (tmp_path / "7/cgroup").write_text("0::/system.slice/nginx.service\n", encoding="ascii")
    assert sockets.holders(8080, str(tmp_path)) == ["a?[2Jb (pid 7, unit nginx.service)"]
    assert sockets.holders(8081, str(tmp_path)) == []


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
    assert facts["port_problem"] == facts["health"]["reason"]
    # The engine is stopped, and balancers may send users to the other program.
    node.active = False
    facts = sut.gather(node.settings(), str(node.store), scope)
    assert facts["health"]["reason"].startswith("the engine does not run; port 8080 is held by nginx (pid 7)")
    # It counts whether or not health is checked.
    without = sut.gather(node.settings(), str(node.store), scope._replace(health=None))
    assert "nginx (pid 7)" in without["port_problem"]


def test_the_licence_on_the_node(node: t.Any) -> None:
    node.vendor("configuration/my.lic", b"server.nodes.limit=3\nlicence.valid.until=2027-11-03\n")
    assert (licence.read_installed(node.settings().roots["engine"]) or {})["nodes"] == 3
