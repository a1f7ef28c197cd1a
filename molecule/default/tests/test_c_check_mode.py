# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run in check mode does nothing whatever there is to do, and says what it would do."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conftest import Lab

# Everything that the collection writes on a host, apart from logs and what the services themselves write.
PLACES = (
    "/etc /opt/ivy/versions/*/configuration /opt/ivy/versions/*/deploy /usr/local/lib/ivy-cluster /var/lib/ivy-cluster "
    "/srv/ivy/cluster /run/ivy-cluster"
)


def state(lab: Lab) -> dict[str, list[str]]:
    """Mode, owner, time and digest of each file."""
    look = (
        f"find {PLACES} -xdev -printf '%p %m %U %G %T@ %l\\n' 2>/dev/null | sort; "
        f"find {PLACES} -xdev -type f -print0 2>/dev/null | sort -z | xargs -0 sha256sum"
    )
    return {name: lab.host(name).run(look).stdout.splitlines() for name in lab.addresses}


def test_check_mode_predicts_and_writes_nothing(lab: Lab) -> None:
    values = {"ivy_shared_values": {**lab.variables["ivy_shared_values"], "greeting": "Never to be seen"}}
    processes, files = lab.pids(), state(lab)
    assert all(files.values())

    run = lab.playbook("site.yml", "--check", "--diff", "-e", json.dumps(values)).succeeded()

    assert set(lab.nodes) <= set(run.changed()), "check mode does not predict the change"
    assert state(lab) == files
    assert lab.pids() == processes
