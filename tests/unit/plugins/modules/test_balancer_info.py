# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a running HAProxy has loaded the files on disk."""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.ivy.cluster.plugins.modules import balancer_info as sut
from ansible_collections.ivy.cluster.tests.timing import PATIENCE

PEM = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
FINGERPRINT = "29E2DCFBB16F63BB0254DF7585A15BB6FB5E927D"
STATISTICS = """\
# pxname,svname,scur,status,type,addr,
engine_nodes,engine1,0,UP,2,192.0.2.21:8080,
engine_nodes,BACKEND,0,UP,1,,
"""


class Balancer:
    """The HAProxy of a host: its socket, its files, and the state that it has loaded."""

    def __init__(self, directory: Path) -> None:
        self.socket = str(directory / "admin.sock")
        self.certificate = directory / "balancer.pem"
        self.certificate.write_text(PEM)
        self.configuration = directory / "haproxy.cfg"
        self.configuration.write_text("global\n")
        self.started = int(self.configuration.stat().st_ctime) + 1
        self.description = "ivy-cluster 0123456789abcdef"
        self.fingerprint = FINGERPRINT
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.socket)
        self.listener.listen()
        threading.Thread(target=self.serve, daemon=True).start()

    def answer(self, command: str) -> str:
        if command == "show info":
            return (
                f"Version: 2.6.12\nPid: 481\nUptime_sec: 5\nStart_time_sec: {self.started}\nCurrConns: 3\n"
                f"description: {self.description}\n"
            )
        if command == "show stat":
            return STATISTICS
        if command == "show servers state":
            return "1\n# be_name srv_name srv_addr srv_port srv_admin_state\nengine_nodes engine1 192.0.2.21 8080 0\n"
        if command in ("show acl", "show map"):
            return "# id (file) description\n"
        if command == "show ssl cert":
            return f"# transaction\n*{self.certificate}\n# filename\n{self.certificate}\n\n"
        if command == f"show ssl cert {self.certificate}":
            return (
                f"Filename: {self.certificate}\nnotAfter: Dec 17 17:12:05 2050 GMT\n"
                f"SHA1 FingerPrint: {self.fingerprint}\nSubject: /CN=ivy.example.com\n"
            )
        return "Unknown command\n"

    def serve(self) -> None:
        while True:
            try:
                connection, _peer = self.listener.accept()
            except OSError:
                return
            with connection:
                connection.sendall(self.answer(connection.makefile().readline().strip()).encode())


@pytest.fixture(name="balancer")
def fixture_balancer(tmp_path: Path) -> Iterator[Balancer]:
    balancer = Balancer(tmp_path)
    yield balancer
    balancer.listener.shutdown(socket.SHUT_RDWR)
    balancer.listener.close()


def run(capsys: pytest.CaptureFixture[str], **options: Any) -> dict[str, Any]:
    with patch_module_args({"timeout": PATIENCE, **options}), pytest.raises(SystemExit):
        sut.main()
    result: dict[str, Any] = json.loads(capsys.readouterr().out)
    return result


def test_an_up_to_date_process_needs_no_reload(balancer: Balancer, capsys: pytest.CaptureFixture[str]) -> None:
    result = run(
        capsys, socket=balancer.socket, digest="0123456789abcdef", files=[str(balancer.configuration), "/nowhere"]
    )
    assert (result["changed"], result["reload_required"], result["reload_reasons"]) == (False, False, [])
    assert result["process"]["pid"] == 481
    assert [(server["name"], server["up"]) for server in result["servers"]] == [("engine1", True)]
    certificate = result["certificates"][0]
    assert (certificate["current"], certificate["not_after"]) == (True, "2050-12-17T17:12:05Z")
    assert certificate["days_left"] > 365


def test_another_configuration_needs_a_reload(balancer: Balancer, capsys: pytest.CaptureFixture[str]) -> None:
    result = run(capsys, socket=balancer.socket, digest="ffffffffffffffff")
    assert result["reload_reasons"] == ["The process has loaded a different configuration from the one on disk."]


def test_a_configuration_without_description_needs_a_reload(
    balancer: Balancer, capsys: pytest.CaptureFixture[str]
) -> None:
    balancer.description = ""
    assert run(capsys, socket=balancer.socket, digest="0123456789abcdef")["reload_required"]


def test_a_file_changed_after_the_start_needs_a_reload(balancer: Balancer, capsys: pytest.CaptureFixture[str]) -> None:
    balancer.started -= 2
    result = run(capsys, socket=balancer.socket, files=[str(balancer.configuration)])
    assert result["reload_reasons"] == [f"{balancer.configuration} was changed after the process started."]


def test_a_file_changed_in_the_second_of_the_start_needs_no_reload(
    balancer: Balancer, capsys: pytest.CaptureFixture[str]
) -> None:
    balancer.started = int(os.stat(balancer.configuration).st_ctime)
    assert not run(capsys, socket=balancer.socket, files=[str(balancer.configuration)])["reload_required"]


@pytest.mark.parametrize("content", [PEM.replace("AAAA", "BBBB"), "", None])
def test_a_new_certificate_needs_a_reload(
    balancer: Balancer, capsys: pytest.CaptureFixture[str], content: str | None
) -> None:
    if content is None:
        balancer.certificate.unlink()
    else:
        balancer.certificate.write_text(content)
    result = run(capsys, socket=balancer.socket)
    assert result["reload_reasons"] == [
        f"The certificate in {balancer.certificate} is not the one that the process serves."
    ]


def test_a_missing_process_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result = run(capsys, socket=str(tmp_path / "admin.sock"))
    assert result["failed"]
    assert "Is haproxy.service running?" in result["msg"]
