# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.ivy.cluster.plugins.module_utils.haproxy import streams as sut

# Printed by these versions: a request that waits for its response, a request whose body is arriving, a WebSocket, and
# the command itself.
ANSWERS = {
    "2.6.12": """\
0x5625dcffaf70: proto=tcpv4 src=127.0.0.1:47052 fe=public be=engine_nodes srv=engine3 ts=00 epoch=0 age=0s calls=2 \
rate=0 cpu=0 lat=0 rq[f=49c40080h,i=0,an=8000h,rx=,wx=,ax=] rp[f=80400000h,i=0,an=1c00000h,rx=29s,wx=,ax=] \
scf=[8,80h,fd=11] scb=[8,11h,fd=18] exp=1s rc=0 c_exp=
0x7f47b004ff40: proto=tcpv4 src=127.0.0.1:50550 fe=public be=engine_nodes srv=engine3 ts=00 epoch=0 age=0s calls=4 \
rate=0 cpu=0 lat=0 rq[f=c40000h,i=0,an=8000h,rx=29s,wx=,ax=] rp[f=c0040000h,i=0,an=4000000h,rx=,wx=,ax=] \
scf=[8,0h,fd=21] scb=[8,1h,fd=23] exp=1s rc=0 c_exp=
0x561ba33f4ec0: proto=tcpv4 src=127.0.0.1:50540 fe=public be=engine_nodes srv=engine3 ts=00 epoch=0 age=0s calls=3 \
rate=0 cpu=0 lat=0 rq[f=8c48000h,i=0,an=00h,rx=59m59s,wx=59m59s,ax=] \
rp[f=88048000h,i=0,an=00h,rx=59m59s,wx=59m59s,ax=] \
scf=[8,0h,fd=17] scb=[8,11h,fd=18] exp=1s rc=0 c_exp=
0x561ba35225f0: proto=unix_stream src=unix:1 fe=GLOBAL be=<NONE> srv=<none> ts=00 epoch=0 age=0s calls=1 rate=1 cpu=0 \
lat=0 rq[f=c08002h,i=0,an=00h,rx=10s,wx=,ax=] rp[f=80008002h,i=0,an=00h,rx=,wx=,ax=] scf=[8,0h,fd=24] scb=[8,1h,fd=-1] \
exp=10s rc=0 c_exp=
""",
    "3.0.11": """\
0x7fe1430ffc00: proto=tcpv4 src=127.0.0.1:51280 fe=public be=engine_nodes srv=engine3 ts=00 epoch=0 age=1s calls=2 \
rate=0 cpu=0 lat=0 rq[f=1840000h,i=0,an=8000h,ax=] rp[f=80000000h,i=0,an=1c00000h,ax=] scf=[8,482h,fd=13,rex=,wex=] \
scb=[8,1411h,fd=19,rex=29s,wex=] exp=1s rc=0 c_exp=
0x7fe1430ff400: proto=tcpv4 src=127.0.0.1:51306 fe=public be=engine_nodes srv=engine3 ts=00 epoch=0 age=1s calls=3 \
rate=0 cpu=0 lat=0 rq[f=840000h,i=0,an=8000h,ax=] rp[f=80040000h,i=0,an=4000000h,ax=] scf=[8,400h,fd=21,rex=29s,wex=] \
scb=[8,3h,fd=23,rex=,wex=] exp=1s rc=0 c_exp=
0x7fe1436a4c00: proto=tcpv4 src=127.0.0.1:51298 fe=public be=engine_nodes srv=engine3 ts=00 epoch=0 age=1s calls=3 \
rate=0 cpu=0 lat=0 rq[f=848000h,i=0,an=00h,ax=] rp[f=80048000h,i=0,an=00h,ax=] scf=[8,1400h,fd=18,rex=59m59s,wex=] \
scb=[8,1011h,fd=20,rex=59m59s,wex=] exp=1s rc=0 c_exp=
0x7fe143100000: proto=unix_stream src=unix:1 fe=GLOBAL be=<NONE> srv=<none> ts=00 epoch=0 age=0s calls=1 rate=0 cpu=0 \
lat=0 rq[f=848000h,i=0,an=00h,ax=] rp[f=80008000h,i=0,an=00h,ax=] scf=[8,0h,fd=24,rex=10s,wex=] \
scb=[8,1h,fd=-1,rex=,wex=] exp=10s rc=0 c_exp=
""",
}


@pytest.mark.parametrize("version", ANSWERS)
def test_requests_and_websockets_are_counted(version: str) -> None:
    assert sut.parse_streams(ANSWERS[version]) == {("engine_nodes", "engine3"): sut.UnderWay(2, 1)}


def test_nothing_is_under_way() -> None:
    assert sut.parse_streams("\n\n") == {}
