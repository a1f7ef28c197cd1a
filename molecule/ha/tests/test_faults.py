# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One part after another of the cluster is lost while users work. Nobody does anything but start hosts again.

Each fault adds a row to .cache/log/faults.md: the longest time without an answer to readers, writers and searches, how
many of their requests failed, the acknowledged writes that were lost, and the time until it was redundant again.
"""

from __future__ import annotations

import dataclasses
import json
import os
import random
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from containers import docker
from fault_load import KINDS, FaultLoad, now

if TYPE_CHECKING:
    from conftest import Browser, Lab

RESULTS = Path(__file__).resolve().parents[3] / ".cache/log/faults.md"
HEAD = ["fault", *KINDS, "lost writes", "redundant again"]
# A limit for hangs. The cold start has its own.
LIMIT = 300.0
COLD_START = 120.0


@dataclasses.dataclass(frozen=True)
class Cluster:
    """The hosts from inside, by the container engine: SSH may not be possible yet."""

    lab: Lab
    users: Browser

    @property
    def hosts(self) -> list[str]:
        return sorted(self.lab.addresses)

    def container(self, host: str) -> str:
        return f"{self.lab.variables['lab_name']}-{host}"

    def run(self, host: str, command: str) -> str:
        """The output of a command; empty if it fails, as on a host that is starting."""
        argv = ["docker", "exec", self.container(host), "sh", "-c", command]
        done = subprocess.run(argv, check=False, capture_output=True, text=True)
        return done.stdout.strip() if done.returncode == 0 else ""

    def holders(self) -> list[str]:
        address = str(self.lab.variables["ivy_virtual_address"])
        return [one for one in self.lab.groups["load_balancers"] if address in self.run(one, "ip -o addr show")]

    def members(self) -> list[dict[str, Any]]:
        """The members of the database as the first one that answers lists them."""
        for host in self.lab.groups["database_servers"]:
            text = self.run(host, "patronictl -c /etc/patroni/config.yml list -f json")
            if text:
                found: list[dict[str, Any]] = json.loads(text)
                return found
        return []

    def primary(self) -> str:
        return next((str(one["Member"]) for one in self.members() if one["Role"] == "Leader"), "")

    def health(self) -> dict[str, Any]:
        """The health of the search cluster as the first member that answers reports it."""
        for host in self.lab.groups["search_servers"]:
            text = self.request(host, 9200, "/_cluster/health")
            if text:
                found: dict[str, Any] = json.loads(text)
                return found
        return {}

    def request(self, host: str, port: int, path: str) -> str:
        """What a service answers to its own host, since the firewalls are closed to others; empty if it does not."""
        url = f"http://{self.lab.addresses[host]}:{port}{path}"
        request = f"u.Request('{url}', headers={{'Host': '{self.lab.public}'}})"
        program = f"import urllib.request as u; print(u.urlopen({request}, timeout=60).read().decode())"
        return self.run(host, f'python3 -c "{program}"')

    def redundant(self) -> bool:
        """Whether each component has lost nothing, as status would report it after some minutes."""
        services = {"load_balancers": "haproxy keepalived", "engine_nodes": "axonivy-engine", "etcd_members": "etcd"}
        for group, units in services.items():
            for host in self.lab.groups[group]:
                if set(self.run(host, f"systemctl is-active {units}").split()) != {"active"}:
                    return False
        members = self.members()
        roles = sorted(str(one["Role"]) for one in members if one["State"] in ("running", "streaming"))
        search, servers = self.health(), len(self.lab.groups["search_servers"])
        return (
            len(self.holders()) == 1
            and len(roles) == len(self.lab.groups["database_servers"])
            and {"Leader", "Sync Standby"} <= set(roles)
            and (search.get("status"), search.get("number_of_nodes")) == ("green", servers)
            and all(self.request(node, 8080, "/demo/api/info") for node in self.lab.nodes)
        )

    def lost(self, load: FaultLoad) -> list[str]:
        """The acknowledged notes that the primary does not have."""
        query = f"SELECT id FROM iwa_note WHERE text LIKE '{load.mark} %'"
        name = self.lab.variables.get("ivy_database_name", "AxonIvySystemDatabase")
        command = f'cd /; runuser -u postgres -- psql -Atqd "{name}" -c "{query}"'
        assert load.written, "nothing was acknowledged"
        kept = {int(word) for word in self.run(self.primary(), command).split()}
        return [f"{number}: {text}" for number, text in load.written.items() if number not in kept]


@pytest.fixture(scope="module")
def cluster(lab: Lab, browser: Browser) -> Iterator[Cluster]:
    """All containers are started again afterwards, whatever the tests' outcome."""
    address = str(lab.variables["ivy_virtual_address"]).partition("/")[0]
    found = Cluster(lab, dataclasses.replace(browser, address=address))
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(f"| {' | '.join(HEAD)} |\n|---|{'--:|' * (len(HEAD) - 1)}\n", encoding="utf-8")
    yield found
    docker("start", *map(found.container, found.hosts))


def note(row: list[str]) -> None:
    line = f"| {' | '.join(row)} |"
    print(line)
    with RESULTS.open("a", encoding="utf-8") as stream:
        stream.write(f"{line}\n")


