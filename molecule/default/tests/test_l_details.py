# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What bites in the first month: limits and headers of the balancer, logs and dumps that fill a disk, upgrades by themselves."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from conftest import Browser, Lab

TRIAL = "/tmp/balancer-trial"  # noqa: S108  (on the host, made by root for one test)
# Renders the role's own template with other options; the balancer that serves is not touched.
TRIAL_PLAY = """
- hosts: load_balancers
  gather_facts: false
  become: true
  vars:
    haproxy_bind_addresses: [127.0.0.1]
    haproxy_https_port: 9443
    haproxy_http_port: 9080
    haproxy_metrics_address: 127.0.0.1
    haproxy_metrics_port: 9405
    haproxy_trusted_proxies: [127.0.0.2]
    haproxy_proxy_protocol_sources: [127.0.0.3]
    haproxy_limit_exempt_sources: [127.0.0.30]
    haproxy_limit_connections: 5
    haproxy_limit_requests: 20
    haproxy_limit_logins: 5
    haproxy_limit_failed_logins: 3
    haproxy_max_body_bytes: 2000
    haproxy_max_header_bytes: 5000
    haproxy_check_interval_down: 100ms
    ivy_http_port: 9081
  tasks:
    - ansible.builtin.include_role: {name: ivy.cluster.haproxy, tasks_from: refuse_options, public: true}
    - ansible.builtin.file: {path: "{{ trial }}", state: directory, mode: "0700"}
    - ansible.builtin.copy: {content: "1\\n", dest: "{{ trial }}/state", mode: "0600"}
    - ansible.builtin.copy: {src: "{{ script }}", dest: "{{ trial }}/trial.py", mode: "0600"}
    - ansible.builtin.template:
        src: "{{ role }}/templates/haproxy.cfg.j2"
        dest: "{{ trial }}/haproxy.cfg"
        mode: "0600"
        validate: /usr/sbin/haproxy -c -f %s
"""


