# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""No spelling of a path, a host or a user's address gets past the balancer's rules; ordinary requests pass."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import balancer_paths
import pytest

if TYPE_CHECKING:
    from conftest import Lab

TRIAL = "/tmp/balancer-paths"
# Renders the role's own template for a second HAProxy; the balancer that serves is not changed.
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
    haproxy_trusted_proxies: [127.0.2.0/24]
    haproxy_system_allowed_sources: [198.51.100.0/24, 127.0.2.0/24]
    haproxy_limit_exempt_sources: [127.0.0.30]
    haproxy_limit_logins: 5
    haproxy_system_paths: [/system, /ivy/system]
    haproxy_check_interval_down: 100ms
    ivy_http_port: 9081
  tasks:
    - ansible.builtin.include_role: {name: ivy.cluster.haproxy, tasks_from: refuse_options, public: true}
    - ansible.builtin.file: {path: "{{ trial }}", state: directory, mode: "0700"}
    - ansible.builtin.copy: {content: "1\\n", dest: "{{ trial }}/state", mode: "0600"}
    - ansible.builtin.copy: {src: "{{ here }}/{{ item }}", dest: "{{ trial }}/{{ item }}", mode: "0600"}
      loop: [balancer_trial.py, balancer_paths.py]
    - ansible.builtin.template:
        src: "{{ here }}/../../../roles/haproxy/templates/haproxy.cfg.j2"
        dest: "{{ trial }}/haproxy.cfg"
        mode: "0600"
        validate: /usr/sbin/haproxy -c -f %s
"""


@pytest.fixture(scope="module")
def trial(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """What a second HAProxy on the balancer does with each case."""
    play = tmp_path_factory.mktemp("paths") / "paths.yml"
    play.write_text(TRIAL_PLAY, encoding="utf-8")
    balancer = lab.host(lab.groups["load_balancers"][0])
    options = {
        "trial": TRIAL,
        "here": str(Path(__file__).resolve().parent),
        "ivy_engine_addresses": {"engine1": "127.0.0.1"},
        "__haproxy_socket": "/run/haproxy/paths.sock",
        "__haproxy_state_file": f"{TRIAL}/state",
    }
    try:
        lab.playbook(str(play), "-e", json.dumps(options)).succeeded()
        name = lab.public.partition(":")[0]
        yield json.loads(balancer.check_output(f"python3 -B {TRIAL}/balancer_paths.py {TRIAL} {name}"))
    finally:
        balancer.run(f"rm -rf {TRIAL} /run/haproxy/paths.sock")


@pytest.mark.parametrize("protocol", ["http1", "http2"])
def test_a_request_passes_only_if_its_path_is_certainly_open(lab: Lab, trial: dict[str, Any], protocol: str) -> None:
    wrong = balancer_paths.mismatches(trial[protocol], protocol, lab.public.partition(":")[0])
    assert wrong == [], "\n".join([f"{len(wrong)} requests:", *wrong])


def test_no_spelling_of_a_login_escapes_the_limit(trial: dict[str, Any]) -> None:
    wrong = balancer_paths.unlimited(balancer_paths.LOGINS, trial["logins"])
    assert wrong == [], "\n".join(wrong)


def test_no_address_that_a_trusted_proxy_names_escapes_the_limit(trial: dict[str, Any]) -> None:
    wrong = balancer_paths.unlimited(balancer_paths.FORWARDED, trial["forwarded"])
    assert wrong == [], "\n".join(wrong)


def test_the_administration_answers_only_to_an_address_that_is_certain(trial: dict[str, Any]) -> None:
    asked = dict(zip(balancer_paths.ADMINISTRATION, trial["administration"], strict=True))
    assert asked == balancer_paths.ADMINISTRATION
