# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Groups and cluster-wide options that cannot work, or cannot be meant."""

from __future__ import annotations

import difflib
import json
import posixpath
import re
import typing as t
import urllib.parse
import zoneinfo

from ansible_collections.ivy.cluster.plugins.plugin_utils.common import masking
from ansible_collections.ivy.cluster.plugins.plugin_utils.common.directories import directory_problem
from ansible_collections.ivy.cluster.plugins.plugin_utils.common.findings import WARNING, Finding
from ansible_collections.ivy.cluster.plugins.plugin_utils.common.text import count, listed
from ansible_collections.ivy.cluster.plugins.plugin_utils.preflight.model.inventory import (
    BALANCERS,
    DATABASES,
    ENGINES,
    ETCDS,
    GROUPS,
    OTHER_GROUPS,
    SEARCHES,
    Inventory,
    is_loopback,
    odd_spelling,
)

# The only cluster-wide options that may differ between hosts.
PER_HOST = ("ivy_address",)
# Compared key by key when the release is built, so that a finding names the key.
COMPARED_ELSEWHERE = ("ivy_shared_values", "ivy_shared_secrets")
# Options of the engine that decide what all nodes share.
SAME_ON_ALL_NODES = (
    "engine_applications",
    "engine_archive",
    "engine_archive_checksum",
    "engine_archive_url",
    "engine_read_only_configuration",
    "engine_read_only_copy",
)
DIRECTORIES = (
    "ivy_engine_home",
    "ivy_state_directory",
    "ivy_environment_directory",
    "ivy_share_directory",
    "ivy_data_directory",
    "ivy_record_directory",
)

_CLUSTER_NAME = re.compile(r"[a-z0-9][a-z0-9-]*")
_ACCOUNT = re.compile(r"[a-z_][a-z0-9_-]{0,31}")
_SERVICE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9:_.@-]{0,200}")
# In a JDBC URL, and in quotes in pg_hba.conf.
_DATABASE_NAME = re.compile(r"[^\s/?&#%;\"'\\`<>{}|^\x00-\x1f\x7f]+")
_DATABASE_USER = re.compile(r"[^\"\x00-\x1f\x7f]+")
# PostgreSQL cuts off what is longer.
_LONGEST_DATABASE_NAME = 63
# The name of a login role is that of the owner with this many characters more.
_LOGIN_SUFFIX = 9
_DOCUMENTATION = re.compile(r"(?:.*\.)?example(?:\.(?:com|net|org))?|.*\.invalid|.*\.test")


def check(inventory: Inventory, options: t.Collection[str], secret_options: t.Container[str] = ()) -> list[Finding]:
    """All checks of the cluster as a whole; ``options`` are the cluster-wide ones."""
    return [
        *check_groups(inventory),
        *check_equal(inventory, options, secret_options),
        *check_names(inventory),
        *check_public_url(inventory),
        *check_database(inventory),
        *check_search(inventory),
        *check_directories(inventory),
        *check_left_out(inventory),
    ]


def check_groups(inventory: Inventory) -> list[Finding]:
    findings = []
    for group, what in ((ENGINES, "engine node"), (BALANCERS, "load balancer")):
        if not inventory.of(group):
            problem = "it is empty, or there is no such group"
            findings.append(
                Finding("group-empty", "Inventory", f"group {group}", problem, f"Name at least one {what}.")
            )
    findings += _servers(
        inventory,
        DATABASES,
        "ivy_database_host",
        "database-servers",
        "Name exactly one, or three with etcd_members and one address of the load balancers (ivy_virtual_address), or "
        "set ivy_database_host to the one address that leads to the system database.",
    )
    findings += _search_servers(inventory)
    if len(inventory.of(ENGINES)) == 1:
        problem = "it has one node only, so the service stops with it"
        advice = "Add a second one, unless that is what you want."
        findings.append(Finding("single-node", "Inventory", f"group {ENGINES}", problem, advice, WARNING))
    known = (*GROUPS, *OTHER_GROUPS)
    for name in inventory.group_names:
        near = difflib.get_close_matches(name, known, 1, 0.8)
        if name not in known and near and name.replace("-", "_").rstrip("s") == near[0].rstrip("s"):
            advice = f"Did you mean {near[0]}?"
            findings.append(
                Finding("group-misspelt", "Inventory", f"group {name}", "it means nothing here", advice, WARNING)
            )
    return findings


