# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules of the role firewall, read back."""

from __future__ import annotations

import functools
import re
import typing as t
from pathlib import Path

import jinja2

from ansible_collections.ivy.cluster.plugins.module_utils.preflight import firewall

TEMPLATE = Path(__file__).resolve().parents[5] / "roles/firewall/templates/rules.nft.j2"
CHAINS = [
    {
        "name": "cluster",
        "tcp": [7800, 7900],
        "udp": [45588],
        "addresses": ["192.0.2.21", "192.0.2.0/28", "2001:db8::1"],
    },
    {"name": "http", "tcp": [8080], "udp": [], "addresses": []},
    {"name": "multicast", "tcp": [], "udp": [45589], "addresses": ["192.0.2.22"]},
]


def as_list(lazy: t.Callable[..., t.Any], *arguments: t.Any) -> list[t.Any]:
    return list(lazy(*arguments))


def rules() -> str:
    environment = jinja2.Environment(trim_blocks=True, keep_trailing_newline=True)
    # As in Ansible, which also turns generators into lists.
    environment.tests["search"] = lambda value, pattern: re.search(pattern, value) is not None
    for name in ("select", "reject"):
        lazy = environment.filters[name]
        environment.filters[name] = jinja2.pass_context(functools.partial(as_list, lazy))
    template = environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
    return template.render(
        ansible_managed="", __firewall_table="ivy_engine", __firewall_chains=CHAINS, __firewall_digest="0" * 16
    )


def test_the_ports_and_addresses_of_each_chain() -> None:
    assert firewall.parse(rules()) == [
        {"ports": [7800, 7900], "addresses": ["192.0.2.21", "192.0.2.0/28", "2001:db8::1"]},
        {"ports": [8080], "addresses": []},
    ]


def test_rules_of_others_say_nothing(tmp_path: Path) -> None:
    (tmp_path / "ivy-engine.nft").write_text(rules(), encoding="utf-8")
    (tmp_path / "own.nft").write_text(rules().partition("\n")[2], encoding="utf-8")
    (tmp_path / "empty.nft").write_bytes(b"")
    (tmp_path / "directory.nft").mkdir()
    assert firewall.gather(f"{tmp_path}/*.nft") == firewall.parse(rules())
    assert firewall.gather(f"{tmp_path}/missing/*.nft") == []
