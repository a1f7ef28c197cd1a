# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Operating details: the balancer's limits and headers, logs and dumps that fill a disk, package upgrades, firewall."""

from __future__ import annotations

import http.client
import json
import re
import shlex
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import balancer_trial
import pytest
import second_haproxy

if TYPE_CHECKING:
    from conftest import Browser, Lab

DUMPS = "/var/lib/axonivy-engine-dumps"
# Allocates arrays until no memory is left.
HUNGRY = (
    "class Hungry { public static void main(String[] a) { long[][] all = new long[100000][]; "
    "for (int i = 0; ; i++) all[i] = new long[100000]; } }"
)
HUNGRY_DIRECTORY = "/usr/local/lib/hungry-probe"


@pytest.fixture(scope="module")
def trial(lab: Lab) -> dict[str, Any]:
    """The responses of a second HAProxy on the balancer, which is behind outer proxies and has narrow limits."""
    return second_haproxy.results_of(
        lab,
        "balancer_trial.py",
        haproxy_trusted_proxies=["127.0.0.2"],
        haproxy_accepted_hosts=["other.example.com"],
        haproxy_proxy_protocol_sources=["127.0.0.3"],
        haproxy_limit_connections=5,
        haproxy_limit_requests=20,
        haproxy_limit_failed_logins=3,
        haproxy_max_body_bytes=2000,
        haproxy_max_header_bytes=5000,
    )


def public_address(lab: Lab, trial: dict[str, Any]) -> dict[str, str]:
    """What the engine must see of the user's URL: always the public one, as the balancer redirects users to it."""
    authority = urlsplit(trial["foreign_name"]["headers"]["location"]).netloc
    assert authority.partition(":")[0] == lab.public_name
    port = authority.partition(":")[2] or "443"
    return {
        "host": authority,
        "x-forwarded-host": authority,
        "x-forwarded-port": port,
        "x-forwarded-proto": "https",
    }


def seen(arrived: dict[str, str]) -> dict[str, str]:
    """The headers that name the user's URL."""
    of_the_url = ("host", "forwarded", "x-original-url", "front-end-https")
    of_users = ("x-forwarded-for", "x-forwarded-user")
    return {
        name: value
        for name, value in arrived.items()
        if name in of_the_url or (name.startswith("x-forwarded-") and name not in of_users)
    }


def test_forwarding_headers_of_a_user_are_replaced(lab: Lab, trial: dict[str, Any]) -> None:
    arrived = trial["from_user"]["arrived"]
    assert arrived["x-forwarded-for"] == "127.0.0.10"
    assert not {"x-forwarded-user", "x-real-ip"} & set(arrived)
    assert seen(arrived) == public_address(lab, trial)


def test_forwarding_headers_of_a_trusted_proxy_are_kept(lab: Lab, trial: dict[str, Any]) -> None:
    arrived = trial["from_trusted"]["arrived"]
    assert arrived["x-forwarded-for"].split(",")[0].strip() == "198.51.100.1"
    assert (arrived["x-forwarded-user"], arrived["x-real-ip"]) == ("admin", "198.51.100.1")
    assert (arrived["x-forwarded-proto"], arrived["x-forwarded-port"]) == ("http", "81")
    assert arrived["x-forwarded-host"] == "evil.example.com"
    # The balancer adds headers that the proxy omits.
    assert seen(trial["from_trusted_bare"]["arrived"]) == public_address(lab, trial)


def test_the_engine_sees_only_the_public_port(lab: Lab, trial: dict[str, Any]) -> None:
    for number, scene in enumerate(trial["addresses"]):
        assert scene["status"] == 200, (number, scene)
        assert seen(scene["arrived"]) == public_address(lab, trial), (number, scene)


def test_the_proxy_protocol_is_accepted_from_the_configured_source_only(trial: dict[str, Any]) -> None:
    arrived = trial["proxy_protocol"]["arrived"]
    assert arrived["x-forwarded-for"] == "198.51.100.77"
    assert "x-forwarded-user" not in arrived
    assert trial["proxy_protocol_missing"]["status"] == 0
    assert trial["proxy_protocol_of_a_user"]["status"] == 0


def test_pages_are_compressed_but_streams_and_images_are_not(trial: dict[str, Any]) -> None:
    assert trial["page_compressed"]["headers"]["content-encoding"] == "gzip"
    assert trial["page_compressed"]["size"] < trial["page"]["size"] / 4
    for name in ("page", "events", "picture"):
        assert "content-encoding" not in trial[name]["headers"]