@pytest.fixture(scope="module")
def trial(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """What a second HAProxy on the balancer does with requests, behind outer proxies and with narrow limits."""
    here = Path(__file__).parent
    play = tmp_path_factory.mktemp("trial") / "trial.yml"
    play.write_text(TRIAL_PLAY, encoding="utf-8")
    balancer = lab.host(lab.groups["load_balancers"][0])
    options = {
        "trial": TRIAL,
        "script": str(here / "balancer_trial.py"),
        "role": str(here.parents[2] / "roles/haproxy"),
        "ivy_engine_addresses": {"engine1": "127.0.0.1"},
        "__haproxy_socket": "/run/haproxy/trial.sock",
        "__haproxy_state_file": f"{TRIAL}/state",
    }
    try:
        lab.playbook(str(play), "-e", json.dumps(options)).succeeded()
        name = lab.public.partition(":")[0]
        yield json.loads(balancer.check_output(f"python3 {TRIAL}/trial.py {TRIAL} {name}"))
    finally:
        balancer.run(f"rm -rf {TRIAL} /run/haproxy/trial.sock")


def test_what_a_user_says_about_himself_is_replaced(lab: Lab, trial: dict[str, Any]) -> None:
    arrived = trial["from_user"]["arrived"]
    assert arrived["x-forwarded-for"] == "127.0.0.10"
    assert arrived["x-forwarded-proto"] == "https"
    assert arrived["x-forwarded-host"] == lab.public.partition(":")[0]
    assert arrived["x-forwarded-port"] != "81"
    assert not {"x-forwarded-user", "x-real-ip"} & set(arrived)


def test_what_a_trusted_proxy_says_is_kept(trial: dict[str, Any]) -> None:
    arrived = trial["from_trusted"]["arrived"]
    assert arrived["x-forwarded-for"].split(",")[0].strip() == "198.51.100.1"
    assert (arrived["x-forwarded-proto"], arrived["x-forwarded-port"]) == ("http", "81")
    assert (arrived["x-forwarded-user"], arrived["x-real-ip"]) == ("admin", "198.51.100.1")
    # What it leaves out is said by the balancer.
    assert trial["from_trusted_bare"]["arrived"]["x-forwarded-proto"] == "https"


def test_the_proxy_protocol_counts_from_the_named_address_only(trial: dict[str, Any]) -> None:
    arrived = trial["proxy_protocol"]["arrived"]
    assert arrived["x-forwarded-for"] == "198.51.100.77"
    assert "x-forwarded-user" not in arrived
    assert trial["proxy_protocol_missing"]["status"] == 0
    assert trial["proxy_protocol_of_a_user"]["status"] == 0


def test_pages_are_compressed_and_streams_and_pictures_are_not(trial: dict[str, Any]) -> None:
    assert trial["page_packed"]["headers"]["content-encoding"] == "gzip"
    assert trial["page_packed"]["size"] < trial["page"]["size"] / 4
    for name in ("page", "events", "picture"):
        assert "content-encoding" not in trial[name]["headers"]


def test_what_an_application_says_of_a_header_wins_but_for_hsts(trial: dict[str, Any]) -> None:
    headers = trial["own"]["headers"]
    assert headers["x-frame-options"] == "DENY"
    assert headers["strict-transport-security"] == "max-age=31536000"
    assert trial["page"]["headers"]["x-frame-options"] == "SAMEORIGIN"
    assert "server" not in headers


def test_large_bodies_and_heads_are_refused(trial: dict[str, Any]) -> None:
    assert [trial[name]["status"] for name in ("body", "large_body")] == [200, 413]
    assert [trial[name]["status"] for name in ("head", "large_head")] == [200, 400]


def test_who_asks_too_much_waits_and_nobody_else(trial: dict[str, Any]) -> None:
    assert [one["status"] for one in trial["burst"]] == [200] * 20 + [429] * 6
    assert trial["burst"][-1]["headers"]["retry-after"] == "10"
    assert trial["while_another_waits"]["status"] == 200
    assert [one["status"] for one in trial["burst_of_exempt"]] == [200] * 26


def test_behind_a_trusted_proxy_each_user_has_his_own_limit(trial: dict[str, Any]) -> None:
    assert [one["status"] for one in trial["burst_behind_trusted"]] == [200] * 20 + [429] * 6
    assert trial["another_behind_trusted"]["status"] == 200


def test_logins_are_limited_more_strictly(trial: dict[str, Any]) -> None:
    assert [one["status"] for one in trial["logins"]] == [200] * 5 + [429] * 3
    assert trial["page_of_who_logs_in"]["status"] == 200
    assert [one["status"] for one in trial["failed"]] == [401] * 3 + [429] * 3
    assert trial["page_of_who_failed"]["status"] == 200


def test_one_address_cannot_take_all_connections(trial: dict[str, Any]) -> None:
    assert trial["held_connections"] == 5


def ask(browser: Browser, connection: http.client.HTTPSConnection, path: str, **headers: str) -> http.client.HTTPResponse:
    connection.request("GET", path, headers={"Host": browser.public, **headers})
    return connection.getresponse()


@pytest.fixture
def connection(browser: Browser) -> Iterator[http.client.HTTPSConnection]:
    """One connection to the balancer of the cluster, kept open."""
    name = browser.public.partition(":")[0]
    opened = http.client.HTTPSConnection(name, context=browser.tls, timeout=10)
    plain = socket.create_connection((browser.address, 443), timeout=10)
    opened.sock = browser.tls.wrap_socket(plain, server_hostname=name)
    yield opened
    opened.close()


def test_the_clusters_own_balancer_sends_the_headers_and_compresses(
    browser: Browser, connection: http.client.HTTPSConnection
) -> None:
    answer = ask(browser, connection, "/demo/", **{"Accept-Encoding": "gzip"})
    answer.read()
    assert answer.status == 200
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["X-Frame-Options"] == "SAMEORIGIN"
    assert answer.headers["Referrer-Policy"] == "strict-origin-when-cross-origin"
    assert answer.headers["Strict-Transport-Security"].startswith("max-age=")
    assert answer.headers["Server"] is None
    assert answer.headers["Content-Encoding"] == "gzip"


def test_a_busy_user_meets_no_limit(browser: Browser, connection: http.client.HTTPSConnection) -> None:
    seen = set()
    for _number in range(400):
        answer = ask(browser, connection, "/demo/api/info")
        answer.read()
        seen.add(answer.status)
    assert seen == {200}
