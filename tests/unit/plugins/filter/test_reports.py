# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filters that turn what was seen into reports."""

from __future__ import annotations

import typing as t

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.ivy.cluster.plugins.filter.status_report import status_report
from ansible_collections.ivy.cluster.plugins.filter.verify_report import verify_report

SEEN: dict[str, t.Any] = {
    "cluster": "demo",
    "unit": "axonivy-engine.service",
    "engine_version": "11.3.0",
    "nodes": ["engine1"],
    "balancers": [],
    "hosts": {"engine1": {"address": "192.0.2.21", "reach": {"unreachable": True, "msg": "timed out"}, "results": {}}},
    "database": {"address": "192.0.2.30", "port": 5432, "name": "ivydb", "user": "ivy", "servers": {}},
    "search": {"address": "192.0.2.40", "port": 9200, "servers": {}},
    "transport": "tcp",
    "runtime_deployment": False,
    "proceed_without": [],
    "accept_unsupported": ["jgroups-tcp"],
    "other_services": [],
    "application_checked": False,
    "check_mode": False,
}


def test_verify_gives_data_and_a_table() -> None:
    report = verify_report(SEEN)
    assert not report["ok"]
    assert {"check": "hosts", "subject": "engine1"}.items() <= report["rows"][0].items()
    assert report["rows"][0]["verdict"] == "broken"
    assert report["broken"][0].endswith(": engine1")
    assert "jgroups-tcp" in report["text"].splitlines()[-1]


def test_status_gives_a_screen() -> None:
    assert "UNREACHABLE" in status_report(SEEN)


@pytest.mark.parametrize("report", [verify_report, status_report])
@pytest.mark.parametrize("wrong", [None, {}, {**SEEN, "hosts": None}])
def test_other_input_is_refused_with_the_place_to_get_it_from(report: t.Callable[[t.Any], t.Any], wrong: t.Any) -> None:
    with pytest.raises(AnsibleFilterError, match=r"role ivy\.cluster\.verify"):
        report(wrong)
