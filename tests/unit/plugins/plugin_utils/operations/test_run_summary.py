# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The summary at the end of a run."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
import yaml

from ansible_collections.ivy.cluster.plugins.plugin_utils.operations import run_summary

ROOT = Path(__file__).resolve().parents[5]
PLANS = {
    "engine1": {"activate": True, "start": False, "restart": True, "reasons": ["ivy.yaml: Port"]},
    "engine2": {"activate": True, "start": True, "restart": False, "reasons": []},
    "engine3": {"activate": True, "start": False, "restart": False, "reasons": []},
    "engine4": {"activate": False, "start": False, "restart": False, "reasons": []},
    "engine5": None,
}


def text(**changes: t.Any) -> str:
    data = {
        "cluster": "demo",
        "engine_version": "11.3.0",
        "url": "https://ivy.example.com/",
        "release": "3f2a9c0d1234567890",
        "check_mode": False,
        "pinned": False,
        "left_out": [],
        "findings": [],
        "nodes": PLANS,
    }
    return run_summary.render({**data, **changes})


def test_it_says_that_users_get_the_maintenance_page() -> None:
    plans = {
        name: {**plan, "maintenance": "IN MAINTENANCE since 10:00"} if plan else None for name, plan in PLANS.items()
    }
    assert text(nodes=plans).splitlines().count("  users    IN MAINTENANCE since 10:00") == 1


def test_it_names_the_release_the_url_each_node_and_the_next_commands() -> None:
    assert text(left_out=["engine9"]).splitlines() == [
        "Cluster demo is at release 3f2a9c0d1234, engine 11.3.0",
        "  URL      https://ivy.example.com/",
        "  restarted: engine1",
        "  started: engine2",
        "  changed without a restart: engine3",
        "  unchanged: engine4",
        "  not finished, see the error above: engine5",
        "  not in this run: engine9",
        "  prove it ansible-playbook ivy.cluster.verify",
        "  watch it ansible-playbook ivy.cluster.status",
    ]


def test_it_shows_how_long_each_step_took() -> None:
    marks = {"drain": 10.0, "stop": 14.25, "start": 20.0, "gate": 20.1, "wait": 50.0, "end": 52.0}
    closed = [{"requests": 1, "websockets": 2}, {"requests": 0, "websockets": 3}]
    # A node that failed has no times, and one that did not restart has none either.
    lines = text(times={"engine1": {"marks": marks, "moved": 7, "closed": closed}, "engine2": {}, "engine3": None})
    assert lines.splitlines()[-4:-2] == [
        "  seconds  drain  stop  start  gate  wait  users moved  WebSockets closed  requests cut off",
        "  engine1    4.2   5.8    0.1  29.9   2.0            7                  5                 1",
    ]


def test_a_node_that_was_drained_has_a_row_without_the_steps_that_it_did_not_take() -> None:
    plan = {**PLANS["engine4"], "outcome": "drained"}  # type: ignore[dict-item]
    times = {"engine4": {"marks": {"drain": 10.0, "stop": 12.0}, "moved": 3, "closed": []}}
    found = text(nodes={"engine4": plan}, times=times).splitlines()
    assert "  drained: engine4" in found
    assert "  engine4    2.0     -      -     -     -            3                  0                 0" in found
    assert "  would be drained: engine4" in text(nodes={"engine4": plan}, check_mode=True).splitlines()


@pytest.mark.parametrize("check", [False, True])
def test_it_names_the_nodes_that_an_operator_keeps_users_from(check: bool) -> None:
    plan = {"activate": True, "start": False, "restart": True, "reasons": []}
    nodes = {
        "engine1": {**plan, "taken_out": ""},
        "engine2": {**plan, "taken_out": "drain on lb1 and lb2"},
        "engine3": None,
    }
    lines = text(nodes=nodes, check_mode=check).splitlines()
    assert "  an operator keeps users out, drain on lb1 and lb2: engine2" in lines


def test_check_mode_reports_what_would_change() -> None:
    found = text(check_mode=True)
    assert "would be at release" in found
    assert "would be restarted: engine1" in found
    assert "unchanged: engine4" in found
    assert "verify" not in found


def test_a_pinned_cluster_names_the_command_that_lifts_the_pin() -> None:
    assert "ansible-playbook ivy.cluster.unpin -e \"rollback_reason='<why>'\"" in text(pinned=True)


def test_the_warnings_of_preflight_are_repeated_and_limited() -> None:
    one = {"code": "disk-low", "area": "Hosts", "subject": "db1", "message": "little room", "fix": "Make room."}
    findings = [{**one, "severity": "warning", "subject": f"db{number}"} for number in range(12)]
    found = text(findings=[*findings, {**one, "severity": "error", "subject": "never"}])
    assert "  12 warnings of preflight:\n    - db0: little room. Make room." in found
    assert "and 2 more" in found
    assert "never" not in found


@pytest.mark.parametrize("playbook", ["site", "rollout", "rollback"])
def test_playbooks_that_roll_out_end_with_the_summary(playbook: str) -> None:
    plays = yaml.safe_load((ROOT / f"playbooks/{playbook}.yml").read_text(encoding="utf-8"))
    assert plays[-1]["ansible.builtin.import_playbook"] == "_includes/summary.yml"
    tasks = yaml.safe_load((ROOT / "playbooks/_includes/summary.yml").read_text(encoding="utf-8"))[-1]["tasks"]
    assert tasks[-1]["run_once"] is True
    assert "ivy.cluster.run_summary" in tasks[-1]["ansible.builtin.debug"]["msg"]