def test_the_applications_own_headers_take_precedence_except_hsts(trial: dict[str, Any]) -> None:
    headers = trial["own"]["headers"]
    assert headers["x-frame-options"] == "DENY"
    assert headers["strict-transport-security"] == "max-age=31536000"
    assert trial["page"]["headers"]["x-frame-options"] == "SAMEORIGIN"
    assert "server" not in headers


def test_large_bodies_and_headers_are_rejected(trial: dict[str, Any]) -> None:
    assert [trial[name]["status"] for name in ("body", "large_body")] == [200, 413]
    # As documented: only an announced length is limited.
    assert trial["chunked_body"]["status"] == 200
    assert [trial[name]["status"] for name in ("head", "large_head")] == [200, 400]


def test_error_pages_are_readable_and_have_the_security_headers(trial: dict[str, Any]) -> None:
    responses = [*trial["errors"], trial["large_body"], trial["burst"][-1]]
    assert [response["status"] for response in responses] == [400, 403, 502, 413, 429]
    for response in responses:
        assert response["headers"]["content-type"] == "text/html; charset=utf-8"
        assert response["headers"]["x-frame-options"] == "SAMEORIGIN"
        assert "strict-transport-security" in response["headers"]
        assert "<h1>" in response["page"]
        assert "haproxy" not in response["page"].lower()


def test_only_a_websocket_uses_the_connection_for_another_protocol(trial: dict[str, Any]) -> None:
    found = dict(zip(balancer_trial.UPGRADES, trial["upgrades"], strict=True))
    assert found == balancer_trial.UPGRADES


def test_the_request_limit_applies_to_each_user(trial: dict[str, Any]) -> None:
    assert [response["status"] for response in trial["burst"]] == [200] * 20 + [429] * 6
    assert trial["burst"][-1]["headers"]["retry-after"] == "10"
    assert trial["while_another_waits"]["status"] == 200
    assert [response["status"] for response in trial["burst_of_exempt"]] == [200] * 26


def test_the_request_limit_applies_to_each_user_behind_a_trusted_proxy(trial: dict[str, Any]) -> None:
    assert [response["status"] for response in trial["burst_behind_trusted"]] == [200] * 20 + [429] * 6
    assert trial["another_behind_trusted"]["status"] == 200


def test_logins_are_limited_more_strictly(trial: dict[str, Any]) -> None:
    assert [response["status"] for response in trial["logins"]] == [200] * 5 + [429] * 3
    assert trial["page_after_logins"]["status"] == 200
    assert [response["status"] for response in trial["failed"]] == [401] * 3 + [429] * 3
    assert trial["page_after_failures"]["status"] == 200


def test_connections_per_address_are_limited(trial: dict[str, Any]) -> None:
    assert trial["held_connections"] == 5


def ask(
    browser: Browser, connection: http.client.HTTPSConnection, path: str, **headers: str
) -> http.client.HTTPResponse:
    connection.request("GET", path, headers={"Host": browser.public, **headers})
    return connection.getresponse()


@pytest.fixture
def connection(browser: Browser) -> Iterator[http.client.HTTPSConnection]:
    """One connection to the balancer of the cluster, kept open."""
    name = browser.public.partition(":")[0]
    opened = http.client.HTTPSConnection(name, context=browser.tls, timeout=120)
    plain = socket.create_connection((browser.address, 443), timeout=120)
    opened.sock = browser.tls.wrap_socket(plain, server_hostname=name)
    yield opened
    opened.close()


def test_the_serving_balancer_sends_the_headers_and_compresses(
    browser: Browser, connection: http.client.HTTPSConnection
) -> None:
    response = ask(browser, connection, "/demo/", **{"Accept-Encoding": "gzip"})
    response.read()
    assert response.status == 200
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["X-Frame-Options"] == "SAMEORIGIN"
    assert response.headers["Referrer-Policy"] == "strict-origin-when-cross-origin"
    assert response.headers["Strict-Transport-Security"].startswith("max-age=")
    assert response.headers["Server"] is None
    assert response.headers["Content-Encoding"] == "gzip"


def test_a_busy_user_stays_below_the_limits(browser: Browser, connection: http.client.HTTPSConnection) -> None:
    statuses = set()
    for _number in range(400):
        response = ask(browser, connection, "/demo/api/info")
        response.read()
        statuses.add(response.status)
    assert statuses == {200}


def properties(lab: Lab, name: str, unit: str) -> dict[str, str]:
    output = lab.host(name).check_output(f"systemctl show {unit}")
    return dict(line.split("=", 1) for line in output.splitlines() if "=" in line)


