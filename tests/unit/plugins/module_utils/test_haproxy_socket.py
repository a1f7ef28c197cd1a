# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HAProxy's answers, as versions 2.6 and 3.0 give them."""

from __future__ import annotations

import socket
import stat
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ansible_collections.ivy.cluster.plugins.module_utils import haproxy_socket as sut

STATISTICS = """\
# pxname,svname,scur,stot,qcur,status,weight,lastchg,type,check_status,check_code,last_chk,check_desc,addr,-,new_in_3_0,
public_https,FRONTEND,2,24,,OPEN,,,0,,,,,,-,0,
engine_nodes,engine1,1,8,0,UP,100,1606,2,L7OK,200,,Layer7 check passed,172.30.61.21:8080,-,0,
engine_nodes,engine2,0,3,0,UP 1/3,100,5,2,* L4CON,,Connection refused,Layer4 connection problem,172.30.61.22:8080,-,0,
engine_nodes,engine3,0,0,0,DOWN 1/2,,7,2,L7RSP,,"matched, unwanted",Layer7 invalid response,,-,0,
engine_nodes,engine4,0,0,0,MAINT,100,7,2,,,,,172.30.61.24:8080,-,0,
engine_nodes,BACKEND,1,14,0,UP,300,595,1,,,,,,-,0,

"""
HEADER = (
    "# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_iweight"
    " srv_time_since_last_change srv_check_status srv_check_result srv_check_health srv_check_state srv_agent_state"
    " bk_f_forced_id srv_f_forced_id srv_fqdn srv_port srvrecord srv_use_ssl srv_check_port srv_check_addr"
    " srv_agent_addr srv_agent_port"
)
STATES = f"""\
1
{HEADER}
4 engine_nodes 1 engine1 172.30.61.21 2 8 100 100 1018 15 3 4 6 0 0 0 - 8080 - 0 0 - - 0
4 engine_nodes 2 engine2 172.30.61.22 2 0 100 100 997 15 3 4 6 0 0 0 - 8080 - 0 0 - - 0
4 engine_nodes 3 engine3 172.30.61.23 0 9 100 100 1065 15 3 4 6 0 0 0 - 8080 - 0 0 - - 0

"""
CONFIGURATION = """\
global
    log /dev/log local0

# server nothing 192.0.2.99:1
backend engine_nodes
    default-server check
    server engine1 172.30.61.21:8081 cookie engine1
    server engine2 engine2.example.com:8080 cookie engine2
    server engine5 [2001:db8::5]:8080 cookie engine5

frontend metrics
    bind 127.0.0.1:8405
"""

# What is asked, and what is answered.
Answers = dict[str, str]


@pytest.fixture(name="haproxy")
def fixture_haproxy(tmp_path: Path) -> Iterator[Callable[[Answers], str]]:
    """A process that answers at a UNIX socket and closes, as HAProxy does."""
    listeners: list[socket.socket] = []

    def serve(listener: socket.socket, answers: Answers) -> None:
        while True:
            try:
                connection, _peer = listener.accept()
            except OSError:
                return
            with connection:
                command = connection.makefile().readline().strip()
                connection.sendall(answers.get(command, f"Unknown command: {command!r}.\n").encode())

    def start(answers: Answers) -> str:
        path = str(tmp_path / f"admin{len(listeners)}.sock")
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(path)
        listener.listen()
        listeners.append(listener)
        threading.Thread(target=serve, args=(listener, answers), daemon=True).start()
        return path

    yield start
    for listener in listeners:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def test_an_answer_is_read_to_its_end(haproxy: Callable[[Answers], str]) -> None:
    long = "x: y\n" * 100000
    assert sut.RuntimeSocket(haproxy({"show info": long})).command("show info") == long


def test_a_refused_command_is_an_error(haproxy: Callable[[Answers], str]) -> None:
    runtime = sut.RuntimeSocket(haproxy({"set server engine_nodes/engine9 state drain": "No such server.\n\n"}))
    with pytest.raises(sut.RuntimeSocketError, match=r"refused 'set server .*': No such server"):
        runtime.command("set server engine_nodes/engine9 state drain")
    with pytest.raises(sut.RuntimeSocketError, match="Unknown command"):
        runtime.command("bogus")


@pytest.mark.parametrize("text", ["show info;disable server a/b", "show info\ndisable server a/b"])
def test_two_commands_in_one_are_refused(text: str) -> None:
    with pytest.raises(sut.RuntimeSocketError, match="one line without a semicolon"):
        sut.RuntimeSocket("/nowhere").command(text)


def test_a_missing_socket_is_named(tmp_path: Path) -> None:
    with pytest.raises(sut.RuntimeSocketError, match=r"admin\.sock cannot be used: .*haproxy\.service"):
        sut.RuntimeSocket(str(tmp_path / "admin.sock")).command("show info")


def test_information_keeps_colons_in_values() -> None:
    assert sut.parse_info("Name: HAProxy\nUptime: 0d 0h00m06s\nbuilt: a:b\n\n") == {
        "Name": "HAProxy",
        "Uptime": "0d 0h00m06s",
        "built": "a:b",
    }


