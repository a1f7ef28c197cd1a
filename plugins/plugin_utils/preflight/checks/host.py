# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judges each host by itself: can it be worked on, has it what the roles will use."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.ivy.cluster.plugins.plugin_utils.common.connection_errors import BY_NAME, FAILED
from ansible_collections.ivy.cluster.plugins.plugin_utils.common.findings import WARNING, Finding
from ansible_collections.ivy.cluster.plugins.plugin_utils.preflight.model.host_facts import (
    Limits,
    Look,
    Looks,
)
from ansible_collections.ivy.cluster.plugins.plugin_utils.preflight.model.host_requirements import SYSTEM_PATHS
from ansible_collections.ivy.cluster.plugins.plugin_utils.preflight.model.pem import key_fingerprint

SYSTEMS = {"debian": ("12", "13"), "ubuntu": ("22.04", "24.04")}
ARCHITECTURES = ("x86_64", "aarch64")
PYTHON = (3, 9)
LOCALE = "C.UTF-8"
# Beside the services: the kernel, systemd, and what people run there.
_SYSTEM_MB = 256


def usable(look: Look) -> t.Iterator[Finding]:
    if look.reason == "old-python":
        advice = f"Install {PYTHON[0]}.{PYTHON[1]} or newer, and name it in ansible_python_interpreter"
        yield Finding("host-old-python", "Hosts", look.host, f"its Python is {look.detail}, which is too old", advice)
    elif look.reason:
        cause = BY_NAME.get(look.reason, FAILED)
        details = ((look.host, look.detail),) if look.detail else ()
        yield Finding(cause.code, "Hosts", look.host, cause.problem, cause.advice, details=details)


def system(look: Look) -> t.Iterator[Finding]:
    seen = look.seen["system"]
    name, version = seen["os"]["id"], seen["os"]["version"]
    if version not in SYSTEMS.get(name, ()):
        known = "; ".join(f"{one.capitalize()} {' and '.join(versions)}" for one, versions in SYSTEMS.items())
        what = f"its system is {name or 'unknown'} {version}".rstrip()
        yield Finding("os-unsupported", "Hosts", look.host, what, f"The roles know {known}")
    if seen["architecture"] not in ARCHITECTURES:
        what = f"its architecture is {seen['architecture']}"
        yield Finding("architecture-unsupported", "Hosts", look.host, what, f"Use one of {', '.join(ARCHITECTURES)}")
    if not seen["systemd"]:
        advice = "The services are systemd units; use a host that was started with it"
        yield Finding("no-systemd", "Hosts", look.host, "systemd does not run there", advice)
    if look.in_group("engine_nodes") and not seen["has_locale"]:
        advice = "Install the package libc-bin or locales; the engine runs with it"
        yield Finding("locale-missing", "Hosts", look.host, f"it has no locale {LOCALE}", advice)
    if look.plan.time_zone and not seen["has_zone"]:
        what = f"it does not know the time zone {look.plan.time_zone}"
        yield Finding(
            "time-zone-unknown", "Time", look.host, what, "Correct ivy_time_zone, or install the package tzdata"
        )
    for problem in look.plan.problems:
        yield Finding("role-refuses-host", "Versions", look.host, problem, "")


def memory(look: Look) -> t.Iterator[Finding]:
    there = int(look.seen["system"]["memory_mb"])
    wanted = sum(one.mb for one in look.plan.memory)
    if not there or not wanted:
        return
    parts = ", ".join(f"{one.service} {one.mb} MB" for one in look.plan.memory)
    options = ", ".join(one.option for one in look.plan.memory)
    what = f"it has {there} MB of memory, and its services will use {wanted} MB ({parts})"
    if wanted > there:
        yield Finding("memory-too-small", "Memory and disk", look.host, what, f"Add memory, or lower {options}")
    elif wanted + _SYSTEM_MB > there:
        advice = f"Add memory, or lower {options}; otherwise the kernel may kill a service when memory runs out"
        yield Finding("memory-tight", "Memory and disk", look.host, what, advice, WARNING)


def map_count(look: Look) -> t.Iterator[Finding]:
    seen, wanted = look.seen["system"], look.plan.map_count
    if wanted and seen["max_map_count"] < wanted and seen["max_map_count_fixed"]:
        what = (
            f"vm.max_map_count is {seen['max_map_count']}, the search engine needs {wanted}, and it cannot be "
            "changed from there"
        )
        advice = (
            f"As in a container: set it on the machine below (sysctl -w vm.max_map_count={wanted}), "
            "or set elasticsearch_max_map_count: 0"
        )
        yield Finding("max-map-count", "Memory and disk", look.host, what, advice)


def disks(look: Look, limits: Limits) -> t.Iterator[Finding]:
    area = "Memory and disk"
    systems: dict[t.Any, list[dict[str, t.Any]]] = {}
    for one in look.seen["disks"]:
        if one.get("error"):
            what = f"{one['path']} cannot be inspected ({one['error']})"
            yield Finding("disk-unreadable", area, look.host, what, "Check the file system")
        else:
            systems.setdefault(one["device"], []).append(one)
    for same in systems.values():
        one, paths = same[0], ", ".join(_worth_naming([item["path"] for item in same]))
        if one["read_only"]:
            advice = "Mount it for writing; after a disk error check the kernel's log first"
            yield Finding("disk-read-only", area, look.host, f"the file system of {paths} is mounted read-only", advice)
        elif one["free_mb"] < limits.disk_minimum_mb:
            what = f"the file system of {paths} has {one['free_mb']} MB left of {one['size_mb']} MB"
            advice = f"Make room; {limits.disk_minimum_mb} MB are needed at least (preflight_disk_minimum)"
            yield Finding("disk-full", area, look.host, what, advice)
        elif one["free_mb"] < limits.disk_wanted_mb:
            what = f"the file system of {paths} has {one['free_mb']} MB left of {one['size_mb']} MB"
            advice = f"Make room soon; {limits.disk_wanted_mb} MB are wanted (preflight_disk_wanted)"
            yield Finding("disk-low", area, look.host, what, advice, WARNING)
        if one["free_files"] is not None and one["free_files"] < limits.inodes_minimum and not one["read_only"]:
            what = f"the file system of {paths} has room for {one['free_files']} more files only, whatever their size"
            advice = f"Remove small files; {limits.inodes_minimum} are needed at least (preflight_inodes_minimum)"
            yield Finding("disk-inodes", area, look.host, what, advice)


