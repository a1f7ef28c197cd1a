# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A node leaves the cluster and comes back while users work: no request fails, and no other process is restarted."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

from user_load import Load

if TYPE_CHECKING:
    from conftest import Browser, Lab

NODE = "engine3"
# `make test-all` repeats each run, which then changes nothing.
EVERY_RUN = os.environ.get("IVY_LAB_EVERY_TEST", "0") == "1"
GROUPS = ("load_balancers", "engine_nodes", "database_servers", "search_servers")
# Prints what is there, one line each. The share of these hosts is mounted by whoever runs them, so it stays.
REMNANTS = """
ls -d /opt/ivy /etc/ivy-cluster /var/lib/ivy-cluster /usr/local/lib/ivy-cluster/* \
  /etc/tmpfiles.d/ivy-cluster-engine.conf /etc/nftables.d/ivy-engine.nft 2>/dev/null
find /etc/systemd -name '*ivy*'
systemctl list-units --plain --no-legend '*ivy*.service' '*ivy*.timer'
nft list tables | grep ivy
true
"""


def record(lab: Lab) -> dict[str, object]:
    found: dict[str, object] = json.loads(
        lab.host("engine1").check_output("runuser -u ivy -- cat /srv/ivy/cluster/record.json")
    )
    return found


def known_by(lab: Lab) -> list[str]:
    """The hosts whose rules or configuration have the node's address or name."""
    address = lab.addresses[NODE]
    rules = f"cat /etc/nftables.d/*.nft | grep -wF {address}"
    commands = {
        **dict.fromkeys(
            lab.groups["load_balancers"], f"grep -w {NODE} /etc/haproxy/haproxy.cfg /var/lib/haproxy/closed-nodes"
        ),
        **dict.fromkeys(lab.groups["database_servers"], f"grep -F {address}/32 /etc/postgresql/*/main/pg_hba.conf"),
        **dict.fromkeys([*lab.groups["search_servers"], *lab.nodes], rules),
    }
    return sorted(name for name, command in commands.items() if name != NODE and lab.host(name).run(command).stdout)


def pids(lab: Lab) -> dict[str, str]:
    return lab.pids(*(host for group in GROUPS for host in lab.groups[group] if host != NODE))


def test_names_that_do_not_fit_are_refused_together(lab: Lab) -> None:
    removed = lab.playbook("playbooks/remove_node.yml", "-e", "remove_node_names=engine9,engine1,engine2,engine3")
    assert removed.status != 0
    assert "engine9 is neither in the group engine_nodes" in removed.output
    assert "The last node of a cluster cannot be removed" in removed.output
    added = lab.playbook("playbooks/add_node.yml", "-e", "add_node_names=engine9")
    assert added.status != 0
    assert "engine9 is not in the group engine_nodes" in added.output
    assert removed.changed() == added.changed() == []


def test_a_node_leaves_and_comes_back_under_load(lab: Lab, browser: Browser) -> None:
    before, hosts = pids(lab), known_by(lab)
    assert len(hosts) == sum(len(lab.groups[group]) for group in GROUPS) - 1
    with Load(browser) as load:
        lab.until(lambda: all(user.nodes for user in load.everybody), 120, "every user has a node")
        lab.playbook("playbooks/remove_node.yml", "-e", f"remove_node_names={NODE}").succeeded()
        assert known_by(lab) == []
        assert pids(lab) == before
        assert lab.host(NODE).check_output(REMNANTS) == ""
        found = record(lab)
        assert found["lease"] is None
        assert NODE not in json.dumps({**found, "history": [], "removed": {}})

        if EVERY_RUN:
            again = lab.playbook("playbooks/remove_node.yml", "-e", f"remove_node_names={NODE}").succeeded()
            assert again.changed() == []

        lab.playbook("playbooks/add_node.yml", "-e", f"add_node_names={NODE}").succeeded()
        assert known_by(lab) == hosts
        assert pids(lab) == before
        lab.until(lambda: browser.node() == NODE, 120, "a new user comes to the node")

    print(load.report("a node is removed and added"))
    assert [failure for user in load.everybody for failure in user.failures] == []
    assert record(lab)["removed"] == {}
    # site would have nothing to do for the node.
    if EVERY_RUN:
        again = lab.playbook("playbooks/add_node.yml", "-e", f"add_node_names={NODE}").succeeded()
        assert again.changed() == []
    assert lab.roll_out().succeeded().changed() == []