def _has_front_end_address(inventory: Inventory) -> bool:
    """Whether one address leads to the load balancers, as the role topology derives it."""
    named = inventory.text("ivy_internal_address") or inventory.text("ivy_virtual_address")
    return bool(named) or len(inventory.of(BALANCERS)) == 1


def _has_front_end(inventory: Inventory, group: str) -> bool:
    """Whether the load balancers lead to the database server that is the primary."""
    managed = inventory.text("ivy_database_manager") == "patroni" and bool(inventory.of(ETCDS))
    return group == DATABASES and managed and bool(inventory.of(DATABASES)) and _has_front_end_address(inventory)


def _search_servers(inventory: Inventory) -> list[Finding]:
    """One server, or a cluster that can lose one of its members and still has a majority."""
    number, where = len(inventory.of(SEARCHES)), f"group {SEARCHES}"
    if number < 2:
        advice = "Name one or three, or set ivy_search_url to the one URL that leads to the search engine."
        return _servers(inventory, SEARCHES, "ivy_search_url", "search-servers", advice)
    findings = []
    if number % 2 == 0:
        problem = f"it has {number} hosts, and a majority of them is not less than of {number + 1}"
        problem = "it has 2 hosts, and neither of them is a majority without the other one" if number == 2 else problem
        advice = f"Name {number - 1} or {number + 1}."
        findings.append(Finding("search-servers", "Inventory", where, problem, advice))
    if not inventory.text("ivy_search_url") and not _has_front_end_address(inventory):
        problem = "it has several hosts, and there is no one address of the load balancers, which lead to them"
        advice = "Set ivy_virtual_address, or set ivy_search_url to your own address of the search servers."
        findings.append(Finding("search-front-end", "Inventory", where, problem, advice))
    both = [host.name for host in inventory.of(SEARCHES) if BALANCERS in host.groups]
    if both and not inventory.text("ivy_search_url"):
        problem = (
            f"{listed(both)} is a load balancer as well, and the front end of the search servers needs the same port"
        )
        advice = "Use other hosts, or set ivy_search_url to your own address of the search servers."
        findings.append(Finding("search-front-end", "Inventory", where, problem, advice))
    return findings


def _servers(inventory: Inventory, group: str, option: str, code: str, advice: str) -> list[Finding]:
    number = len(inventory.of(group))
    if inventory.text(option) or number == 1 or _has_front_end(inventory, group):
        return []
    if number == 0:
        problem = f"it is empty, and {option} names none either"
        return [Finding("group-empty", "Inventory", f"group {group}", problem, advice)]
    problem = f"it has {number} hosts, and nothing makes one service of them"
    return [Finding(code, "Inventory", f"group {group}", problem, advice)]


def check_equal(
    inventory: Inventory, options: t.Collection[str], secret_options: t.Container[str] = ()
) -> list[Finding]:
    """Options that all hosts must agree on: an override for one host would be lost, or tear the cluster apart."""
    names = {name for host in inventory.hosts for name in host.given if name in options}
    wanted = [(name, inventory.hosts) for name in sorted(names - {*PER_HOST, *COMPARED_ELSEWHERE})]
    wanted += [(name, tuple(inventory.of(ENGINES))) for name in SAME_ON_ALL_NODES]
    findings = []
    for name, hosts in wanted:
        groups: dict[str, list[str]] = {}
        for host in hosts:
            if name in host.values:
                groups.setdefault(_comparable(host.values[name]), []).append(host.name)
        if len(groups) < 2:
            continue
        hidden = name in secret_options or masking.is_secret_key(name)
        # The smaller group is nearly always the one that somebody overrode.
        odd = min(groups.values(), key=len)
        shown = "; ".join(
            f"{listed(on)}: {masking.MASK if hidden else masking.mask(name, value)}" for value, on in groups.items()
        )
        advice = f"Look for an override in host_vars or a smaller group of {listed(odd)}, and remove it."
        findings.append(Finding("not-equal", "Inventory", name, f"it is not the same on every host ({shown})", advice))
    return findings