def _worth_naming(paths: t.Sequence[str]) -> list[str]:
    """Of the system's own directories on one file system the uppermost ones, and all that a role names."""
    return [
        path
        for path in dict.fromkeys(paths)
        if path not in SYSTEM_PATHS
        or not any(path != other and path.startswith(f"{other.rstrip('/')}/") for other in paths)
    ]


def clocks(looks: Looks, limits: Limits) -> t.Iterator[Finding]:
    """The duration of a request is unknown, so a clock is known only within bounds. Only sure differences count."""
    ahead = {look.host: _sure(look.clock, limits.clock_tolerance) for look in looks.values()}
    off = {host: seconds for host, seconds in ahead.items() if seconds}
    lows = [looks[host].clock[0] for host in off]
    highs = [looks[host].clock[1] for host in off]
    advice = "Set up time synchronisation there (chrony or systemd-timesyncd)"
    if len(off) == len(looks) > 1 and max(lows) - min(highs) <= limits.clock_tolerance:
        what = f"all hosts are {_seconds(min(off.values(), key=abs))} this controller's clock"
        advice = "Set this machine's clock: the licence's and the certificates' dates are judged by it"
        yield Finding("clock-controller", "Time", "controller", what, advice, WARNING)
        return
    for host, seconds in off.items():
        yield Finding("clock-offset", "Time", host, f"its clock is {_seconds(seconds)} this controller's clock", advice)


def _sure(bounds: tuple[float, float], tolerance: float) -> float:
    """By how much a clock is ahead for sure; 0 where it may be right."""
    low, high = bounds
    return low if low > tolerance else high if high < -tolerance else 0.0


def _seconds(ahead: float) -> str:
    return f"at least {abs(ahead):.0f} seconds {'ahead of' if ahead > 0 else 'behind'}"


def time_zones(looks: Looks) -> t.Iterator[Finding]:
    zones = {look.host: look.seen["system"]["time_zone"] for look in looks.values() if look.in_group("engine_nodes")}
    if len(set(zones.values())) > 1:
        listing = ", ".join(f"{host} {zone or 'none'}" for host, zone in sorted(zones.items()))
        advice = (
            "The cluster does not depend on it, but journals of these hosts are read with different local times; set "
            "one on all of them (timedatectl set-timezone), or read them with journalctl --utc"
        )
        yield Finding(
            "time-zone-differs",
            "Time",
            ", ".join(sorted(zones)),
            f"their time zones differ ({listing})",
            advice,
            WARNING,
        )


def packages(look: Look) -> t.Iterator[Finding]:
    seen = look.seen["packages"]
    if seen["without_candidate"]:
        what = f"apt has nothing to install for {', '.join(seen['without_candidate'])}"
        advice = "Check the package sources and run apt-get update, or correct the option that names the package"
        yield Finding("package-missing", "Packages", look.host, what, advice)
    elif seen["missing"] and not seen["lists"]:
        what = "apt has no package lists yet, so whether the packages can be installed shows only later"
        advice = "Nothing to do where apt reaches its sources: the roles fetch the lists. Else run apt-get update first"
        yield Finding("package-lists-missing", "Packages", look.host, what, advice, WARNING)
    upgrades = seen["upgrades"]
    if upgrades["enabled"]:
        free = [
            name
            for name in look.plan.services
            if name not in seen["held"] and not _left_out(name, upgrades["blacklist"])
        ]
        if free:
            what = (
                f"unattended-upgrades may restart its services, at the same time as on other hosts ({', '.join(free)})"
            )
            advice = "Hold the packages (apt-mark hold), or name them in Unattended-Upgrade::Package-Blacklist"
            yield Finding("upgrades-unattended", "Packages", look.host, what, advice, WARNING)


def _left_out(name: str, patterns: t.Iterable[str]) -> bool:
    """Whether unattended-upgrades leaves a package alone: its patterns are regular expressions for names."""
    return any(_fits(pattern, name) for pattern in patterns)


def _fits(pattern: str, name: str) -> bool:
    try:
        return re.match(pattern, name) is not None
    except re.error:
        return False


def authority(look: Look) -> t.Iterator[Finding]:
    """A host that trusts one CA, and a run that brings another or would make one."""
    plan = look.plan.authority
    trusted = key_fingerprint(look.seen["trusted"])
    if plan is None or not look.seen["trusted"].strip() or plan["replace"]:
        return
    if plan["brought"] == trusted and trusted:
        return
    if plan["given"] and not plan["brought"]:
        does = "brings none"
    elif plan["brought"]:
        does = "brings another one"
    else:
        does = f"would make another one, because {plan['directory']} on the controller holds none"
    what = f"it already trusts a certificate authority ({look.plan.trust_file}), and this run {does}"
    advice = (
        f"Bring back the directory {plan['directory']} of this cluster, or give its CA in certificates_ca_key and "
        "certificates_ca_certificate; to replace the CA for good, set certificates_replace_ca for one run"
    )
    yield Finding("second-authority", "Certificates", look.host, what, advice)
