# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An inventory as preflight sees it: hosts, their groups, and what each variable is on each of them."""

from __future__ import annotations

import dataclasses
import ipaddress
import typing as t

from ansible_collections.ivy.cluster.plugins.plugin_utils.common.text import listed

ENGINES = "engine_nodes"
BALANCERS = "load_balancers"
DATABASES = "database_servers"
SEARCHES = "search_servers"
ETCDS = "etcd_members"
GROUPS = (BALANCERS, ENGINES, DATABASES, SEARCHES, ETCDS)
# Known, and without a role of their own so far.
OTHER_GROUPS = ("file_servers",)


@dataclasses.dataclass(frozen=True)
class Host:
    """One host. ``values`` knows every option, ``given`` names what the inventory itself sets."""

    name: str
    groups: frozenset[str]
    values: t.Mapping[str, t.Any]
    given: frozenset[str] = frozenset()

    def text(self, name: str) -> str:
        """A value as text; empty if it is a list or a dictionary, which the option checks report."""
        value = self.values.get(name)
        return "" if value is None or isinstance(value, (dict, list, tuple)) else str(value).strip()

    def is_invalid(self, name: str) -> bool:
        """Whether the value cannot be resolved or is not text. Another finding reports that."""
        return name in self.given and (
            name not in self.values or isinstance(self.values[name], (dict, list, tuple, type(None)))
        )

    def number(self, name: str) -> int | None:
        """A value as an integer, from a number or text; None if it is neither, which another finding reports."""
        value = self.values.get(name)
        try:
            return None if isinstance(value, bool) else int(str(value).strip())
        except ValueError:
            return None

    def flag(self, name: str) -> bool:
        return str(self.values.get(name, "")).strip().lower() in ("true", "yes", "on", "1", "y", "t")

    def items(self, name: str) -> list[t.Any]:
        value = self.values.get(name)
        return list(value) if isinstance(value, (list, tuple)) else []

    @property
    def address(self) -> str:
        return self.raw_address.strip()

    @property
    def raw_address(self) -> str:
        """The address as it is written, which is how templates get it."""
        for name in ("ivy_address", "ansible_host"):
            if self.text(name):
                return str(self.values[name])
        return self.name


@dataclasses.dataclass(frozen=True)
class Inventory:
    """The hosts of the cluster's groups, each once, and the facts of the engine's version if there are any."""

    hosts: tuple[Host, ...]
    profile: t.Mapping[str, t.Any] | None = None
    group_names: tuple[str, ...] = ()

    def of(self, group: str) -> list[Host]:
        return [host for host in self.hosts if group in host.groups]

    def text(self, name: str) -> str:
        """An option that is the same everywhere, from the first host that has a value for it."""
        return next((host.text(name) for host in self.hosts if host.text(name)), "")

    def is_invalid(self, name: str) -> bool:
        return any(host.is_invalid(name) for host in self.hosts)

    def number(self, name: str) -> int | None:
        return next((number for host in self.hosts if (number := host.number(name)) is not None), None)

    def items(self, name: str) -> list[t.Any]:
        return next((host.items(name) for host in self.hosts if host.items(name)), [])

    def place(self, name: str, hosts: t.Collection[str]) -> str:
        """Where a finding lies: the option, and the hosts unless it is the same on all of them."""
        everywhere = {host.name for host in self.hosts} <= set(hosts)
        return name if everywhere and name else ", ".join(part for part in (name, _on(hosts, bool(name))) if part)


def _on(hosts: t.Collection[str], after_name: bool) -> str:
    return f"{'on ' if after_name else ''}{listed(hosts)}" if hosts else ""


def ip(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(address.strip().strip("[]"))
    except ValueError:
        return None


def odd_spelling(address: str) -> str:
    """What is wrong with how an address is written; empty if it is in its only form, or is a name.

    Templates, digests and comparisons with what hosts report take addresses as texts, and put brackets around IPv6
    addresses where a port follows.
    """
    text = address.strip()
    if text != address:
        return "there are spaces around it"
    if text.startswith("[") or text.endswith("]"):
        return "it has brackets, which are added where they are needed"
    found = ip(text)
    if found is None:
        return "it ends with a dot" if text.rstrip(".") not in ("", text) else ""
    if "%" in text:
        return "it has a zone, which means something else on each host"
    mapped = getattr(found, "ipv4_mapped", None)
    if mapped is not None:
        return f"it is another form of {mapped}"
    return "" if str(found) == text else f"its usual form is {found}"


def is_loopback(address: str) -> bool:
    """An address that means another host on each host."""
    found = ip(address)
    name = address.strip().lower().rstrip(".")
    return found.is_loopback if found is not None else name in ("localhost", "ip6-localhost") or name.startswith("127.")