def _comparable(value: t.Any) -> str:
    """One form for what means the same: an inventory writes numbers as texts, too."""
    if isinstance(value, (dict, list)):
        return json.dumps(value, sort_keys=True, ensure_ascii=False, default=str)
    return str(value)


def check_names(inventory: Inventory) -> list[Finding]:
    findings = []
    name = inventory.text("ivy_cluster_name")
    if name and not _CLUSTER_NAME.fullmatch(name):
        problem = f"'{name}' may only hold small letters, digits and dashes, and begins with no dash"
        findings.append(Finding("cluster-name", "Inventory", "ivy_cluster_name", problem, "Choose another name."))
    for option in ("ivy_user", "ivy_group"):
        if inventory.text(option) == "root":
            problem = "the engine must not run as root"
            findings.append(Finding("root-user", "Options", option, problem, "Choose a user and a group of its own."))
    for option, pattern, what in (
        ("ivy_user", _ACCOUNT, "user"),
        ("ivy_group", _ACCOUNT, "group"),
        ("ivy_engine_service", _SERVICE, "service"),
    ):
        text = inventory.text(option)
        if text and not pattern.fullmatch(text):
            problem = f"'{text}' cannot be the name of a {what}"
            advice = "Use small letters, digits, dash and underscore, and begin with a letter."
            findings.append(Finding("system-name", "Options", option, problem, advice))
    zone = inventory.text("ivy_time_zone")
    if zone and not _known_zone(zone):
        advice = "Write it as in Europe/Zurich or Etc/UTC."
        findings.append(Finding("time-zone", "Options", "ivy_time_zone", f"'{zone}' is not a time zone", advice))
    return findings


def _known_zone(name: str) -> bool:
    """Whether the time zone is known. A controller without the data knows none, and then each is accepted."""
    return _loads_zone(name) or not _loads_zone("Etc/UTC")


def _loads_zone(name: str) -> bool:
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def check_public_url(inventory: Inventory) -> list[Finding]:
    url = inventory.text("ivy_public_url")
    if not url:
        return []
    where = "ivy_public_url"
    found = re.fullmatch(r"https://([A-Za-z0-9.-]+)(?::([0-9]+))?/?", url)
    if found is None:
        shown = masking.mask("", url)
        problem = f"'{shown}' is not of the form https://name/ or https://name:port/"
        return [Finding("public-url", "Inventory", where, problem, "Write the URL that users type.")]
    findings = []
    host = found[1].lower().rstrip(".")
    if found[2] and not 0 < int(found[2]) < 65536:
        problem = f"{found[2]} is not a port"
        findings.append(Finding("port-range", "Inventory", where, problem, "Use a number from 1 to 65535."))
    if is_loopback(host):
        problem = f"users cannot reach '{host}', which means their own machine"
        findings.append(Finding("public-url", "Inventory", where, problem, "Write the name that users type."))
    elif _DOCUMENTATION.fullmatch(host):
        problem = f"'{host}' is reserved for documentation and tests"
        advice = "Write the name that users type."
        findings.append(Finding("public-name-reserved", "Inventory", where, problem, advice, WARNING))
    nodes = [node.name for node in inventory.of(ENGINES) if host in (node.address.lower(), node.name.lower())]
    if nodes:
        problem = f"'{host}' is the engine node {listed(nodes)} itself, so users would pass by the load balancer"
        advice = "Use a name that leads to the load balancer."
        findings.append(Finding("public-name-is-node", "Inventory", where, problem, advice))
    balancers = inventory.of(BALANCERS)
    if len(balancers) > 1 and any(host in (one.address.lower(), one.name.lower()) for one in balancers):
        problem = f"'{host}' is one of {count(len(balancers), 'load balancer')}, so the others would have no users"
        advice = "Use a name that leads to all of them."
        findings.append(Finding("public-name-is-balancer", "Inventory", where, problem, advice, WARNING))
    return findings


