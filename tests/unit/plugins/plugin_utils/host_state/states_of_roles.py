# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A program that evaluates the descriptions of all roles for the hosts of an inventory, and prints them as JSON."""

from __future__ import annotations

import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[5]
FACTS = {"distribution": "Debian", "distribution_major_version": "12", "memtotal_mb": 4096, "architecture": "x86_64"}


def main() -> None:
    from ansible.inventory.manager import InventoryManager
    from ansible.parsing.dataloader import DataLoader
    from ansible.playbook.play import Play
    from ansible.plugins.loader import init_plugin_loader
    from ansible.vars.hostvars import HostVars
    from ansible.vars.manager import VariableManager

    init_plugin_loader([str(ROOT / "collections")])
    from ansible_collections.ivy.cluster.tests import in_process

    in_process.compile_templates_once()
    in_process.copy_no_texts()
    in_process.keep_compiled()
    from ansible_collections.ivy.cluster.plugins.plugin_utils.host_state import evaluate
    from ansible_collections.ivy.cluster.plugins.plugin_utils.preflight.model import roles

    loader = DataLoader()
    inventory = InventoryManager(loader=loader, sources=[sys.argv[1]])
    manager = VariableManager(loader=loader, inventory=inventory)
    # Each host's variables contain it from now on.
    HostVars(inventory=inventory, variable_manager=manager, loader=loader)
    play = Play.load({"hosts": "all", "gather_facts": "no", "tasks": []}, manager, loader)
    found = {}
    for host in inventory.get_hosts():
        manager.set_host_facts(host.name, FACTS)
        groups = {group.name for group in host.get_groups()}
        described = {path.parts[-4] for path in (ROOT / "roles").glob("*/vars/main/state.yml")}
        names = [name for name, group in roles.HOSTS_OF.items() if group in groups and name in described]
        variables = manager.get_vars(play=play, host=host)
        descriptions = evaluate.Descriptions(loader, variables, names)
        for name in names:
            found[f"{host.name} {name}"] = descriptions.state(name, {})
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
