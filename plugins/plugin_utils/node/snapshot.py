# Copyright: the ivy.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The facts that a run gathered about a cluster: the input of the reports.

A gathering task can fail without failing the run. Its facts are then missing, and a check that needs them reports why.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.ivy.cluster.plugins.plugin_utils.common import connection_errors
from ansible_collections.ivy.cluster.plugins.plugin_utils.common.connection_errors import diagnose
from ansible_collections.ivy.cluster.plugins.plugin_utils.common.text import plain_text
from ansible_collections.ivy.cluster.plugins.plugin_utils.release import restart

Result = t.Mapping[str, t.Any]
Endpoint = tuple[str, int]

NO_RECORD = "there is no cluster record yet"


class FactError(Exception):
    """A fact is missing. The message is the reason."""


@dataclasses.dataclass(frozen=True)
class Host:
    """One host: whether it is reachable, and the result of each gathering task by its name."""

    name: str
    address: str
    reachable: bool = True
    why: str = ""
    results: t.Mapping[str, Result] = dataclasses.field(default_factory=dict)
    # What to do where it is not reachable.
    advice: str = connection_errors.UNREACHABLE.advice

    def fact(self, name: str, key: str) -> t.Any:
        """One fact of the host. A missing one raises FactError with the reason."""
        result = self.results.get(name)
        if not result:
            raise FactError("this run did not gather it")
        if result.get("unreachable"):
            raise FactError(f"the connection to the host was lost: {lost(result)}")
        if key not in result:
            raise FactError(first_line(result.get("msg")) or "the module returned nothing usable")
        return result[key]

    @property
    def engine(self) -> Result:
        found: Result = self.fact("engine", "engine")
        return found

    @property
    def runs(self) -> bool:
        if not self.reachable:
            return False
        try:
            return bool(self.engine["unit"]["active"] == "active")
        except FactError:
            return False


@dataclasses.dataclass(frozen=True)
class Service:
    """An address that all nodes must use, and the host of the inventory that serves it, if there is one."""

    address: str
    port: int
    host: str = ""

    def __str__(self) -> str:
        return f"{self.address}:{self.port}"


@dataclasses.dataclass(frozen=True)
class Snapshot:
    """The hosts of a run and the inventory's facts about the cluster."""

    cluster: str
    unit: str
    engine_version: str
    nodes: t.Sequence[str]
    balancers: t.Sequence[str]
    hosts: t.Mapping[str, Host]
    database: Service
    database_name: str
    database_user: str
    search: Service
    etcd_members: t.Sequence[str] = ()
    patroni_members: t.Sequence[str] = ()
    transport: str = "tcp"
    runtime_deployment: bool = False
    hot_reload_keys: t.Sequence[str] = ()
    proceed_without: t.Collection[str] = ()
    accept_unsupported: t.Sequence[str] = ()
    other_services: t.Collection[Endpoint] = ()
    application_checked: bool = False
    check_mode: bool = False
    # The address that the load balancers share; empty without one.
    virtual_address: str = ""
    # The hosts of the group search_servers.
    search_servers: t.Sequence[str] = ()
    # What the engines reach through front ends on the load balancers: ``database``, ``search``.
    relayed: t.Collection[str] = ()

    def restart_reasons(self, node: Host) -> list[str]:
        """Why the engine of the node needs a restart. It reloads some keys without one."""
        try:
            changes = node.fact("scan", "drift")
        except FactError:
            changes = []
        return restart.needed(node.engine, changes, self.hot_reload_keys)

    @property
    def present(self) -> list[Host]:
        """The engine nodes of this run, in the order of the inventory."""
        return [self.hosts[name] for name in self.nodes if name in self.hosts]

    @property
    def reached(self) -> list[Host]:
        return [node for node in self.present if node.reachable]

    @property
    def running(self) -> list[Host]:
        return [node for node in self.present if node.runs]

    def record(self) -> tuple[Result, str]:
        """The cluster record, or why it is unknown. It is shared, so any node can read it."""
        why = "no node of this run could be asked for the cluster record"
        for node in self.reached:
            try:
                record = node.fact("record", "record")
            except FactError as exc:
                why = f"the cluster record could not be read: {exc}"
                continue
            if record:
                return record, ""
            why = NO_RECORD
        return {}, why


def _service(value: t.Mapping[str, t.Any]) -> Service:
    """Which host of the inventory serves an address; none does where the address is that of something in between."""
    address = str(value["address"])
    hosts = [str(name) for name, own in value["servers"].items() if own == address]
    return Service(address, int(value["port"]), hosts[0] if hosts else "")


def _host(name: str, value: t.Mapping[str, t.Any]) -> Host:
    reach = value.get("reach") or {}
    reachable = bool(reach) and not reach.get("unreachable", False)
    results = value.get("results") or {}
    if reachable:
        return Host(name, str(value.get("address") or name), results=results)
    found = diagnose(str(reach.get("msg") or ""), connecting=True)
    why = f"{found.cause.problem} ({found.detail})" if found.detail else "no answer"
    return Host(name, str(value.get("address") or name), False, why, results, found.cause.advice)


def snapshot_from(value: t.Mapping[str, t.Any]) -> Snapshot:
    """The facts as the role hands them over. A key that is missing is a KeyError that names it."""
    return Snapshot(
        cluster=str(value["cluster"]),
        unit=str(value["unit"]),
        engine_version=str(value["engine_version"]),
        nodes=[str(name) for name in value["nodes"]],
        balancers=[str(name) for name in value["balancers"]],
        hosts={str(name): _host(str(name), host) for name, host in value["hosts"].items()},
        database=_service(value["database"]),
        database_name=str(value["database"]["name"]),
        database_user=str(value["database"]["user"]),
        search=_service(value["search"]),
        etcd_members=[str(name) for name in value.get("etcd_members") or ()],
        patroni_members=[str(name) for name in value.get("patroni_members") or ()],
        transport=str(value["transport"]),
        runtime_deployment=bool(value["runtime_deployment"]),
        hot_reload_keys=[str(name) for name in value.get("hot_reload_keys") or ()],
        proceed_without=[str(name) for name in value["proceed_without"]],
        accept_unsupported=[str(name) for name in value["accept_unsupported"]],
        other_services={(str(item["address"]), int(item["port"])) for item in value["other_services"]},
        application_checked=bool(value["application_checked"]),
        check_mode=bool(value["check_mode"]),
        virtual_address=str(value.get("virtual_address") or ""),
        search_servers=[str(name) for name in value["search"]["servers"]],
        relayed=[str(name) for name in value.get("relayed") or ()],
    )


def login_problem(host: Host) -> str:
    """Why an engine with the password of the inventory could not log in to the database; empty if it could.

    Without the login role, the password is new and no engine uses it yet.
    """
    try:
        changes = [str(change) for change in host.fact("database_login", "changes")]
    except FactError:
        return ""
    if any(change.startswith("login ") and change.endswith(": created") for change in changes):
        return ""
    return plain_text("; ".join(changes))


def lost(result: Result) -> str:
    """The connection error of an unreachable host, in one line."""
    return diagnose(str(result.get("msg") or ""), connecting=True).detail


def first_line(text: t.Any) -> str:
    lines = str(text or "").strip().splitlines()
    return lines[0] if lines else ""
