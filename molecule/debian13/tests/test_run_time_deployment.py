# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From 12.0.9 on, one running node deploys an application for all while users work. No engine is stopped."""

from __future__ import annotations

from typing import TYPE_CHECKING

import deployments
from user_load import Load

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Browser, Lab

WATCHED = "/opt/ivy/versions/12.0.9/deploy"


def artefacts(lab: Lab, node: str) -> list[str]:
    return sorted(lab.host(node).check_output(f"ls -A {WATCHED}").split())


def test_no_request_fails_and_a_failed_deployment_is_withdrawn(lab: Lab, browser: Browser, tmp_path: Path) -> None:
    (before,) = deployments.versions(lab)
    pids = lab.pids()
    first, second = lab.nodes[:2]
    changed = deployments.changed_demo(tmp_path / "changed")
    # The archive is complete and has a project, so only the engine finds out what is wrong with it.
    broken = deployments.changed_demo(tmp_path / "broken", "../outside.txt")
    version = int(str(before))

    with Load(browser) as load:
        lab.until(lambda: all(user.nodes for user in load.everybody), 120, "every user has a node")
        run = lab.playbook("playbooks/deploy.yml", *deployments.declared(changed)).succeeded()
        lab.until(lambda: deployments.versions(lab) == {version + 1}, 60, "every node serves the new version")
        placed = artefacts(lab, first)
        failed = lab.playbook("playbooks/deploy.yml", *deployments.declared(broken))
        withdrawn = artefacts(lab, first)
        # Back to the version of the inventory, by another node.
        left_out = ["-e", f'{{"ivy_proceed_without": ["{first}"]}}']
        back = lab.playbook("playbooks/deploy.yml", *left_out).succeeded()
        lab.until(lambda: deployments.versions(lab) == {version + 2}, 60, "every node serves the first version again")

    print(load.report("deployment at run time"))
    assert [failure for user in load.everybody for failure in user.failures] == []
    assert load.lost() == []
    assert lab.pids() == pids
    assert f"1 application deployed by {first} at run time. No engine was stopped." in run.output
    assert failed.status != 0
    assert f"demo.zip was not deployed by {first}." in failed.output, failed.output[-6000:]
    assert "An entry of the archive leads out of it" in failed.output
    assert withdrawn == placed
    assert f"1 application deployed by {second} at run time. No engine was stopped." in back.output
    assert "demo.zip.deployed" in artefacts(lab, second)
