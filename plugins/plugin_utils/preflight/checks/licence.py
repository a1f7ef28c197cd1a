# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the licence lets this cluster serve."""

from __future__ import annotations

import dataclasses
import datetime
import typing as t
import urllib.parse

from ansible_collections.ivy.cluster.plugins.plugin_utils.common import licence
from ansible_collections.ivy.cluster.plugins.plugin_utils.common.findings import WARNING, Finding
from ansible_collections.ivy.cluster.plugins.plugin_utils.common.profiles import ProfileError, parse_version
from ansible_collections.ivy.cluster.plugins.plugin_utils.common.text import listed
from ansible_collections.ivy.cluster.plugins.plugin_utils.preflight.model.inventory import ENGINES, Inventory

AREA = "Licence"
UNREADABLE = (
    "Copy the licence file that the vendor sent you to this path on the controller, readable for the user that runs "
    "Ansible, or correct ivy_licence_file."
)


@dataclasses.dataclass(frozen=True)
class LicenceFile:
    """A licence that the release would hold. ``data`` is None where it could not be read, ``reason`` says why."""

    name: str
    data: bytes | None
    reason: str = ""


def check(inventory: Inventory, files: t.Sequence[LicenceFile], today: datetime.date) -> list[Finding]:
    if not files and inventory.is_invalid("ivy_licence_file"):
        return []
    if not files:
        problem = "there is no licence, neither ivy_licence_file nor a .lic file in the source"
        advice = "Set ivy_licence_file; without a licence the engine starts in demo mode and keeps nothing."
        return [Finding("licence-missing", AREA, "ivy_licence_file", problem, advice)]
    findings = []
    if len(files) > 1:
        problem = f"there are {len(files)} licences: {listed([file.name for file in files])}"
        advice = "Keep one; which of them the engine would take is not known."
        findings.append(Finding("licence-several", AREA, "ivy_licence_file", problem, advice))
    for file in files:
        findings += _check_file(inventory, file, today)
    return findings


def _check_file(inventory: Inventory, file: LicenceFile, today: datetime.date) -> list[Finding]:
    if file.data is None:
        problem = f"the licence cannot be read ({file.reason})"
        return [Finding("licence-unreadable", AREA, file.name, problem, UNREADABLE)]
    findings = []
    if not file.name.endswith(".lic"):
        problem = "the engine reads licences from files ending in .lic only"
        findings.append(Finding("licence-name", AREA, file.name, problem, "Rename it."))
    try:
        parsed = parse(file.data)
    except licence.LicenceError as error:
        advice = "Use the file as the vendor sent it."
        findings.append(Finding("licence-foreign", AREA, file.name, f"it is not a licence: {error}", advice))
        return findings
    verdict = licence.judge(
        parsed,
        today=today,
        nodes=len(inventory.of(ENGINES)),
        host=_host(inventory.text("ivy_public_url")),
        engine_major=_major(inventory.text("ivy_engine_version")),
    )
    findings += [Finding(found.code, AREA, file.name, found.problem, found.advice) for found in verdict.problems]
    findings += [Finding(found.code, AREA, file.name, found.problem, found.advice, WARNING) for found in verdict.later]
    limit = inventory.number("ivy_licence_nodes") or 0
    if parsed.nodes and limit > parsed.nodes:
        problem = f"it is {limit}, and the licence is for {parsed.nodes} nodes"
        advice = "Leave the option out; it is taken from the licence."
        findings.append(Finding("licence-nodes-option", AREA, "ivy_licence_nodes", problem, advice, WARNING))
    return findings


def parse(data: bytes) -> licence.Licence:
    return licence.parse_licence(data.decode("latin-1"))


def _host(url: str) -> str:
    try:
        return urllib.parse.urlsplit(url).hostname or ""
    except ValueError:
        return ""


def _major(version: str) -> int:
    try:
        return parse_version(version)[0]
    except ProfileError:
        return 0