def test_an_engine_is_restarted_after_a_crash_and_writes_no_core_dump(lab: Lab) -> None:
    unit = properties(lab, lab.nodes[0], "axonivy-engine.service")
    assert {name: unit[name] for name in ("LimitCORE", "OOMPolicy", "Restart", "StartLimitIntervalUSec")} == {
        "LimitCORE": "0",
        "OOMPolicy": "stop",
        "Restart": "on-abnormal",
        "StartLimitIntervalUSec": "0",
    }
    # Every exit status except that of a Java process that received SIGTERM.
    assert {str(status) for status in range(1, 256)} - set(unit["RestartForceExitStatus"].split()) == {"143"}
    assert f"/{DUMPS.strip('/')}" in unit["ReadWritePaths"]


def test_java_without_memory_exits_and_writes_one_private_heap_dump(lab: Lab) -> None:
    """Uses the node's own options in a second Java process, so that the engine keeps running."""
    host = lab.host(lab.nodes[0])
    options = host.check_output("grep '^-' /opt/ivy/current/configuration/jvm.options").split()
    assert f"-XX:HeapDumpPath={DUMPS}/heap.hprof" in options
    # Shipped by the vendor.
    assert {"-XX:+UseG1GC", "-XX:+UseStringDeduplication", "-XX:-OmitStackTraceInFastThrow"} <= set(options)
    assert len([option for option in options if option.startswith("-Xmx")]) == 1
    small = [*(option for option in options if not option.startswith("-Xm")), "-Xmx64m"]
    java = host.check_output("sed -n 's/^JAVA_HOME=\"\\(.*\\)\"/\\1/p' /etc/ivy-cluster/node.env")
    host.check_output(f"install -d -m 0755 {HUNGRY_DIRECTORY}")
    host.check_output(f"echo {shlex.quote(HUNGRY)} > {HUNGRY_DIRECTORY}/Hungry.java")
    command = f"cd / && sudo -u ivy {java}/bin/java {' '.join(small)} {HUNGRY_DIRECTORY}/Hungry.java"
    try:
        first = host.run(command)
        assert first.rc == 3, first
        assert "OutOfMemoryError" in first.stdout + first.stderr
        (dump,) = host.check_output(f"ls -1 {DUMPS}").splitlines()
        assert dump == "heap.hprof"
        assert host.check_output(f"stat -c '%a %U' {DUMPS} {DUMPS}/{dump}").splitlines() == ["700 ivy", "600 ivy"]
        before = host.check_output(f"stat -c %Y.%i.%s {DUMPS}/{dump}")
        assert host.run(command).rc == 3
        assert host.check_output(f"stat -c %Y.%i.%s {DUMPS}/*") == before
    finally:
        host.check_output(f"rm -rf {DUMPS}/heap.hprof {HUNGRY_DIRECTORY}")


def test_old_logs_and_dumps_are_removed_but_current_files_are_not(lab: Lab) -> None:
    host = lab.host(lab.nodes[0])
    assert host.check_output("systemctl is-active systemd-tmpfiles-clean.timer") == "active"
    logs = "/opt/ivy/current/logs"
    planted = {
        f"{logs}/probe-1.log.gz": (91, False),
        f"{logs}/probe-2.log.gz": (89, True),
        f"{logs}/probe.log": (400, True),
        f"{DUMPS}/probe-1.hprof": (15, False),
        f"{DUMPS}/probe-2.hprof": (13, True),
    }
    try:
        for path, (age, _stays) in planted.items():
            host.check_output(f"touch -d '{age} days ago' {path} && chown ivy:ivy {path}")
        host.check_output("systemd-tmpfiles --clean /etc/tmpfiles.d/ivy-cluster-engine.conf")
        assert {path: host.file(path).exists for path in planted} == {
            path: stays for path, (_age, stays) in planted.items()
        }
        assert host.file(f"{logs}/ivy.log").exists
    finally:
        host.check_output(f"rm -f {logs}/probe* {DUMPS}/probe*")


def test_the_log_of_the_database_is_rotated(lab: Lab) -> None:
    host = lab.host(lab.groups["database_servers"][0])
    assert host.check_output("systemctl is-enabled logrotate.timer") == "enabled"
    result = host.run("logrotate --debug /etc/logrotate.d/postgresql-common")
    assert "/var/log/postgresql/postgresql-15-main.log" in result.stdout + result.stderr


def test_service_packages_are_held(lab: Lab) -> None:
    wanted = {
        "load_balancers": "haproxy",
        "database_servers": "postgresql-15",
        "engine_nodes": "openjdk-17-jre-headless",
        "search_servers": "openjdk-17-jre-headless",
    }
    for group, package in wanted.items():
        for name in lab.groups[group]:
            assert lab.host(name).check_output("apt-mark showhold").splitlines() == [package], name