@contextmanager
def users_at_work(cluster: Cluster, fault: str) -> Iterator[FaultLoad]:
    """Users work before the fault, and until everything serves again. Then their figures are noted."""
    cluster.lab.until(cluster.redundant, LIMIT, "the cluster is redundant before the fault")
    with FaultLoad(cluster.users) as load:
        cluster.lab.until(lambda: load.serves(load.begin), LIMIT, "users are served before the fault")
        begin = now()
        yield load
        # Not the answers to requests that were under way.
        after = now()
        cluster.lab.until(lambda: load.serves(after), LIMIT, f"users are served again: {failures(load)}")
        cluster.lab.until(cluster.redundant, LIMIT, "the cluster is redundant again")
        again = now() - begin
    lost = cluster.lost(load)
    note([fault, *load.row(), f"{len(lost)} of {len(load.written)}", f"{again:.0f} s"])
    assert lost == []


def failures(load: FaultLoad) -> str:
    return "; ".join(f"{kind}: {one.failures[-3:]}" for kind, one in load.records.items())


def test_1_the_address_moves_when_haproxy_of_the_active_load_balancer_is_killed(cluster: Cluster) -> None:
    (active,) = cluster.holders()
    with users_at_work(cluster, "HAProxy of the active load balancer killed"):
        cluster.run(active, "pkill --signal KILL haproxy")
        cluster.lab.until(lambda: bool(set(cluster.holders()) - {active}), LIMIT, "the address moves")
    # It stays there: each move interrupts users.
    assert set(cluster.holders()) == set(cluster.lab.groups["load_balancers"]) - {active}


def test_2_an_engine_is_killed(cluster: Cluster) -> None:
    node = cluster.lab.nodes[0]
    before = cluster.run(node, "systemctl show -p MainPID --value axonivy-engine")
    with users_at_work(cluster, "engine killed"):
        cluster.run(node, "systemctl kill --kill-whom=all --signal=KILL axonivy-engine")
        cluster.lab.until(
            lambda: cluster.run(node, "systemctl show -p MainPID --value axonivy-engine") not in (before, "0", ""),
            LIMIT,
            "systemd starts the engine again",
        )


def test_3_no_acknowledged_write_is_lost_when_the_primary_is_killed(cluster: Cluster) -> None:
    primary = cluster.primary()
    file = "/var/lib/postgresql/*/patroni/postmaster.pid"
    before = cluster.run(primary, f"head -n 1 {file}")
    with users_at_work(cluster, "PostgreSQL of the primary killed"):
        cluster.run(primary, f"kill -KILL {before}")
        # Patroni starts it again, or another member is the primary by then.
        cluster.lab.until(
            lambda: cluster.run(primary, f"head -n 1 {file}") not in (before, ""), LIMIT, "PostgreSQL is started again"
        )


def test_4_searches_go_on_without_the_host_of_a_search_server(cluster: Cluster) -> None:
    victim = cluster.lab.groups["search_servers"][0]
    with users_at_work(cluster, "host of a search server gone") as load:
        docker("kill", cluster.container(victim))
        gone = now()
        cluster.lab.until(lambda: load.serves(gone), LIMIT, f"users are served without {victim}: {failures(load)}")
        docker("start", cluster.container(victim))


def test_5_all_hosts_off_at_once_and_on_in_random_order(cluster: Cluster, tmp_path: Path) -> None:
    """Nobody does anything but switch the hosts on."""
    seed = int(os.environ.get("IVY_LAB_SEED", str(random.randrange(10**6))))
    order = cluster.hosts
    random.Random(seed).shuffle(order)
    with FaultLoad(cluster.users) as load:
        cluster.lab.until(lambda: load.serves(load.begin), LIMIT, "users are served before")
        docker("kill", *map(cluster.container, order))
        off = now()
        for host in order:
            docker("start", cluster.container(host))
        on = now()
        try:
            cluster.lab.until(lambda: load.serves(off, 1), COLD_START, "users are served")
        except AssertionError as error:
            raise AssertionError(f"IVY_LAB_SEED={seed}: {error} {failures(load)}") from error
        served = now() - on
        cluster.lab.until(cluster.redundant, LIMIT, "the cluster is redundant again")
        again = now() - on
    lost = cluster.lost(load)
    fault = f"all hosts off, and on in the order {', '.join(order)}: serves after {served:.0f} s"
    note([fault, *load.row(), f"{len(lost)} of {len(load.written)}", f"{again:.0f} s"])
    assert lost == []

    report = cluster.lab.verify(tmp_path)
    assert report.run.status == 0, report.run.output[-6000:]


def test_6_status_reports_the_redundancy_and_what_must_not_be_lost_next(cluster: Cluster, tmp_path: Path) -> None:
    def redundancy() -> dict[str, Any]:
        directory = tmp_path / "status"
        cluster.lab.playbook("playbooks/status.yml", "-e", f"status_report_directory={directory}").succeeded()
        found: dict[str, Any] = json.loads((directory / "status.json").read_text(encoding="utf-8"))["redundancy"]
        return found

    whole = redundancy()
    assert whole["next_loss"] == "any one of the hosts may be lost"
    assert {one["name"]: one["spare"] for one in whole["components"]} == {
        "load balancers": 1,
        "engine nodes": 1,
        "database": 2,
        "etcd": 1,
        "search": 1,
        "file share": None,
    }

    standby = next(one for one in cluster.lab.groups["load_balancers"] if one not in cluster.holders())
    replica = next(one for one in cluster.lab.groups["database_servers"] if one != cluster.primary())
    stopped = [standby, replica]
    docker("kill", *map(cluster.container, stopped))
    try:
        critical = redundancy()["critical_hosts"]
        remaining = {one for one in cluster.lab.groups["etcd_members"] if one != replica}
        assert {name for name, why in critical.items() if "etcd" in why} == remaining
        assert [name for name, why in critical.items() if "load balancers" in why] == cluster.holders()
    finally:
        docker("start", *map(cluster.container, stopped))
    cluster.lab.until(cluster.redundant, LIMIT, "the cluster is redundant again")