def test_servers_are_described_and_nothing_else() -> None:
    servers = sut.describe_servers(sut.parse_statistics(STATISTICS), sut.parse_server_states(STATES))
    assert [(one["name"], one["status"], one["up"], one["admin_state"]) for one in servers] == [
        ("engine1", "UP", True, "drain"),
        ("engine2", "UP 1/3", False, "ready"),
        ("engine3", "DOWN 1/2", False, "maint"),
        ("engine4", "MAINT", False, "ready"),
    ]
    assert servers[0]["check"] == {"status": "L7OK", "code": "200", "reason": "Layer7 check passed"}
    assert servers[1]["check"] == {"status": "L4CON", "code": "", "reason": "Connection refused"}
    assert servers[2]["check"]["reason"] == "matched, unwanted"
    assert (servers[0]["sessions"], servers[0]["sessions_total"], servers[0]["weight"]) == (1, 8, 100)
    assert (servers[2]["address"], servers[2]["weight"]) == ("172.30.61.23:8080", 0)


@pytest.mark.parametrize(
    ("bits", "state"),
    [(0, "ready"), (1, "maint"), (2, "maint"), (4, "maint"), (8, "drain"), (16, "drain"), (32, "maint"), (9, "maint")],
)
def test_administrative_states(bits: int, state: str) -> None:
    assert sut.admin_state(bits) == state


def test_answers_in_another_form_are_refused() -> None:
    with pytest.raises(sut.RuntimeSocketError, match="statistics"):
        sut.parse_statistics("[]")
    with pytest.raises(sut.RuntimeSocketError, match="format"):
        sut.parse_server_states("2\n# be_id\n")


def test_a_fingerprint_is_that_of_the_first_certificate() -> None:
    pem = "key first\n-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
    assert sut.fingerprint(pem) == "29E2DCFBB16F63BB0254DF7585A15BB6FB5E927D"
    assert sut.fingerprint("no certificate") == ""


def test_saved_states_take_the_addresses_of_the_configuration() -> None:
    rows = sut.reconcile_server_states(STATES, CONFIGURATION).splitlines()
    assert rows[:2] == ["1", HEADER]
    names = HEADER.lstrip("# ").split()
    saved = {row["srv_name"]: row for row in (dict(zip(names, line.split())) for line in rows[2:] if line)}
    # engine3 is no longer configured.
    assert sorted(saved) == ["engine1", "engine2"]
    assert (saved["engine1"]["srv_port"], saved["engine1"]["srv_admin_state"]) == ("8081", "8")
    assert (saved["engine2"]["srv_fqdn"], saved["engine2"]["srv_port"]) == ("engine2.example.com", "8080")


def test_an_ipv6_address_loses_its_brackets() -> None:
    assert sut.parse_configured_servers(CONFIGURATION)["engine_nodes", "engine5"] == ("2001:db8::5", "8080")


def test_states_are_saved_from_the_process(tmp_path: Path, haproxy: Callable[[Answers], str]) -> None:
    configuration, target = tmp_path / "haproxy.cfg", tmp_path / "server-state"
    configuration.write_text(CONFIGURATION)
    sut.save_server_states(haproxy({"show servers state": STATES}), str(configuration), str(target))
    assert " engine1 172.30.61.21 2 8 " in target.read_text()
    assert stat.S_IMODE(target.stat().st_mode) == 0o600

    # Nobody answers before a start: what was saved stays, with the port that is configured by now.
    configuration.write_text(CONFIGURATION.replace("172.30.61.21:8081", "172.30.61.21:9090"))
    sut.save_server_states(str(tmp_path / "nobody"), str(configuration), str(target))
    assert [line.split()[18] for line in target.read_text().splitlines() if " engine1 " in line] == ["9090"]
    assert sorted(path.name for path in tmp_path.glob("server-state*")) == ["server-state"]


def test_a_file_that_is_no_state_is_left_alone(tmp_path: Path) -> None:
    target = tmp_path / "server-state"
    target.write_text("something else\n")
    with pytest.raises(sut.RuntimeSocketError, match="format"):
        sut.save_server_states(str(tmp_path / "nobody"), "/dev/null", str(target))
    assert target.read_text() == "something else\n"


def test_the_ends_of_certificates_become_metrics(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = {
        "show ssl cert": "# filename\n/etc/pki/balancer.pem\n",
        "show ssl cert /etc/pki/balancer.pem": "Filename: x\nnotAfter: Nov  3 00:00:00 2027 GMT\n",
    }
    monkeypatch.setattr(sut.RuntimeSocket, "command", lambda _self, text: answers[text])
    monkeypatch.setattr(sut, "authority_ends", lambda _path: {'The "CA"': 2000000000})
    sut.write_certificate_metrics("/run/socket", "/etc/pki/ca.pem", str(tmp_path / "none"))
    assert list(tmp_path.iterdir()) == []
    sut.write_certificate_metrics("/run/socket", "/etc/pki/ca.pem", str(tmp_path))
    assert (tmp_path / "ivy_certificates.prom").read_text(encoding="utf-8").splitlines()[2:] == [
        'ivy_certificate_expiry_timestamp_seconds{kind="authority",name="The \\"CA\\""} 2000000000',
        'ivy_certificate_expiry_timestamp_seconds{kind="balancer",name="/etc/pki/balancer.pem"} 1825200000',
    ]
    assert [path.name for path in tmp_path.iterdir()] == ["ivy_certificates.prom"]


def test_a_file_that_is_not_there_has_no_authorities(tmp_path: Path) -> None:
    assert sut.authority_ends(str(tmp_path / "ca.pem")) == {}
