# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Statistics and server states of HAProxy 2.6 and 3.0."""

from __future__ import annotations

import pytest

from ansible_collections.ivy.cluster.plugins.module_utils.haproxy import servers as sut
from ansible_collections.ivy.cluster.plugins.module_utils.haproxy.runtime_socket import RuntimeSocketError

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


def test_only_servers_are_described() -> None:
    servers = sut.describe_servers(sut.parse_statistics(STATISTICS), sut.parse_server_states(STATES))
    assert [(server["name"], server["status"], server["up"], server["admin_state"]) for server in servers] == [
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
    [(0, "ready"), (1, "maint"), (2, "maint"), (4, "maint"), (8, "drain"), (16, "drain"), (9, "maint")],
)
def test_admin_state(bits: int, state: str) -> None:
    assert sut.admin_state(bits) == state


@pytest.mark.parametrize(("bits", "state"), [(32, "ready"), (64, "ready"), (40, "drain")])
def test_a_name_that_cannot_be_resolved_is_nobodys_request(bits: int, state: str) -> None:
    assert sut.admin_state(bits) == state


def test_a_server_with_weight_0_gets_no_new_users() -> None:
    states = STATES.replace("engine2 172.30.61.22 2 0 100 100", "engine2 172.30.61.22 2 0 0 100")
    statistics = STATISTICS.replace("UP 1/3,100", "UP,0")
    servers = sut.describe_servers(sut.parse_statistics(statistics), sut.parse_server_states(states))
    assert [(server["status"], server["up"]) for server in servers[:2]] == [("UP", True), ("UP", False)]


def test_unknown_formats_are_rejected() -> None:
    with pytest.raises(RuntimeSocketError, match="statistics"):
        sut.parse_statistics("[]")
    with pytest.raises(RuntimeSocketError, match="format"):
        sut.parse_server_states("2\n# be_id\n")