def check_database(inventory: Inventory) -> list[Finding]:
    findings = []
    host = inventory.text("ivy_database_host")
    where = "ivy_database_host"
    if host:
        findings += _check_host(inventory, where, host, "database", DATABASES)
    name = inventory.text("ivy_database_name")
    if name and not _DATABASE_NAME.fullmatch(name):
        problem = f"'{name}' cannot be part of a JDBC URL as it is"
        advice = "Use letters, digits, dash and underscore."
        findings.append(Finding("database-name", "Inventory", "ivy_database_name", problem, advice))
    user = inventory.text("ivy_database_user")
    if user and not _DATABASE_USER.fullmatch(user):
        problem = "it contains quotes or control characters, which the access rules of PostgreSQL cannot contain"
        advice = "Use letters, digits, dash and underscore."
        findings.append(Finding("database-name", "Inventory", "ivy_database_user", problem, advice))
    longest_user = _LONGEST_DATABASE_NAME - (_LOGIN_SUFFIX if inventory.of(DATABASES) else 0)
    for option, text, longest in (
        ("ivy_database_name", name, _LONGEST_DATABASE_NAME),
        ("ivy_database_user", user, longest_user),
    ):
        if len(text.encode()) > longest:
            problem = f"it is longer than {longest} bytes, and PostgreSQL would cut it off"
            findings.append(Finding("database-name", "Inventory", option, problem, "Choose a shorter one."))
    parameters = next(
        (found for one in inventory.hosts if isinstance(found := one.values.get("ivy_database_url_parameters"), dict)),
        {},
    )
    for key in parameters:
        if str(key).lower() in ("user", "password", "sslpassword"):
            problem = f"'{key}' would stand in clear in ivy.yaml"
            advice = "Use ivy_database_user and ivy_database_password."
            findings.append(Finding("secret-in-url", "Secrets", "ivy_database_url_parameters", problem, advice))
    return findings


def check_search(inventory: Inventory) -> list[Finding]:
    findings = []
    url = inventory.text("ivy_search_url")
    where = "ivy_search_url"
    if url:
        shown = masking.mask("", url)
        parts = _split(url)
        if parts is None:
            problem = f"'{shown}' is not of the form http://name:port or https://name:port"
            findings.append(Finding("search-url", "Inventory", where, problem, "Write the search engine's URL."))
        else:
            if parts.username or parts.password:
                problem = "user and password in it would stand in clear in ivy.yaml"
                advice = "Use ivy_search_user and ivy_search_password."
                findings.append(Finding("secret-in-url", "Secrets", where, problem, advice))
            findings += _check_host(inventory, where, parts.hostname or "", "search", SEARCHES)
    password = "ivy_search_password"
    if (inventory.text(password) or inventory.is_invalid(password)) and not inventory.text("ivy_search_user"):
        problem = "there is a password, and ivy_search_user is empty"
        advice = "Set ivy_search_user, or remove the password."
        findings.append(Finding("search-user", "Options", password, problem, advice))
    user = "ivy_search_user"
    if inventory.text(user) and not inventory.text(password) and not inventory.is_invalid(password):
        problem = "there is a user, and ivy_search_password is empty"
        advice = "Set ivy_search_password, or remove the user."
        findings.append(Finding("search-user", "Options", user, problem, advice))
    return findings


def _split(url: str) -> urllib.parse.SplitResult | None:
    """The parts of a server's URL, or None if it is invalid."""
    if re.search(r"\s", url):
        return None
    try:
        parts = urllib.parse.urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    good = parts.scheme in ("http", "https") and parts.hostname and port != 0 and not parts.query and not parts.fragment
    return parts if good else None


