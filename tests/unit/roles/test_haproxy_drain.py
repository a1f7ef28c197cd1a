# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real HAProxy with the role's configuration drains a node: its users move, and what is under way ends.

Needs HAProxy and root, as on a load balancer. IVY_TEST_HAPROXY is the command that starts another version.
"""

from __future__ import annotations

import base64
import collections
import contextlib
import dataclasses
import gzip
import hashlib
import http.client
import http.server
import json
import os
import shlex
import shutil
import socket
import ssl
import subprocess
import threading
import time
import typing as t
from pathlib import Path

import pytest
import yaml

from ansible_collections.ivy.cluster.plugins.module_utils.haproxy import (
    maintenance,
    node_lists,
    saved_states,
    server_state,
)
from ansible_collections.ivy.cluster.plugins.module_utils.haproxy.runtime_socket import (
    RuntimeSocket,
    RuntimeSocketError,
)
from ansible_collections.ivy.cluster.tests.in_process import PLAYBOOK
from ansible_collections.ivy.cluster.tests.timing import wait_until

ROOT = Path(__file__).resolve().parents[3]
HAPROXY = shlex.split(os.environ.get("IVY_TEST_HAPROXY", "haproxy"))
HOST = "ivy.example.com"
NODES = {f"engine{number}": f"127.0.0.{number + 1}" for number in (1, 2, 3)}
PATIENCE = 60.0
pytestmark = pytest.mark.skipif(
    shutil.which(HAPROXY[0]) is None or shutil.which("openssl") is None or os.geteuid() != 0,
    reason="needs HAProxy, OpenSSL and root",
)
PLAY = """
- hosts: load_balancers
  gather_facts: false
  tasks:
    - ansible.builtin.include_role: {name: ivy.cluster.haproxy, tasks_from: validate, public: true}
      vars: {haproxy_option_problems: []}
    - ansible.builtin.copy: {content: "{{ item.value }}", dest: "{{ item.key }}"}
      loop: "{{ __haproxy_error_files | dict2items }}"
      loop_control: {label: "{{ item.key }}"}
    - ansible.builtin.template:
        src: "{{ root }}/roles/haproxy/templates/haproxy.cfg.j2"
        dest: "{{ out }}/haproxy.cfg"
    # What a new balancer begins with, in a cluster with nodes that are out, and while the service is in maintenance.
    - ansible.builtin.include_tasks: first.yml
      vars:
        kind: first
        rollout_kept_out: {engine1: {state: maint}, engine2: {state: drain}}
        __haproxy_others: {results: [{unreachable: true}, {maintenance: null}, "{{ lb2 }}", {maintenance: "{{ lb3 }}"}]}
        lb2: {maintenance: {active: false}}
        lb3: {active: true, retry_after: 120, since: "2026-11-29T10:00:00Z", allowed_sources: [127.0.0.9/32]}
    - ansible.builtin.include_tasks: first.yml
      vars: {kind: empty}