HOLD_PLAY = """
- hosts: load_balancers
  gather_facts: false
  become: true
  roles:
    - role: ivy.cluster.packages
      packages_names: [haproxy]
      packages_service_names: [haproxy]
"""


def test_holds_can_be_released_and_set_again_and_do_not_block_an_upgrade(lab: Lab, tmp_path: Path) -> None:
    name = lab.groups["load_balancers"][0]
    play = tmp_path / "hold.yml"
    play.write_text(HOLD_PLAY, encoding="utf-8")
    host = lab.host(name)
    assert lab.playbook(str(play), "-e", "packages_hold=false", "--check").succeeded().changed() == [name]
    assert host.check_output("apt-mark showhold") == "haproxy"
    assert lab.playbook(str(play), "-e", "packages_hold=false").succeeded().changed() == [name]
    assert host.check_output("apt-mark showhold") == ""
    assert lab.playbook(str(play), "-e", "packages_upgrade=true").succeeded().changed() == [name]
    assert host.check_output("apt-mark showhold") == "haproxy"
    # The package is held and up to date.
    assert lab.playbook(str(play), "-e", "packages_upgrade=true").succeeded().changed() == []


def test_the_engine_can_measure_the_size_of_its_tables(lab: Lab) -> None:
    host = lab.host(lab.groups["database_servers"][0])
    ask = "SELECT encoding||' '||pg_encoding_to_char(encoding) FROM pg_database WHERE datname='AxonIvySystemDatabase'"
    assert host.check_output(f'psql -U postgres -d AxonIvySystemDatabase -Atc "{ask}"') == "6 UTF8"
    table = "SELECT min(oid) FROM pg_class WHERE relkind='r' AND relnamespace='public'::regnamespace"
    ask = f"SET ROLE ivy; SELECT table_len >= 0 FROM pgstattuple(({table}))"
    assert host.check_output(f'psql -U postgres -d AxonIvySystemDatabase -qAtc "{ask}"') == "t"
    assert host.check_output('psql -U postgres -d AxonIvySystemDatabase -Atc "SHOW timezone"') == "Etc/UTC"


def test_locale_and_time_zone_are_the_same_everywhere_and_fonts_are_installed(lab: Lab) -> None:
    units = dict.fromkeys(lab.nodes, "axonivy-engine.service")
    units[lab.groups["search_servers"][0]] = "elasticsearch.service"
    for name, unit in units.items():
        host = lab.host(name)
        environment = host.check_output(
            f"tr '\\0' '\\n' < /proc/$(systemctl show -p MainPID --value {unit})/environ"
        ).splitlines()
        assert {"LANG=C.UTF-8", "TZ=Etc/UTC"} <= set(environment), name
    for name in lab.nodes:
        assert "DejaVu Sans" in lab.host(name).check_output("fc-match sans-serif")


def test_expiry_dates_of_licence_and_certificates_are_metrics(lab: Lab) -> None:
    wanted = {
        lab.groups["load_balancers"][0]: ("ivy-certificate-metrics", 'certificate_expiry_timestamp_seconds{kind="', 2),
        lab.nodes[0]: ("ivy-config-guard", "ivy_config_licence_expiry_timestamp_seconds", 1),
    }
    collector = "/var/lib/prometheus/node-exporter"
    for name, (unit, metric, number) in wanted.items():
        host = lab.host(name)
        assert host.check_output(f"systemctl is-active {unit}.timer") == "active"
        try:
            # The hosts have no exporter; where there is one, its package makes the directory.
            host.check_output(f"install -d -m 0755 {collector} && systemctl start {unit}.service")
            lines = host.check_output(f"cat {collector}/*.prom").splitlines()
            dates = [float(line.rsplit(" ", 1)[1]) for line in lines if metric in line and not line.startswith("#")]
            assert len(dates) == number, lines
            assert min(dates) > time.time()
        finally:
            host.check_output("rm -rf /var/lib/prometheus")


def test_status_reports_the_days_until_expiry(lab: Lab) -> None:
    text = lab.playbook("playbooks/status.yml").succeeded().output
    assert re.search(r"licence +\d+ days", text)
    assert re.search(r"certificate \d+ days, authority \d+ days", text)


def reaches(lab: Lab, name: str, address: str, port: int) -> str:
    """The outcome of a connection from a host."""
    code = (
        "import socket\ntry: socket.create_connection(('%s', %d), timeout=120); print('open')\n"
        "except ConnectionRefusedError: print('refused')"
    )
    return str(lab.host(name).check_output(f'python3 -c "{code % (address, port)}"'))


