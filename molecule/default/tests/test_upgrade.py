# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A hotfix reaches all nodes at once, and the cluster does not go back without a restore.

The last module: the engines keep the version that is installed here.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import deployments
import pytest

if TYPE_CHECKING:
    from conftest import Lab

ROOT = Path(__file__).resolve().parents[3]
OLD, NEW = "11.3.0", "11.3.1"
ARCHIVES = ROOT / ".cache/archives"
TO_NEW = ("-e", f"ivy_engine_version={NEW}", "-e", f"engine_archive={ARCHIVES / f'AxonIvyEngine{NEW}.1_All_x64.zip'}")
PLAYBOOK = "playbooks/upgrade.yml"


@pytest.fixture(scope="module", autouse=True)
def archive() -> None:
    packer = [str(ROOT / "tests/engine_stand_in/pack.sh"), NEW, str(ARCHIVES)]
    subprocess.run(packer, check=True, capture_output=True)


def running(lab: Lab) -> set[str]:
    """The directories of the versions from which the engines run, as their command lines name them."""
    pid = "$(systemctl show --property MainPID --value axonivy-engine.service)"
    command = f"tr '\\0' '\\n' < /proc/{pid}/cmdline | sed -n 's/^-Divy.engine.directory=//p'"
    return {lab.host(node).check_output(command) for node in lab.nodes}


def test_1_other_playbooks_refuse_the_version_and_name_the_upgrade(lab: Lab) -> None:
    pids = lab.pids()
    refused = lab.playbook("playbooks/site.yml", *TO_NEW)
    assert refused.status != 0
    assert f"The cluster has engine {OLD}, and ivy_engine_version is {NEW}. Nothing was changed." in refused.text
    assert lab.pids() == pids


def test_2_all_problems_are_in_one_message_and_nothing_is_changed(lab: Lab) -> None:
    pids = lab.pids()
    refused = lab.playbook(PLAYBOOK, *TO_NEW, "-e", "ivy_public_url=nowhere", "--limit", "engine_nodes")
    assert refused.status != 0
    for words in ("The engine cannot be upgraded: ", "ivy_public_url", "--limit leaves out"):
        assert words in refused.text, refused.output[-6000:]
    not_accepted = lab.playbook(PLAYBOOK, *TO_NEW)
    assert "engine_accept_downtime is not set." in not_accepted.text, not_accepted.output[-6000:]
    assert not_accepted.changed() == []
    assert lab.pids() == pids


def test_3_check_mode_says_what_users_notice(lab: Lab) -> None:
    pids = lab.pids()
    check = lab.playbook(PLAYBOOK, *TO_NEW, "--check").succeeded()
    assert "Users notice: the service is unavailable from the stop of all engines" in check.text
    assert lab.pids() == pids
    assert running(lab) == {f"/opt/ivy/versions/{OLD}"}


def test_4_all_nodes_get_the_hotfix_and_the_interruption_is_measured(lab: Lab) -> None:
    run = lab.playbook(PLAYBOOK, *TO_NEW, "-e", "engine_accept_downtime=true").succeeded()
    assert running(lab) == {f"/opt/ivy/versions/{NEW}"}
    assert f"The cluster is upgraded from engine {OLD} to {NEW}." in run.text
    measured = r"Users: the service was unavailable for [\w ]+ \(announced: about [\w ]+ for the start\)"
    assert re.search(measured, run.text)
    assert re.search(r"restore_backup=\d{8}T\d{6}Z", run.text)
    lab.until(lambda: len(deployments.versions(lab)) == 1, 60, "every node serves the application")


def test_5_the_same_run_again_changes_nothing(lab: Lab) -> None:
    pids = lab.pids()
    again = lab.playbook(PLAYBOOK, *TO_NEW).succeeded()
    assert again.changed() == [], again.output[-6000:]
    assert f"The cluster had engine {NEW} already." in again.text
    assert lab.pids() == pids


def test_6_only_a_restore_goes_back(lab: Lab) -> None:
    pids = lab.pids()
    refused = lab.playbook(PLAYBOOK, "-e", "engine_accept_downtime=true")
    assert refused.status != 0
    assert "There is no way back but a restore." in refused.text, refused.output[-6000:]
    assert re.search(r"restore_backup=\d{8}T\d{6}Z", refused.text)
    assert lab.pids() == pids
