# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Server states that survive a reload and a restart of HAProxy."""

from __future__ import annotations

import fcntl
import stat
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from ansible_collections.ivy.cluster.plugins.module_utils.haproxy import saved_states as sut
from ansible_collections.ivy.cluster.plugins.module_utils.haproxy.runtime_socket import (
    RuntimeSocket,
    RuntimeSocketError,
)

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


Answers = dict[str, str]


def test_saved_states_get_the_addresses_of_the_configuration() -> None:
    rows = sut.reconcile_server_states(STATES, CONFIGURATION).splitlines()
    assert rows[:2] == ["1", HEADER]
    names = HEADER.lstrip("# ").split()
    saved = {row["srv_name"]: row for row in (dict(zip(names, line.split())) for line in rows[2:] if line)}
    # engine3 is no longer configured.
    assert sorted(saved) == ["engine1", "engine2"]
    assert (saved["engine1"]["srv_port"], saved["engine1"]["srv_admin_state"]) == ("8081", "8")
    assert (saved["engine2"]["srv_fqdn"], saved["engine2"]["srv_port"]) == ("engine2.example.com", "8080")


def test_saved_states_get_the_encryption_of_the_configuration() -> None:
    """HAProxy would go on with the saved one, and send HTTP to a port for HTTPS."""

    def encrypted(states: str, configuration: str) -> dict[str, str]:
        names = HEADER.lstrip("# ").split()
        lines = sut.reconcile_server_states(states, configuration).splitlines()[2:]
        return {
            row["srv_name"]: row["srv_use_ssl"] for row in (dict(zip(names, line.split())) for line in lines if line)
        }

    one = CONFIGURATION.replace("cookie engine1", "cookie engine1 ssl verify required")
    assert encrypted(STATES, one) == {"engine1": "1", "engine2": "0"}
    every = CONFIGURATION.replace("default-server check", "default-server check ssl verify required")
    assert encrypted(STATES, every) == {"engine1": "1", "engine2": "1"}
    assert encrypted(STATES.replace("- 8080 - 0", "- 8443 - 1"), CONFIGURATION) == {"engine1": "0", "engine2": "0"}


def test_an_ipv6_address_is_returned_without_brackets() -> None:
    assert sut.parse_configured_servers(CONFIGURATION)["engine_nodes", "engine5"] == ("2001:db8::5", "8080", False)


def test_states_are_saved_from_the_process(tmp_path: Path, haproxy: Callable[[Answers], str]) -> None:
    configuration, target = tmp_path / "haproxy.cfg", tmp_path / "server-state"
    configuration.write_text(CONFIGURATION)
    sut.save_server_states(haproxy({"show servers state": STATES}), str(configuration), str(target))
    assert " engine1 172.30.61.21 2 8 " in target.read_text()
    assert stat.S_IMODE(target.stat().st_mode) == 0o600

    # Before a start no process answers: the saved states remain, with the port of the new configuration.
    configuration.write_text(CONFIGURATION.replace("172.30.61.21:8081", "172.30.61.21:9090"))
    sut.save_server_states(str(tmp_path / "none.sock"), str(configuration), str(target))
    assert [line.split()[18] for line in target.read_text().splitlines() if " engine1 " in line] == ["9090"]
    assert sorted(path.name for path in tmp_path.glob("server-state*")) == ["server-state", "server-state.lock"]
    assert stat.S_IMODE((tmp_path / "server-state.lock").stat().st_mode) == 0o600


def test_a_file_of_another_format_is_not_overwritten(tmp_path: Path) -> None:
    target = tmp_path / "server-state"
    target.write_text("something else\n")
    with pytest.raises(RuntimeSocketError, match="format"):
        sut.save_server_states(str(tmp_path / "none.sock"), "/dev/null", str(target))
    assert target.read_text() == "something else\n"


def test_a_change_is_saved_only_from_the_process(tmp_path: Path) -> None:
    target = tmp_path / "server-state"
    target.write_text(STATES)
    with pytest.raises(RuntimeSocketError, match="cannot be used"):
        sut.save_changed_states(RuntimeSocket(str(tmp_path / "none.sock")), "/dev/null", str(target))
    assert target.read_text() == STATES


def test_whoever_saves_last_asks_the_process_after_the_others_have_written(
    tmp_path: Path, haproxy: Callable[[Answers], str]
) -> None:
    """A change and a reload may save at the same time: the older answer must not replace the newer one."""
    configuration, target = tmp_path / "haproxy.cfg", tmp_path / "server-state"
    configuration.write_text(CONFIGURATION)
    answers = {"show servers state": STATES}
    path = haproxy(answers)
    with open(f"{target}.lock", "w", encoding="ascii") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        saving = threading.Thread(target=sut.save_server_states, args=(path, str(configuration), str(target)))
        saving.start()
        # Whoever has the lock takes engine1 out.
        answers["show servers state"] = STATES.replace(" engine1 172.30.61.21 2 8 ", " engine1 172.30.61.21 2 1 ")
    saving.join()
    assert " engine1 172.30.61.21 2 1 " in target.read_text()


def test_a_lock_that_is_never_released_is_an_error(
    tmp_path: Path, haproxy: Callable[[Answers], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sut, "_LOCK_SECONDS", 0.0)
    runtime, target = RuntimeSocket(haproxy({"show servers state": STATES})), tmp_path / "server-state"
    with open(f"{target}.lock", "w", encoding="ascii") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(RuntimeSocketError, match="cannot be saved in"):
            sut.save_changed_states(runtime, "/dev/null", str(target))
    assert not target.exists()