def _check_host(inventory: Inventory, where: str, host: str, service: str, group: str) -> list[Finding]:
    if is_loopback(host):
        problem = f"'{host}' is a loopback address, which is another server on every node"
        advice = "Use an address that leads to the same server from everywhere."
        return [Finding(f"{service}-loopback", "Inventory", where, problem, advice)]
    spelling = odd_spelling(host)
    if spelling:
        problem = f"'{masking.mask('', host)}' cannot be used as it is written: {spelling}"
        return [Finding(f"{service}-address", "Inventory", where, problem, "Correct it.")]
    if not re.fullmatch(r"[A-Za-z0-9._-]+|[0-9A-Fa-f:.]+", host):
        problem = f"'{masking.mask('', host)}' is neither a name nor an address"
        advice = "Write it without scheme, port, path and spaces."
        return [Finding(f"{service}-address", "Inventory", where, problem, advice)]
    others = [one for one in inventory.hosts if host.lower() in (one.address.lower(), one.name.lower())]
    foreign = [one.name for one in others if group not in one.groups]
    if others and len(foreign) == len(others):
        problem = f"'{host}' is {listed(foreign)}, which is not in the group {group}"
        advice = "Correct the address, or put the host into the group."
        return [Finding(f"{service}-address", "Inventory", where, problem, advice)]
    servers = inventory.of(group)
    if len(servers) == 1 and not others:
        problem = f"'{host}' is not {servers[0].name}, the host of the group {group}; the nodes would not use that one"
        advice = f"Leave {where} empty, or empty the group."
        return [Finding(f"{service}-address", "Inventory", where, problem, advice, WARNING)]
    return []


def check_directories(inventory: Inventory) -> list[Finding]:
    findings = []
    share = _path(inventory, "ivy_share_directory")
    for option in DIRECTORIES:
        # What is only derived from another directory is as good as that one.
        given = next(
            (str(one.values[option]) for one in inventory.hosts if option in one.given and one.text(option)), ""
        )
        reason = directory_problem(given) if given else ""
        if not reason and option == "ivy_environment_directory" and ":" in given:
            reason = "the unit of the engine cannot name a path with a colon there"
        if reason:
            problem = f"{json.dumps(given, ensure_ascii=False)} cannot be used: {reason}"
            advice = "Choose a directory of its own, such as /srv/ivy."
            findings.append(Finding("directory", "Options", option, problem, advice))
    for option, what in (("ivy_record_directory", "the cluster record"), ("ivy_data_directory", "their files")):
        path = _path(inventory, option)
        if share and path and not _below(path, share):
            problem = f"{path} does not lie under ivy_share_directory ({share}), so the nodes would not share {what}"
            findings.append(Finding("not-on-share", "Inventory", option, problem, "Choose a directory on the share."))
    for option in ("ivy_engine_home", "ivy_state_directory", "ivy_environment_directory"):
        path = _path(inventory, option)
        if share not in ("", "/") and path and (path == share or _below(path, share) or _below(share, path)):
            problem = (
                f"{path} and ivy_share_directory ({share}) lie in one another; this one belongs to each node alone"
            )
            advice = "Choose a directory of its own, on the node's disk."
            findings.append(Finding("on-share", "Inventory", option, problem, advice))
    return findings


def _path(inventory: Inventory, option: str) -> str:
    text = inventory.text(option)
    return posixpath.normpath(text) if text.startswith("/") else ""


def _below(path: str, directory: str) -> bool:
    return path.startswith(directory.rstrip("/") + "/")


def check_left_out(inventory: Inventory) -> list[Finding]:
    findings = []
    nodes = {host.name for host in inventory.of(ENGINES)}
    without = [str(name) for name in inventory.items("ivy_proceed_without")]
    unknown = [name for name in without if name not in nodes]
    if unknown:
        problem = f"not an engine node: {listed(unknown)}"
        advice = f"The group {ENGINES} has {listed(sorted(nodes)) or 'none'}."
        findings.append(Finding("left-out-unknown", "Inventory", "ivy_proceed_without", problem, advice))
    elif nodes and nodes <= set(without):
        problem = "it names every engine node, so nothing would be left to work on"
        findings.append(Finding("left-out-all", "Inventory", "ivy_proceed_without", problem, "Leave one out of it."))
    return findings
