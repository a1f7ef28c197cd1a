# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hosts of the scenario, seen from outside: by SSH as an ordinary user, by HTTPS through the load balancer."""

from __future__ import annotations

import base64
import functools
import http.client
import json
import os
import re
import socket
import ssl
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode, urlsplit

import pytest
import testinfra
from testinfra.host import Host

from ansible_collections.ivy.cluster.tests.in_process import LIVE

ROOT = Path(__file__).resolve().parents[3]
SCENARIO = ROOT / "molecule/default"
README = ROOT / ".cache/readme"


def inventories() -> list[Path]:
    """The inventories with which tools/readme_way.py installed the hosts, beginning with the README's."""
    others = os.environ.get("OUTSIDE_TESTS_INVENTORY")
    if others:
        # Another scenario, installed by its own converge.yml.
        return [Path(other) for other in others.split(os.pathsep)]
    os.environ["ANSIBLE_VAULT_PASSWORD_FILE"] = str(README / "vault_password")
    more = [SCENARIO / name / "hosts.yml" for name in ("inventory", "lab", "application")]
    return [README / "ivy/inventory/hosts.yml", *more]


INVENTORY = [word for path in inventories() for word in ("-i", str(path))]
UNIT = "axonivy-engine.service"
# Modules run in this order: first tests that change nothing, then those that change and restore the configuration, then
# those that stop or restart hosts and services. Process ages are compared before anything restarts a process.
ORDER = (
    "test_no_change_runs",
    "test_no_difference",
    "test_browser",
    "test_restrictions",
    "test_platform",
    "test_run_time_deployment",
    "test_rollout",
    "test_drift",
    "test_adopt",
    "test_rollback",
    "test_plan",
    "test_backup",
    "test_database_archive",
    "test_two_controllers",
    "test_rolling_restart",
    "test_node_tls",
    "test_strategies",
    "test_maintenance_of_a_node",
    "test_nodes",
    "test_rotation",
    "test_guard",
    "test_hosts",
    "test_safety",
    "test_canary",
    "test_preflight",
    "test_changes_by_hand",
    "test_operating_details",
    "test_balancer_paths",
    "test_balancer_health",
    "test_balancer_reuse",
    "test_drained_node",
    "test_maintenance",
    "test_support_bundle",
    "test_runbooks",
    "test_deploy",
    "test_vanished_host",
    "test_lost_host",
    "test_power_loss",
    "test_update_packages",
    "test_upgrade",
    "test_faults",
)
# What `make test` leaves out for its time. Unit tests run the same playbooks with stand-ins for hosts, or another
# outside test covers most of it. `make test-all` runs it.
LEFT_OUT = (
    "molecule/debian13/tests/test_restrictions.py::",
    "molecule/debian13/tests/test_balancer_reuse.py::",
    "molecule/debian13/tests/test_balancer_health.py::test_balancer_and_gate_agree[12.0.6]",
    "molecule/default/tests/test_balancer_health.py::",
    # On Debian 13 Tomcat is behind the newer HAProxy.
    "molecule/default/tests/test_balancer_paths.py::test_the_corpus_contains_attacks_that_work_without_the_balancer",
    "molecule/default/tests/test_balancer_paths.py::test_behind_the_balancer_tomcat_gets_ordinary_requests_only",
    "molecule/default/tests/test_balancer_paths.py::test_only_an_administrator_reaches_the_administration_of_tomcat",
    "molecule/default/tests/test_balancer_paths.py::test_with_an_allow_list_only_its_paths_pass",
    "molecule/debian13/tests/test_browser.py::",
    "molecule/debian13/tests/test_no_difference.py::",
    "molecule/default/tests/test_no_difference.py::",
    "test_rollout.py::",
    "test_rollback.py::",
    "test_adopt.py::",
    "test_power_loss.py::test_3_the_order_in_which_the_hosts_start_does_not_matter",
    "test_power_loss.py::test_4_the_database_starts_when_its_address_comes_however_late",
    "test_safety.py::test_1_a_node_without_its_share_is_reported_and_does_not_start",
    "test_safety.py::test_5_files_of_any_size_take_neither_the_memory_nor_the_time_of_a_node",
    "test_safety.py::test_6_beside_a_writer_without_pause_no_edit_is_lost",
    "test_lost_host.py::test_3_a_node_that_serves_but_cannot_be_reached_is_taken_out_of_the_balancers",
    "test_lost_host.py::test_4_of_two_nodes_one_serves_while_the_other_and_then_a_balancer_are_lost",
    "test_node_tls.py::test_5_certificates_are_renewed_without_a_failed_request",
    "test_plan.py::",
    "test_strategies.py::",
    "test_two_controllers.py::test_2_a_fresh_lease_is_taken_over_with_a_reason_only",
    "test_two_controllers.py::test_3_a_stale_lease_is_taken_over",
    "test_preflight.py::test_3_site_changes_no_host",
    "test_preflight.py::test_4_site_stops_if_a_host_was_not_inspected",
    "test_backup.py::test_3_an_isolated_cluster_serves_nobody_until_it_goes_live",
    "test_backup.py::test_4_the_timer_makes_a_backup",
    "test_database_archive.py::",
    "test_maintenance_of_a_node.py::test_a_forced_restart_of_one_node",
    "test_maintenance_of_a_node.py::test_a_drain_with_reboot_brings_the_node_back",
    "test_nodes.py::test_names_that_do_not_fit_are_refused_together",
    "test_rotation.py::",
    "test_guard.py::test_2_the_guard_can_be_removed_and_added_again",
    "test_guard.py::test_3_invalid_options_are_rejected_before_any_change",
    "test_guard.py::test_4_a_change_in_an_engine_with_read_only_files_is_lost_at_its_restart",
    "test_canary.py::test_1_check_mode_shows_no_secret_and_writes_nothing",
    "test_canary.py::test_4_the_evidence_of_a_failed_start_shows_no_secret",
    "test_drained_node.py::",
    "test_maintenance.py::",
    "test_runbooks.py::",
    "test_support_bundle.py::",
    "test_update_packages.py::",
    "test_upgrade.py::",
)
EVERY_TEST = os.environ.get("IVY_LAB_EVERY_TEST", "0") == "1"
# Ends a test that hangs. Nothing that works takes this long, even on a slow machine.
PATIENCE = 120.0
# Patterns of unit names by group: PostgreSQL's name contains the version, the search engine's the product.
SERVICES = {
    "load_balancers": "haproxy.service",
    "engine_nodes": UNIT,
    "database_servers": "postgresql@*.service",
    "search_servers": "*search.service",
}


