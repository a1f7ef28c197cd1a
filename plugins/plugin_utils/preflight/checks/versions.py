# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the versions fit together, and what the user wants although the vendor does not support it."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.ivy.cluster.plugins.plugin_utils.common.findings import WARNING, Finding
from ansible_collections.ivy.cluster.plugins.plugin_utils.common.text import listed
from ansible_collections.ivy.cluster.plugins.plugin_utils.preflight.model.inventory import ENGINES, Inventory

_JAVA = re.compile(r"(?:openjdk|java|jdk|jre|temurin)-?(\d{1,2})(?!\d)")


def check(inventory: Inventory) -> list[Finding]:
    """What the profile says about the rest of the inventory. PostgreSQL and the search engine: see ``outside``."""
    return [*check_support(inventory), *check_read_only(inventory), *check_java(inventory)]


def check_support(inventory: Inventory) -> list[Finding]:
    profile = inventory.profile
    if profile is None:
        return []
    version = inventory.text("ivy_engine_version")
    findings = []
    if not profile.get("enterprise_native", True):
        findings.append(
            unsupported(
                inventory,
                "native-enterprise",
                "ivy_engine_version",
                f"the vendor supports a cluster of engine {version} in containers only",
                "Choose another version",
            )
        )
    transport = inventory.text("ivy_jgroups_transport") or profile.get("transport")
    if transport == "tcp" and profile.get("transport") == "multicast":
        findings.append(
            unsupported(
                inventory,
                "jgroups-tcp",
                "ivy_jgroups_transport",
                f"the documentation of engine {version} asks for multicast, and this is tcp",
                "Leave the option empty",
            )
        )
    return findings


def outside(
    inventory: Inventory, acknowledgement: str, host: str, product: str, version: str, supported: t.Mapping[str, t.Any]
) -> list[Finding]:
    """An acknowledged version outside the table. Without the acknowledgement the role's option checks report it."""
    if not version or acknowledgement not in inventory.items("ivy_accept_unsupported"):
        return []
    if "min" in supported:
        inside = version.isdecimal() and int(supported["min"]) <= int(version) <= int(supported["max"])
        table = f"{product} {supported['min']} to {supported['max']}"
    else:
        accepted = [str(supported["version"]), *(str(text) for text in supported.get("accepted", ()))]
        inside = any(version == text or version.startswith(f"{text}.") for text in accepted)
        table = f"{product} {' or '.join(accepted)}"
    if inside:
        return []
    problem = f"the vendor supports {table} with engine {inventory.text('ivy_engine_version')}, and this is {version}"
    return [unsupported(inventory, acknowledgement, host, problem, "Choose another version")]


def unsupported(inventory: Inventory, acknowledgement: str, where: str, problem: str, otherwise: str) -> Finding:
    """An error until it is acknowledged, and a warning in every report from then on."""
    if acknowledgement in inventory.items("ivy_accept_unsupported"):
        advice = (
            f"Acknowledged by {acknowledgement} in ivy_accept_unsupported; the vendor's support may refuse to help."
        )
        return Finding("acknowledged", "Acknowledgements", where, problem, advice, WARNING)
    advice = f"{otherwise}, or add '{acknowledgement}' to ivy_accept_unsupported."
    return Finding("unsupported", "Versions", where, problem, advice)


def check_read_only(inventory: Inventory) -> list[Finding]:
    profile = inventory.profile
    on = [host.name for host in inventory.of(ENGINES) if host.flag("engine_read_only_configuration")]
    if profile is None or not on or profile.get("read_only_config", True):
        return []
    problem = f"engine {inventory.text('ivy_engine_version')} knows no read-only configuration (11.3 and later do)"
    where = "engine_read_only_configuration"
    return [Finding("read-only-unknown", "Versions", where, problem, "Leave the option off.")]


def check_java(inventory: Inventory) -> list[Finding]:
    profile = inventory.profile
    if profile is None or "java" not in profile:
        return []
    wanted = int(profile["java"])
    found: dict[tuple[str, str, int], list[str]] = {}
    for host in inventory.of(ENGINES):
        option = "engine_java_home" if host.text("engine_java_home") else "engine_java_package"
        value = host.text(option)
        match = _JAVA.search(value)
        if match is not None and int(match[1]) != wanted:
            found.setdefault((option, value, int(match[1])), []).append(host.name)
    return [
        Finding(
            "java-version",
            "Versions",
            f"{option}, on {listed(names)}",
            f"'{value}' is Java {version}, and engine {inventory.text('ivy_engine_version')} needs Java {wanted}",
            "Leave the option out, or name the Java that the engine needs.",
        )
        for (option, value, version), names in found.items()
    ]
