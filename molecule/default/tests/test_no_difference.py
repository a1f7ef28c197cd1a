# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run without a change runs no role. Runs before any test that changes a host."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conftest import Lab


def test_a_run_without_a_change_finds_no_difference(lab: Lab) -> None:
    """A role that describes more than its tasks set would run each time, and change nothing."""
    output = lab.playbook("site.yml").succeeded().output
    assert "[Compare the host with the state that its roles set]" in output
    assert "[Print what differs]" not in output, output.partition("[Print what differs]")[2][:4000]