def test_only_cluster_nodes_reach_the_cluster_ports(lab: Lab) -> None:
    first, second = lab.nodes[:2]
    assert reaches(lab, second, lab.addresses[first], 7800) == "open"
    assert reaches(lab, lab.groups["load_balancers"][0], lab.addresses[first], 7800) == "refused"
    # HTTP stays open to every host that can reach the node.
    assert reaches(lab, lab.groups["load_balancers"][0], lab.addresses[first], 8080) == "open"


HTTP_FIREWALL_PLAY = """
- hosts: engine1
  gather_facts: true
  become: true
  roles:
    - ivy.cluster.engine
"""


def test_the_http_port_can_be_restricted_too(lab: Lab, tmp_path: Path) -> None:
    """In check mode: nft validates the rules and does not load them, because these tests use the port themselves."""
    (tmp_path / "play.yml").write_text(HTTP_FIREWALL_PLAY, encoding="utf-8")
    options = {"engine_http_firewall": True, "engine_allowed_extra": ["192.0.2.0/24", "localhost"]}
    arguments = ("--check", "--diff", "-e", json.dumps(options))
    rules = lab.playbook(str(tmp_path / "play.yml"), *arguments).succeeded().output
    assert re.search(r"^\+\s*tcp dport \{ 8080 \} jump http", rules, re.MULTILINE)
    clients = "".join(part.split("}", 1)[0] for part in rules.split("set http")[1:])
    assert {lab.addresses[lab.groups["load_balancers"][0]], *(lab.addresses[name] for name in lab.nodes)} <= set(
        re.findall(r"[0-9./]+", clients)
    )
    assert "192.0.2.0/24" in clients
    assert "127.0.0.1" in clients or "::1" in clients
    assert "jump http" not in lab.host(lab.nodes[0]).check_output("nft list chain inet ivy_engine input")


def test_firewall_rules_survive_the_distributions_nftables_service(lab: Lab) -> None:
    host = lab.host(lab.nodes[0])
    assert host.check_output("systemctl is-enabled ivy-engine-firewall.service") == "enabled"
    host.check_output("systemctl start nftables.service && systemctl stop nftables.service")
    assert "7800" in host.check_output("nft list chain inet ivy_engine input")


def test_an_engine_waits_for_its_firewall(lab: Lab) -> None:
    name = lab.nodes[-1]
    host = lab.host(name)
    rules = "/etc/nftables.d/ivy-engine.nft"
    host.check_output(f"cp -p {rules} /root/kept.nft && echo broken > {rules} && systemctl stop ivy-engine-firewall")
    try:
        host.check_output("systemctl restart --no-block axonivy-engine")
        state = "/run/ivy-cluster/start.json"
        lab.until(lambda: "firewall" in host.run(f"cat {state}").stdout, 120, "the reason in the status")
        assert host.run("ss -Hltn 'sport = :7800' | grep .").rc == 1
    finally:
        host.check_output(f"cp -p /root/kept.nft {rules} && rm /root/kept.nft")
    # Nobody starts anything: systemd loads the rules again, and the engine starts by itself.
    lab.await_engine(name)
    assert "7800" in host.check_output("nft list chain inet ivy_engine input")


def test_the_cockpit_of_a_chosen_node_is_reachable_through_a_tunnel(lab: Lab) -> None:
    """The command of docs/cockpit.md."""
    node = lab.nodes[1]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = ["ssh", "-F", str(lab.directory / "ssh_config"), "-N", "-o", "ExitOnForwardFailure=yes"]
    tunnel = subprocess.Popen([*command, "-L", f"127.0.0.1:{port}:{lab.addresses[node]}:8080", node])
    try:

        def served() -> bool:
            connection = http.client.HTTPConnection("localhost", port, timeout=120)
            try:
                connection.request("GET", "/demo/api/info")
                response = connection.getresponse()
                return response.status == 200 and json.loads(response.read())["node"] == node
            except (OSError, http.client.HTTPException):
                return False
            finally:
                connection.close()

        lab.until(served, 120, f"{node} responds through the tunnel under the name localhost")
        connection = http.client.HTTPConnection("localhost", port, timeout=120)
        connection.request(
            "GET", "/system/engine-cockpit", headers=lab.cockpit(node).headers | {"Host": f"localhost:{port}"}
        )
        assert connection.getresponse().status == 200
        connection.close()
    finally:
        tunnel.terminate()
        tunnel.wait(120)