"""


class Engine(http.server.BaseHTTPRequestHandler):
    """Answers with its address. A slow request waits until the test lets it end."""

    protocol_version = "HTTP/1.1"
    release = threading.Event()
    waiting = threading.Semaphore(0)

    def do_GET(self) -> None:
        if self.headers.get("Upgrade"):
            self.close_connection = True
            key = self.headers["Sec-WebSocket-Key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
            accept = base64.b64encode(hashlib.sha1(key.encode()).digest()).decode()
            head = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            self.connection.sendall(f"{head}Sec-WebSocket-Accept: {accept}\r\n\r\n".encode())
            with contextlib.suppress(OSError):
                while data := self.connection.recv(4096):
                    self.connection.sendall(data)
            return
        if self.path.startswith("/slow"):
            Engine.waiting.release()
            Engine.release.wait(PATIENCE)
        address: tuple[t.Any, ...] = self.server.server_address  # type: ignore[assignment]
        body = str(address[0]).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        with contextlib.suppress(OSError):
            self.wfile.write(body)

    do_POST = do_GET

    def log_message(self, *_arguments: t.Any) -> None:
        pass


class Balancer:
    """HAProxy, and users of it."""

    def __init__(self, directory: Path, port: int) -> None:
        self.directory = directory
        self.port = port
        self.runtime = RuntimeSocket(str(directory / "admin.sock"))
        self.closed = str(directory / "closed-nodes")
        self.preferred = str(directory / "preferred-nodes")
        self.states = str(directory / "state")
        self.maintenance = str(directory / "maintenance")
        self.sources = str(directory / "maintenance-sources")
        self.tls = ssl.create_default_context()
        self.tls.check_hostname = False
        self.tls.verify_mode = ssl.CERT_NONE
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.process = subprocess.Popen([*HAPROXY, "-q", "-db", "-f", str(self.directory / "haproxy.cfg")])
        wait_until(self.answers, "HAProxy answers")

    def stop(self) -> None:
        if self.process is not None:
            # A command in a container does not pass signals on.
            with contextlib.suppress(RuntimeSocketError):
                pid = self.runtime.command("show info").partition("Pid:")[2].split()[0]
                if HAPROXY == ["haproxy"]:
                    self.process.terminate()
                else:
                    subprocess.run([*HAPROXY[:-1], "kill", pid], check=True)
            self.process.wait()

    def kill(self) -> None:
        """End it as the kernel does without memory, or a power loss: it saves nothing."""
        assert self.process is not None
        pid = self.runtime.command("show info").partition("Pid:")[2].split()[0]
        subprocess.run([*([] if HAPROXY == ["haproxy"] else HAPROXY[:-1]), "kill", "-KILL", pid], check=True)
        self.process.wait()

    def start_again(self) -> None:
        """Start it as the unit does, which saves the states before that."""
        configuration = str(self.directory / "haproxy.cfg")
        saved_states.save_server_states(self.runtime.path, configuration, self.states)
        self.process = subprocess.Popen([*HAPROXY, "-q", "-db", "-f", configuration])
        wait_until(lambda: alive(self), "HAProxy answers")

    def answers(self) -> bool:
        with contextlib.suppress(RuntimeSocketError):
            return all(server["up"] for name in NODES for server in self.servers(name))
        return False

    def servers(self, name: str) -> list[server_state.Server]:
        return server_state.find_servers(self.runtime, self.request(name))

    def request(self, name: str, **more: t.Any) -> server_state.Request:
        configuration = str(self.directory / "haproxy.cfg")
        more.update(closed_file=self.closed, state_file=self.states, configuration_file=configuration)
        return server_state.Request(name, **more)

    def set(self, name: str, **more: t.Any) -> bool:
        return server_state.changes(*server_state.apply(self.runtime, self.request(name, **more), check=False))

    def open(self) -> ssl.SSLSocket:
        plain = socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE)
        return self.tls.wrap_socket(plain, server_hostname=HOST)

    def ask(self, node: str | None = None, path: str = "/page", user: str = "") -> tuple[str, str | None]:
        """The node that answers, and the node that the user's cookie names from then on."""
        return self.ask_with([f"IVYNODE={node}; JSESSIONID={user}"] if node else [], path, node)

    def ask_with(
        self, cookies: t.Sequence[str], path: str = "/page", node: str | None = None
    ) -> tuple[str, str | None]:
        """The same with these lines of cookies."""
        with self.open() as stream:
            connection = http.client.HTTPConnection(HOST)
            connection.sock = stream
            connection.putrequest("GET", path, skip_host=True, skip_accept_encoding=True)
            for name, value in (("Host", HOST), ("Accept-Encoding", "gzip"), *(("Cookie", line) for line in cookies)):
                connection.putheader(name, value)
            connection.endheaders()
            response = connection.getresponse()
            assert response.status == 200, response.status
            body = response.read()
        if response.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        (name,) = [name for name, address in NODES.items() if address == body.decode()]
        added = response.headers.get_all("Set-Cookie") or []
        assert len(added) <= 1, added
        cookie = added[0] if added else None
        assert cookie is None or {"path=/", "HttpOnly", "Secure", "SameSite=Lax"} <= set(cookie.split("; "))
        return name, cookie.partition(";")[0].partition("=")[2] if cookie else node

    def websocket(self, node: str) -> ssl.SSLSocket:
        stream = self.open()
        stream.sendall(
            f"GET /ws HTTP/1.1\r\nHost: {HOST}\r\nCookie: IVYNODE={node}\r\nConnection: Upgrade\r\n"
            "Upgrade: websocket\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n".encode()
        )
        assert b" 101 " in stream.recv(4096)
        return stream


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def first_files_task() -> str:
    """The task of the role, with another ending for each kind."""
    tasks = yaml.safe_load((ROOT / "roles/haproxy/tasks/write_configuration.yml").read_text(encoding="utf-8"))
    (task,) = (task for task in tasks if "__haproxy_first_files" in str(task.get("loop")))
    copy = task["ansible.builtin.copy"]
    copy["dest"] += ".{{ kind }}"
    return yaml.safe_dump([{**task, "ansible.builtin.copy": {name: copy[name] for name in ("content", "dest")}}])