class Moments(NamedTuple):
    """The times of an engine's last stop and last start, in seconds since 1970."""

    stopped: float
    started: float


@dataclass(frozen=True)
class Run:
    """The result of a playbook."""

    status: int
    output: str

    @property
    def recap(self) -> dict[str, dict[str, int]]:
        """The counters of each host, from the end of the output."""
        found = {}
        for line in self.output.partition("PLAY RECAP")[2].splitlines()[1:]:
            name, _colon, rest = line.partition(":")
            # Lines of the error output follow the recap.
            counters = re.findall(r"(\w+)=(\d+)", rest) if " changed=" in rest else []
            if counters:
                found[name.strip()] = {key: int(value) for key, value in counters}
        return found

    @property
    def text(self) -> str:
        """The output without its line breaks: the callback wraps long messages."""
        return " ".join(self.output.split())

    def changed(self) -> list[str]:
        return [name for name, counters in self.recap.items() if counters["changed"]]

    def succeeded(self) -> Run:
        assert self.status == 0, self.output[-6000:]
        return self


@dataclass(frozen=True)
class Report:
    """The report of verify as data."""

    run: Run
    rows: list[dict[str, str]]

    def status(self, check: str, subject: str) -> str:
        return self.row(check, subject)["status"]

    def row(self, check: str, subject: str) -> dict[str, str]:
        rows = [row for row in self.rows if (row["check"], row["subject"]) == (check, subject)]
        assert len(rows) == 1, self.run.output[-6000:]
        return rows[0]

    def broken(self, check: str) -> list[str]:
        return [row["subject"] for row in self.rows if row["check"] == check and row["status"] == "failed"]


