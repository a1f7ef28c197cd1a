# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What molecule's second run left of the first one. It comes before any test that restarts something."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conftest import Lab


def test_the_second_run_left_every_process_as_it_was(lab: Lab) -> None:
    """That it changed nothing is judged by molecule; a restart that nobody reports would not be seen there."""
    for service, pid in lab.pids().items():
        name, _space, unit = service.partition(" ")
        ages = lab.host(name).check_output(
            f"echo $(ps -o etimes= -p {pid}) $(($(date +%s) - $(stat -c %Y /run/ivy-test-first-run)))"
        )
        process, first_run = map(int, ages.split())
        assert process >= first_run, f"{unit} on {name} was started after the first run"