def render(directory: Path, port: int, engine_port: int) -> None:
    options = {
        "ansible_connection": "local",
        "ansible_python_interpreter": "{{ ansible_playbook_python }}",
        "ivy_cluster_name": "unit",
        "ivy_engine_version": "11.3.0",
        "ivy_public_url": f"https://{HOST}/",
        "ivy_cluster_key": "0" * 64,
        "ivy_database_password": "unused",
        "ivy_http_port": engine_port,
        "ivy_health_requests": [{"path": "/alive", "status": "200"}],
        "haproxy_bind_addresses": ["127.0.0.1"],
        "haproxy_https_port": port,
        "haproxy_http_port": free_port(),
        "haproxy_metrics_address": "127.0.0.1",
        "haproxy_metrics_port": free_port(),
        "haproxy_check_interval": "200ms",
        "haproxy_check_interval_changing": "100ms",
        "haproxy_check_interval_down": "100ms",
        "haproxy_certificate_file": str(directory / "certificate.pem"),
        "root": str(ROOT),
        "out": str(directory),
    }
    # Role variables, which only extra variables replace.
    internal = {
        "haproxy_socket": str(directory / "admin.sock"),
        "haproxy_state_file": str(directory / "state"),
        "haproxy_closed_nodes_file": str(directory / "closed-nodes"),
        "haproxy_preferred_nodes_file": str(directory / "preferred-nodes"),
        "haproxy_maintenance_file": str(directory / "maintenance"),
        "haproxy_maintenance_sources_file": str(directory / "maintenance-sources"),
        "__haproxy_error_directory": str(directory),
        "__haproxy_sessions_script": str(directory / "haproxy-sessions.lua"),
    }
    groups: dict[str, t.Any] = {
        "load_balancers": {"hosts": {"lb1": {"ivy_address": "127.0.0.1"}}},
        "engine_nodes": {"hosts": {name: {"ivy_address": address} for name, address in NODES.items()}},
        "database_servers": {"hosts": {"db1": {"ivy_address": "10.0.0.3"}}},
        "search_servers": {"hosts": {"search1": {"ivy_address": "10.0.0.4"}}},
    }
    (directory / "templates").symlink_to(ROOT / "roles/haproxy/templates")
    (directory / "hosts.yml").write_text(json.dumps({"all": {"vars": options, "children": groups}}), encoding="utf-8")
    (directory / "play.yml").write_text(PLAY, encoding="utf-8")
    (directory / "first.yml").write_text(first_files_task(), encoding="utf-8")
    shutil.copy(ROOT / "roles/haproxy/files/haproxy-sessions.lua", directory)
    (directory / "state").write_text("1\n", encoding="ascii")
    for name in ("closed-nodes", "preferred-nodes", "maintenance", "maintenance-sources"):
        (directory / name).write_text("", encoding="ascii")
    subprocess.run(
        shlex.split(
            "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 "
            f"-subj /CN={HOST} -keyout key.pem -out cert.pem"
        ),
        check=True,
        capture_output=True,
        cwd=directory,
    )
    pem = "".join((directory / name).read_text(encoding="ascii") for name in ("cert.pem", "key.pem"))
    (directory / "certificate.pem").write_text(pem, encoding="ascii")
    done = subprocess.run(
        [
            *PLAYBOOK,
            "-i",
            str(directory / "hosts.yml"),
            str(directory / "play.yml"),
            "-e",
            json.dumps(internal),
        ],
        check=False,
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"},
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr


@pytest.fixture(scope="module")
def configured(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Balancer]:
    directory = tmp_path_factory.mktemp("balancer")
    port, engine_port = free_port(), free_port()
    render(directory, port, engine_port)
    servers = [http.server.ThreadingHTTPServer((address, engine_port), Engine) for address in NODES.values()]
    for server in servers:
        server.daemon_threads = True
        # HAProxy closes a connection without an answer after a check.
        server.handle_error = lambda *_arguments: None  # type: ignore[method-assign]
        threading.Thread(target=server.serve_forever, daemon=True).start()
    yield Balancer(directory, port)
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def balancer(configured: Balancer) -> t.Iterator[Balancer]:
    Engine.release.clear()
    Engine.waiting = threading.Semaphore(0)
    Path(configured.directory, "state").write_text("1\n", encoding="ascii")
    for path in (configured.closed, configured.preferred, configured.maintenance, configured.sources):
        Path(path).write_text("", encoding="ascii")
    configured.start()
    yield configured
    Engine.release.set()
    configured.stop()


def wait(condition: str, longest: float = PATIENCE, quiet: float = 0.0) -> server_state.Wait:
    return server_state.Wait(condition, longest, quiet)


def test_a_drained_node_still_gets_its_users_and_a_closed_one_does_not(balancer: Balancer) -> None:
    assert balancer.set("engine2", state="drain")
    assert {balancer.ask()[0] for _time in range(9)} == {"engine1", "engine3"}
    assert balancer.ask("engine2") == ("engine2", "engine2")

    assert balancer.set("engine2", state="drain", ignore_cookie=True)
    assert not balancer.set("engine2", state="drain", ignore_cookie=True)
    moved = [balancer.ask("engine2", user="a"), balancer.ask("engine2", user="a"), balancer.ask("engine2", user="b")]
    assert {node == cookie and node != "engine2" for node, cookie in moved} == {True}
    # Once for each user, not for each request.
    assert node_lists.moved_users(balancer.runtime) == 2
    assert balancer.ask("engine1") == ("engine1", "engine1")

    assert balancer.set("engine2", state="ready")
    assert balancer.ask("engine2", user="a") == ("engine2", "engine2")
    assert node_lists.closed_nodes(balancer.runtime, balancer.closed) == []
    # The next one counts from zero.
    balancer.set("engine1", state="drain", ignore_cookie=True)
    assert node_lists.moved_users(balancer.runtime) == 0


@pytest.mark.parametrize(
    "cookies",
    [
        ["IVYNODE=engine2; IVYNODE=engine1"],
        ["IVYNODE=engine1; IVYNODE=engine2"],
        ["IVYNODE=engine2; IVYNODE=engine2"],
        ["IVYNODE=engine2; IVYNODE=other; JSESSIONID=a; IVYNODE=engine2; a=b"],
        ["IVYNODE=engine2", "IVYNODE=engine1"],
        ["IVYNODE=engine1; a=b", "IVYNODE=engine2"],
        ["IVYNODE=engine2", "IVYNODE=engine2"],
    ],
    ids=" and ".join,
)
def test_a_closed_node_gets_nobody_whatever_further_cookies_there_are(balancer: Balancer, cookies: list[str]) -> None:
    """As after a site of a parent domain has set a cookie of this name."""
    balancer.set("engine2", state="drain", ignore_cookie=True)
    asked = [balancer.ask_with(cookies) for _time in range(6)]
    # A cookie that does not name the closed node may be followed; otherwise the user gets a new one.
    assert "engine2" not in {node for node, _cookie in asked}
    assert {cookie in (None, node) for node, cookie in asked} == {True}
    balancer.set("engine2", state="ready")
    balancer.set("engine1", state="ready")


def test_what_is_under_way_ends_and_websockets_are_distinguished_from_requests(balancer: Balancer) -> None:
    answers: list[tuple[str, str | None]] = []
    slow = threading.Thread(target=lambda: answers.append(balancer.ask("engine2", "/slow")))
    slow.start()
    assert Engine.waiting.acquire(timeout=PATIENCE)
    stream = balancer.websocket("engine2")
    balancer.set("engine2", state="drain", ignore_cookie=True)

    (server,) = balancer.servers("engine2")
    assert (server["requests"], server["websockets"]) == (1, 1)
    waited = server_state.wait_for(balancer.runtime, balancer.request("engine2"), wait("requests", 0))
    assert not waited.done
    Engine.release.set()
    waited = server_state.wait_for(balancer.runtime, balancer.request("engine2"), wait("requests"))
    assert waited.done
    slow.join(PATIENCE)
    assert answers == [("engine2", "engine2")]

    # The WebSocket works until it is closed.
    stream.sendall(b"hello")
    assert stream.recv(10) == b"hello"
    waited = server_state.wait_for(balancer.runtime, balancer.request("engine2"), wait("sessions", 0))
    assert not waited.done
    closed = server_state.close_sessions(balancer.runtime, waited.servers, wait("sessions"))
    assert closed == {"requests": 0, "websockets": 1}
    assert stream.recv(10) == b""
    assert server_state.wait_for(balancer.runtime, balancer.request("engine2"), wait("sessions")).done


def test_a_node_that_is_down_drains_at_once(balancer: Balancer) -> None:
    stream = balancer.websocket("engine2")
    balancer.runtime.command("set server engine_nodes/engine2 health down")
    waited = server_state.wait_for(balancer.runtime, balancer.request("engine2"), wait("sessions", 0.0))
    assert waited.done
    assert waited.servers[0]["websockets"] == 1
    stream.close()


def test_users_are_gone_when_no_request_came_for_some_time(balancer: Balancer) -> None:
    balancer.ask("engine2")
    request = balancer.request("engine2")
    assert not server_state.wait_for(balancer.runtime, request, wait("users", 0.0, quiet=3600)).done
    assert server_state.wait_for(balancer.runtime, request, wait("users", quiet=1)).done


def test_users_prefer_the_nodes_that_have_restarted(balancer: Balancer) -> None:
    node_lists.set_preferred(balancer.runtime, ["engine1"], balancer.preferred)
    balancer.set("engine2", state="drain", ignore_cookie=True)
    assert {balancer.ask() for _time in range(12)} == {("engine1", "engine1")}
    assert {balancer.ask("engine2", user=str(user)) for user in range(12)} == {("engine1", "engine1")}
    # Those of the node that has not restarted stay until its turn.
    assert {balancer.ask("engine3") for _time in range(6)} == {("engine3", "engine3")}
    # A preferred node that is down causes no error.
    balancer.set("engine1", state="maint")
    assert {balancer.ask() for _time in range(6)} == {("engine3", "engine3")}
    balancer.set("engine1", state="ready")

    node_lists.set_preferred(balancer.runtime, ["engine1", "engine2"], balancer.preferred)
    balancer.set("engine2", state="ready")
    wait_until(balancer.answers, "engine1 is up again")
    found = collections.Counter(balancer.ask()[0] for _time in range(40))
    assert set(found) == {"engine1", "engine2"}
    assert node_lists.preferred_nodes(balancer.runtime, balancer.preferred) == ["engine1", "engine2"]
    node_lists.set_preferred(balancer.runtime, [], balancer.preferred)
    # The weight of engine1 rises slowly after its maintenance.
    assert "engine3" in {balancer.ask()[0] for _time in range(9)}


def test_what_is_set_outlives_a_crash(balancer: Balancer) -> None:
    balancer.set("engine1", state="maint")
    balancer.set("engine2", state="drain", ignore_cookie=True)
    node_lists.set_preferred(balancer.runtime, ["engine3"], balancer.preferred)
    balancer.kill()
    balancer.start_again()

    found = {name: balancer.servers(name)[0] for name in NODES}
    assert {name: (server["admin_state"], server["cookie_ignored"]) for name, server in found.items()} == {
        "engine1": ("maint", False),
        "engine2": ("drain", True),
        "engine3": ("ready", False),
    }
    assert balancer.ask("engine2", user="a") == ("engine3", "engine3")
    assert {balancer.ask()[0] for _time in range(6)} == {"engine3"}

    # So does the end of it, and a weight.
    balancer.set("engine3", weight=10)
    for name in ("engine1", "engine2"):
        balancer.set(name, state="ready")
    balancer.kill()
    balancer.start_again()
    wait_until(balancer.answers, "every node is up")
    assert [balancer.servers(name)[0]["requested_weight"] for name in NODES] == [100, 100, 10]


def test_a_crash_brings_no_address_back_that_has_changed(balancer: Balancer) -> None:
    balancer.set("engine2", state="maint")
    configuration = balancer.directory / "haproxy.cfg"
    text = configuration.read_text(encoding="utf-8")
    port = balancer.servers("engine2")[0]["address"].rpartition(":")[2]
    try:
        configuration.write_text(text.replace(f"{NODES['engine2']}:{port}", f"127.0.0.9:{port}"), encoding="utf-8")
        balancer.kill()
        balancer.start_again()
        (server,) = balancer.servers("engine2")
        assert (server["admin_state"], server["address"]) == ("maint", f"127.0.0.9:{port}")
    finally:
        configuration.write_text(text, encoding="utf-8")


def test_a_new_balancer_sends_nobody_to_a_node_that_is_out(balancer: Balancer) -> None:
    balancer.stop()
    begin_as_new(balancer, "first")
    assert maintenance.saved(maintenance.Files(balancer.maintenance, balancer.sources)) == maintenance.Maintenance(
        True, 120, ("127.0.0.9/32",), "2026-11-29T10:00:00Z"
    )
    for path in (balancer.maintenance, balancer.sources):
        Path(path).write_text("", encoding="ascii")
    balancer.start_again()
    found = {name: balancer.servers(name)[0] for name in NODES}
    assert {name: (server["admin_state"], server["cookie_ignored"]) for name, server in found.items()} == {
        "engine1": ("maint", False),
        "engine2": ("drain", True),
        "engine3": ("ready", False),
    }
    assert {balancer.ask(node)[0] for node in (*NODES, None) for _time in range(3)} == {"engine3"}
    for name in NODES:
        balancer.set(name, state="ready")
    wait_until(balancer.answers, "every node is up")
    assert {balancer.ask(name)[0] for name in NODES} == set(NODES)


def test_a_new_balancer_of_a_cluster_without_such_nodes_begins_with_empty_files(balancer: Balancer) -> None:
    names = {Path(path).name: Path(f"{path}.empty").read_text(encoding="ascii") for path in files_of(balancer)}
    header = names.pop("state").splitlines()
    assert (header[0], header[1].split()[:2], len(header)) == ("1", ["#", "be_id"], 2)
    assert set(names.values()) == {""}


def files_of(balancer: Balancer) -> list[str]:
    return [balancer.states, balancer.closed, balancer.preferred, balancer.maintenance, balancer.sources]


def begin_as_new(balancer: Balancer, kind: str) -> None:
    for path in files_of(balancer):
        shutil.copy(f"{path}.{kind}", path)


def test_a_state_that_cannot_be_saved_is_an_error(balancer: Balancer) -> None:
    request = server_state.Request("engine2", "maint", closed_file=balancer.closed, state_file="/nowhere/state")
    with pytest.raises(RuntimeSocketError, match="cannot be saved in /nowhere/state"):
        server_state.apply(balancer.runtime, request, check=False)
    # In check mode nothing is written.
    assert server_state.apply(balancer.runtime, dataclasses.replace(request, state="ready"), check=True)
    # The same again saves what was set, though nothing changes.
    assert not balancer.set("engine2", state="maint")
    balancer.kill()
    balancer.start_again()
    assert balancer.servers("engine2")[0]["admin_state"] == "maint"


def alive(balancer: Balancer) -> bool:
    with contextlib.suppress(RuntimeSocketError):
        return balancer.servers("engine3")[0]["up"] is True
    return False


def test_a_cookie_is_followed_again_if_a_node_is_set_to_ready_by_hand(balancer: Balancer) -> None:
    balancer.set("engine2", state="drain", ignore_cookie=True)
    time.sleep(1)
    assert node_lists.closed_nodes(balancer.runtime, balancer.closed) == ["engine2"]
    balancer.runtime.command("set server engine_nodes/engine2 state ready")
    wait_until(lambda: node_lists.closed_nodes(balancer.runtime, balancer.closed) == [], "the cookie is followed again")


def test_weight_and_the_end_of_what_a_run_has_set(balancer: Balancer) -> None:
    assert balancer.set("engine2", weight=10)
    assert not balancer.set("engine2", weight=10)
    assert balancer.servers("engine2")[0]["requested_weight"] == 10
    balancer.set("engine2", state="drain", ignore_cookie=True)
    assert balancer.set("engine2", state="restored", before={"engine_nodes": "drain"})
    (server,) = balancer.servers("engine2")
    assert (server["admin_state"], server["cookie_ignored"], server["requested_weight"]) == ("drain", False, 10)
    assert not balancer.set("engine2", state="restored")
    assert balancer.set("engine2", state="ready")
    assert server_state.wait_for(balancer.runtime, balancer.request("engine2"), wait("up")).done


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"name": "engine9"}, "has no server engine9 in any backend. Its servers: engine1, engine2, engine3"),
        ({"name": "engine1", "backend": "nodes"}, "has no backend nodes"),
        ({"name": "engine1", "backend": "moved_users"}, "has no server engine1 in backend moved_users"),
        ({"name": "engine1", "state": "ready", "ignore_cookie": True}, "Drain it, too"),
    ],
)
def test_what_does_not_exist_or_does_not_fit_is_an_error(
    balancer: Balancer, more: dict[str, t.Any], message: str
) -> None:
    with pytest.raises(RuntimeSocketError, match=message):
        balancer.set(**more)