@dataclass(frozen=True)
class Response:
    """A response that came through the load balancer."""

    status: int
    body: str
    cookies: dict[str, str] = field(default_factory=dict)

    @property
    def data(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found


@dataclass(frozen=True)
class Browser:
    """A user outside: uses the public name, trusts the cluster's CA, and connects to a load balancer."""

    address: str
    public: str
    tls: ssl.SSLContext

    def get(self, path: str, cookies: dict[str, str] | None = None, timeout: float = PATIENCE) -> Response:
        return self.request("GET", path, cookies, timeout)

    def request(
        self,
        method: str,
        path: str,
        cookies: dict[str, str] | None = None,
        timeout: float = PATIENCE,
        body: bytes | None = None,
    ) -> Response:
        name = self.public.partition(":")[0]
        with socket.create_connection((self.address, 443), timeout=timeout) as plain:
            connection = http.client.HTTPSConnection(name, context=self.tls, timeout=timeout)
            connection.sock = self.tls.wrap_socket(plain, server_hostname=name)
            headers = {"Host": self.public, "Connection": "close"}
            if cookies:
                headers["Cookie"] = "; ".join(f"{key}={value}" for key, value in cookies.items())
            if body is not None:
                headers["Content-Type"] = "application/json"
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            content = response.read().decode("utf-8", "replace")
            set_cookies = response.headers.get_all("Set-Cookie") or []
        pairs = [cookie.partition(";")[0].partition("=") for cookie in set_cookies]
        return Response(response.status, content, {key.strip(): value for key, _equals, value in pairs})

    def node(self, cookies: dict[str, str] | None = None) -> str:
        """The node that responds."""
        response = self.get("/demo/api/info", cookies)
        assert response.status == 200, response
        return str(response.data["node"])


@dataclass(frozen=True)
class Cockpit:
    """The engine's administration forms on one node. They change this node only."""

    connect: Callable[[], http.client.HTTPConnection]
    headers: dict[str, str]

    def set_key(self, file: str, key: str, value: str) -> None:
        self._form("configuration", file=file, key=key, value=value)

    def save(self, file: str, content: str) -> None:
        self._form("files", file=file, content=content)

    def upload(self, name: str, content: bytes) -> None:
        boundary = uuid.uuid4().hex
        parts = (("name", "", name.encode()), ("file", '; filename="upload"', content))
        body = b"".join(
            f'--{boundary}\r\nContent-Disposition: form-data; name="{field}"{more}\r\n\r\n'.encode() + data + b"\r\n"
            for field, more, data in parts
        )
        self._post("upload", body + f"--{boundary}--\r\n".encode(), f"multipart/form-data; boundary={boundary}")

    def _form(self, page: str, **fields: str) -> None:
        self._post(page, urlencode(fields).encode(), "application/x-www-form-urlencoded")

    def _post(self, page: str, body: bytes, kind: str) -> None:
        connection = self.connect()
        try:
            headers = {**self.headers, "Content-Type": kind}
            connection.request("POST", f"/system/engine-cockpit/{page}", body, headers)
            response = connection.getresponse()
            assert response.status == 303, response.read().decode()
        finally:
            connection.close()


@dataclass(frozen=True)
class Lab:
    """The hosts, as far as the inventory describes them."""

    groups: dict[str, list[str]]
    addresses: dict[str, str]
    directory: Path
    variables: dict[str, Any]

    @property
    def nodes(self) -> list[str]:
        return self.groups["engine_nodes"]

    def host(self, name: str) -> Host:
        """The host over SSH, as an unprivileged user; commands run with sudo."""
        return testinfra.get_host(f"ssh://{name}", ssh_config=str(self.directory / "ssh_config"), sudo=True)

    def playbook_command(self, path: str, *arguments: str) -> list[str]:
        return [*LIVE, *INVENTORY, str(ROOT / path), *arguments]

    def playbook(self, path: str, *arguments: str) -> Run:
        """Runs a playbook against these hosts."""
        return self._run(self.playbook_command(path, *arguments))

    def module(self, pattern: str, name: str, arguments: str) -> Run:
        """Runs a module as root on hosts."""
        return self._run(["ansible", *INVENTORY, pattern, "--become", "-m", name, "-a", arguments])

    @staticmethod
    def _run(command: list[str]) -> Run:
        environment = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"}
        done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=ROOT, env=environment)
        return Run(done.returncode, done.stdout + done.stderr)

    def roll_out(self, *arguments: str) -> Run:
        """Rolls the source's release out to every node."""
        return self.playbook("playbooks/rollout.yml", *arguments)

    def verify(self, directory: Path, *arguments: str) -> Report:
        """Runs verify and reads its report."""
        run = self.playbook("playbooks/verify.yml", "-e", f"verify_report_directory={directory}", *arguments)
        file = directory / "verify.json"
        assert file.exists(), run.output[-6000:]
        rows: list[dict[str, str]] = json.loads(file.read_text(encoding="utf-8"))["rows"]
        return Report(run, rows)

    def pids(self, *hosts: str) -> dict[str, str]:
        """The main process of each service that this collection runs, by host and unit."""
        found = {}
        for group, pattern in SERVICES.items():
            for name in self.groups[group]:
                if hosts and name not in hosts:
                    continue
                output = self.host(name).check_output(
                    f"systemctl list-units --state=running --plain --no-legend '{pattern}' | while read -r unit rest; "
                    'do echo "$unit $(systemctl show -p MainPID --value "$unit")"; done'
                )
                assert len(output.splitlines()) == 1, f"{pattern} on {name}: {output or 'is not running'}"
                unit, _space, pid = output.partition(" ")
                found[f"{name} {unit}"] = pid
        return found

    def restart(self, name: str) -> None:
        """Restarts an engine by hand, as root, and waits until it serves again."""
        self.host(name).check_output(f"systemctl restart {UNIT}")
        self.await_engine(name)

    def moments(self, name: str) -> Moments:
        text = self.host(name).check_output(
            f"systemctl show --timestamp=unix -p ActiveExitTimestamp -p ActiveEnterTimestamp {UNIT}"
        )
        found = dict(line.split("=", 1) for line in text.splitlines())
        return Moments(*(float(found[key].lstrip("@")) for key in ("ActiveExitTimestamp", "ActiveEnterTimestamp")))

    def await_engine(self, name: str, seconds: float = PATIENCE) -> None:
        wait_until(lambda: self.info(name) is not None, seconds, f"the engine on {name} serves")

    def info(self, name: str) -> dict[str, Any] | None:
        """What the application on this node returns, or None if it does not serve."""
        return self._ask(name, "/demo/api/info", {})

    def settings(self, name: str) -> list[str]:
        """The keys of the running engine's configuration."""
        keys: list[str] = self.state(name)["settings"]
        return keys

    def state(self, name: str) -> dict[str, Any]:
        """The engine's own state. Only the stand-in has this address, for administrators only."""
        state = self._ask(name, "/system/api/stand-in/state", self._login())
        assert state is not None, f"{name} does not return its state"
        return state

    def cockpit(self, name: str) -> Cockpit:
        return Cockpit(functools.partial(self.connection, name), {"Host": self.public, **self._login()})

    def database_login(self, name: str = "engine1") -> str:
        """The role with which the engine of a node logs in to the database."""
        found = json.loads(self.host(name).check_output("cat /etc/ivy-cluster/node.json"))
        return str(found["database"]["user"])

    def until(self, holds: Callable[[], bool], seconds: float, what: str) -> None:
        """Waits until a condition becomes true."""
        wait_until(holds, seconds, what)

    def connection(self, name: str) -> http.client.HTTPConnection:
        """To the engine of a node, without the load balancer."""
        if self.variables.get("ivy_node_tls", "disable") == "disable":
            return http.client.HTTPConnection(self.addresses[name], 8080, timeout=PATIENCE)
        # test_node_tls verifies the certificates.
        tls = ssl.create_default_context()
        tls.check_hostname = False
        tls.verify_mode = ssl.CERT_NONE
        return http.client.HTTPSConnection(self.addresses[name], 8443, timeout=PATIENCE, context=tls)

    def _login(self) -> dict[str, str]:
        password = self.secrets["engine_keys"]["Administrators.admin.Password"]
        return {"Authorization": "Basic " + base64.b64encode(f"admin:{password}".encode()).decode()}

    @property
    def secrets(self) -> dict[str, Any]:
        """The shared secrets, as Ansible evaluates the inventory."""
        return shared_secrets(self.nodes[0])

    def _ask(self, name: str, path: str, headers: dict[str, str]) -> dict[str, Any] | None:
        connection = self.connection(name)
        try:
            connection.request("GET", path, headers={"Host": self.public, **headers})
            response = connection.getresponse()
            body = response.read()
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()
        found: dict[str, Any] | None = json.loads(body) if response.status == 200 else None
        return found

    @property
    def public(self) -> str:
        return urlsplit(str(self.variables["ivy_public_url"])).netloc

    @property
    def public_name(self) -> str:
        """The public host name, without the port."""
        return self.public.partition(":")[0]


