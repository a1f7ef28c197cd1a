# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An engine before 12.0.9 takes an application at its start only: an interruption that is announced and measured.

The last tests of the scenario: the engines keep the version that is deployed here.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import deployments
import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Lab

WATCHED = "/opt/ivy/versions/11.3.0/deploy"


@pytest.fixture(scope="module")
def changed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return deployments.changed_demo(tmp_path_factory.mktemp("application"))


def test_1_no_engine_stops_before_the_interruption_is_accepted(lab: Lab, changed: Path) -> None:
    pids = lab.pids()
    refused = lab.playbook("playbooks/deploy.yml", *deployments.declared(changed))
    assert refused.status != 0
    assert "Users notice: the service is unavailable from the stop until the first engine" in refused.output
    assert "Nothing was changed, because engine_accept_downtime is not set." in refused.output
    assert refused.changed() == []
    assert lab.pids() == pids


def test_2_the_engines_stop_together_and_start_with_it(lab: Lab, changed: Path) -> None:
    (before,) = deployments.versions(lab)
    pids = lab.pids(*lab.nodes)
    # A survey hands the option on as a text.
    accepted = [*deployments.declared(changed), "-e", "engine_accept_downtime=true"]
    run = lab.playbook("playbooks/deploy.yml", *accepted).succeeded()
    lab.until(lambda: deployments.versions(lab) == {int(str(before)) + 1}, 60, "every node serves the new version")
    assert not set(pids.values()) & set(lab.pids(*lab.nodes).values())
    measured = r"Users: the service was unavailable for [\w ]+ \(announced: about [\w ]+\), one start"
    assert re.search(measured, run.output), run.output[-6000:]
    for node in lab.nodes:
        assert "demo.zip.deployed" in lab.host(node).check_output(f"ls {WATCHED}").split()


def test_3_the_same_run_again_changes_nothing(lab: Lab, changed: Path) -> None:
    pids = lab.pids()
    again = lab.playbook("playbooks/deploy.yml", *deployments.declared(changed)).succeeded()
    assert again.changed() == []
    assert "Every node has demo.zip. Nothing is deployed." in again.output
    assert lab.pids() == pids
