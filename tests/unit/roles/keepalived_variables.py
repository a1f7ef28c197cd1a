# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Prints variables of the role keepalived for each of the given cases: {name: variables} as JSON on standard input."""

from __future__ import annotations

import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
ROLE = ROOT / "roles/keepalived"
NAMES = ("keepalived_state", "keepalived_option_problems", "keepalived_router_id")


def main() -> None:
    from ansible.plugins.loader import init_plugin_loader

    init_plugin_loader([str(ROOT / "collections")])

    from ansible.parsing.dataloader import DataLoader
    from ansible.template import Templar

    from ansible_collections.ivy.cluster.plugins.plugin_utils.common import native

    loader = DataLoader()
    own: dict[str, object] = {"role_path": str(ROLE)}
    for name in ("defaults/main.yml", "vars/main/internal.yml", "vars/main/state.yml"):
        own.update(loader.load_from_file(str(ROLE / name), trusted_as_template=True))
    found = {}
    for case, variables in json.load(sys.stdin).items():
        templar = Templar(loader=loader, variables={**own, **variables})
        found[case] = {name: native.plain(templar.resolve_variable_expression(name)) for name in NAMES}
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