@functools.cache
def shared_secrets(node: str) -> dict[str, Any]:
    show = "msg={{ ivy_shared_secrets | to_json | b64encode }}"
    command = ["ansible", *INVENTORY, node, "-m", "ansible.builtin.debug", "-a", show]
    environment = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"}
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT, env=environment)
    found = re.search(r"msg: (\S+)|\"msg\": \"([^\"]+)\"", done.stdout)
    assert found is not None, "ansible does not print the secrets"
    secrets: dict[str, Any] = json.loads(base64.b64decode(found[1] or found[2]))
    return secrets


def wait_until(holds: Callable[[], bool], seconds: float, what: str) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, f"Not within {seconds:.0f} seconds: {what}"
        time.sleep(0.3)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sorts the modules by ORDER. A module that is missing there is an error."""
    if not EVERY_TEST:
        items[:] = [item for item in items if not any(part in item.nodeid for part in LEFT_OUT)]
    items.sort(key=lambda item: ORDER.index(item.path.stem))


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Logs the outcome of each test immediately: molecule prints nothing until the last test has ended."""
    if report.when == "call" or report.outcome != "passed":
        log = Path(os.environ.get("OUTSIDE_TESTS_REPORT") or ROOT / ".cache/log/outside.xml").with_suffix(".log")
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("a", encoding="utf-8") as stream:
            stream.write(f"{report.outcome:8}{report.duration:7.1f} s  {report.nodeid}\n")
            if report.longreprtext:
                stream.write(f"{report.longreprtext}\n")


