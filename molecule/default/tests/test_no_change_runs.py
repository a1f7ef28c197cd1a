# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Molecule's second run has restarted nothing. Runs before any test that restarts something."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conftest import Lab


def test_the_second_run_restarted_no_process(lab: Lab) -> None:
    """Molecule checks that the run reports no change, but would miss a restart that is not reported."""
    for service, pid in lab.pids().items():
        name, _space, unit = service.partition(" ")
        ages = lab.host(name).check_output(
            f"echo $(ps -o etimes= -p {pid}) $(($(date +%s) - $(stat -c %Y /run/ivy-test-first-run)))"
        )
        process, first_run = map(int, ages.split())
        assert process >= first_run, f"{unit} on {name} was started after the first run"