@pytest.fixture(scope="session")
def lab() -> Lab:
    command = ["ansible-inventory", *INVENTORY, "--list"]
    output = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT).stdout
    inventory: dict[str, Any] = json.loads(output)
    hosts: dict[str, dict[str, Any]] = inventory["_meta"]["hostvars"]
    return Lab(
        groups={name: group.get("hosts", []) for name, group in inventory.items() if name != "_meta"},
        addresses={name: str(values["ansible_host"]) for name, values in hosts.items()},
        directory=ROOT / ".cache/lab" / str(hosts["engine1"]["lab_name"]),
        variables=hosts["engine1"],
    )


class Source:
    """Whether the nodes run the inventory's source.

    A module that has rolled out another one says so, and the next module that needs the inventory's rolls it out: each
    rollout restarts the engines.
    """

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._replaced = False

    def replaced(self) -> None:
        self._replaced = True

    def restore(self) -> None:
        if self._replaced:
            self._replaced = False
            self._lab.roll_out("-e", "ivy_take_over_reason='the tests have ended'").succeeded()


@pytest.fixture(scope="session")
def source_in_use(lab: Lab) -> Iterator[Source]:
    made = Source(lab)
    yield made
    made.restore()


@pytest.fixture(scope="module", autouse=True)
def inventory_source(request: pytest.FixtureRequest, source_in_use: Source) -> None:
    """Rolls the inventory's source out, unless the module begins with a rollout of its own: REPLACES_SOURCE."""
    if not getattr(request.module, "REPLACES_SOURCE", False):
        source_in_use.restore()


@pytest.fixture(scope="session")
def ca_file(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The certificate of the cluster's CA, which users receive from an administrator."""
    balancer = lab.host(lab.groups["load_balancers"][0])
    file = tmp_path_factory.mktemp("pki") / "ca.pem"
    file.write_text(balancer.file("/etc/ivy-cluster-pki/ca.pem").content_string, encoding="utf-8")
    return file


@pytest.fixture(scope="session")
def browser(lab: Lab, ca_file: Path) -> Browser:
    balancer = lab.groups["load_balancers"][0]
    return Browser(lab.addresses[balancer], lab.public, ssl.create_default_context(cafile=str(ca_file)))
