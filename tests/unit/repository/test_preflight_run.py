# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbook preflight with an inventory of unreachable hosts: reports all faults in one run and contacts no host."""

from __future__ import annotations

import json
import os
import subprocess
import typing as t
from pathlib import Path

import pytest

from ansible_collections.ivy.cluster.tests.in_process import PLAYBOOK, run_playbook
from ansible_collections.ivy.cluster.tests.unit.plugins.action import preflight_site as site

ROOT = Path(__file__).resolve().parents[3]


PLAYBOOKS = sorted(path.name for path in (ROOT / "playbooks").glob("*.yml"))
FAULTS: dict[str, t.Any] = {
    "groups": {"load_balancers": {}, "database_servers": {"db1": {}, "db2": {"ansible_host": "192.0.2.31"}}},
    "hosts": {
        "engine1": {"ivy_address": "127.0.1.1"},
        "engine2": {"ivy_time_zone": "Europe/Zurich", "engine_heap_max": "much"},
        "engine3": {"ivy_shared_values": {"mail_host": "other.acme.ch"}, "ansible_host": "192.0.2.40"},
    },
    "vars": {
        "ivy_cluster_name": "Acme Cluster",
        "ivy_cluster_key": "CANARY-short",
        "ivy_public_url": "http://ivy.acme.ch",
        "ivy_jgroups_transport": "tcp",
        "ivy_database_password": "{{ vault_of_nobody }}",
        "ivy_proceed_without": ["engine7"],
        "ivy_http_port": 9200,
        "ivy_jgroups_fd_port": 7800,
        "ivy_search_url": "http://localhost:9200",
        "ivy_search_password": ["CANARY-search"],
        "ivy_uid": "twelve",
        "ivy_record_directory": "/var/record",
        "ivy_databse_port": 5433,
        "engine_on_drift": "ask",
        "engine_java_package": "openjdk-21-jre-headless",
        "engine_archive_checksum": f"sha256:{'0' * 64}",
        "postgres_version": "9",
        "elasticsearch_archive": "{{ inventory_dir }}/nowhere.zip",
        "haproxy_https_port": "none",
    },
    "files": {
        "acme.lic": site.LICENCE.replace("2199", "2001").replace("limit=3", "limit=2"),
        "shared_config/configuration/ivy.yaml.j2": site.HEADER
        + "SearchEngine: {}\nEMail.Server.Password: CANARYclear\n",
    },
}
EXPECTED = {
    "group-empty": "load_balancers",
    "database-servers": "2 hosts",
    "address-loopback": "engine1=127.0.1.1",
    "not-equal": "ivy_time_zone",
    "cluster-name": "Acme Cluster",
    "key-too-short": "ivy_cluster_key",
    "public-url": "ivy_public_url",
    "unsupported": "jgroups-tcp",
    "option-unusable": "'vault_of_nobody' is undefined",
    "left-out-unknown": "engine7",
    "port-collision": "9200",
    "search-loopback": "ivy_search_url",
    "option": "twelve",
    "not-on-share": "/var/record",
    "option-unknown": "Did you mean ivy_database_port?",
    "java-version": "needs Java 17",
    "archive-checksum": "engine_archive",
    "archive-needed": "nowhere.zip",
    "option-refused": "PostgreSQL 11 to 16",
    "licence-expired": "2001-12-31",
    "licence-nodes": "for 2 nodes",
    "release": "ivy_shared_values.mail_host is not the same",
    "search-user": "ivy_search_user is empty",
}
LISTED_TOO = (
    ("option", "\"ask\" is not one of 'overwrite' or 'fail' or 'keep'"),
    ("option", "ivy_search_password"),
    ("option-refused", "engine_heap_min, engine_heap_max"),
    ("port-collision", "7800"),
    ("release", "Elasticsearch"),
    ("release", "EMail.Server.Password"),
)


class Run(t.NamedTuple):
    code: int
    output: str
    report: dict[str, t.Any]
    contacted: bool


def run(directory: Path, case: t.Mapping[str, t.Any], *arguments: str, playbook: str = "preflight.yml") -> Run:
    """Run a playbook. Every connection to a host runs a program that leaves a trace."""
    trace, ssh, report = directory / "contacted", directory / "ssh", directory / "reports/preflight.json"
    ssh.write_text(f"#!/bin/sh\ntouch {trace}\nexit 255\n", encoding="utf-8")
    ssh.chmod(0o755)
    inventory = site.write_site(directory, case)
    command = ["-i", str(inventory), str(ROOT / "playbooks" / playbook)]
    command += ["-e", f"preflight_report_directory={report.parent}", *arguments]
    environment = {
        "ANSIBLE_LOCAL_TEMP": str(directory / "temporary"),
        "ANSIBLE_SSH_EXECUTABLE": str(ssh),
        "ANSIBLE_INVENTORY_IGNORE_PATTERNS": "",
    }
    ended = run_playbook(directory, *command, seconds=120, environment=environment)
    output = ended.stdout + ended.stderr
    content = json.loads(report.read_text(encoding="utf-8")) if report.is_file() else {}
    return Run(ended.returncode, output, content, trace.exists())


def text_of(finding: t.Mapping[str, str]) -> str:
    return f"{finding['subject']}: {finding['message']}. {finding['fix']}"


def test_a_valid_inventory_passes_and_no_host_is_contacted(tmp_path: Path) -> None:
    good = run(tmp_path, {}, "-e", "preflight_scope=inventory")
    assert good.code == 0, good.output
    assert good.report["findings"] == []
    assert "Preflight of cluster acme: no problem found in the inventory." in good.output
    assert not good.contacted


def test_all_faults_are_reported_at_once_without_secrets_and_without_contacting_a_host(tmp_path: Path) -> None:
    bad = run(tmp_path, FAULTS, "-e", "preflight_scope=inventory", "-vvv")
    assert bad.code != 0
    assert not bad.contacted
    findings = bad.report["findings"]
    by_code = {code: [text_of(finding) for finding in findings if finding["code"] == code] for code in EXPECTED}
    missed = {
        (code, words)
        for code, words in (*EXPECTED.items(), *LISTED_TOO)
        if not any(words in text for text in by_code[code])
    }
    assert not missed, [text_of(finding) for finding in findings]
    assert "CANARY" not in bad.output + json.dumps(bad.report)
    # Ansible reports nothing about hosts that were not contacted.
    assert "UNREACHABLE" not in bad.output
    for finding in findings:
        assert f"[{finding['code']}]" in bad.output


def test_a_run_with_hosts_reports_the_faults_of_the_inventory_too(tmp_path: Path) -> None:
    faults = {"vars": {"postgres_version": "9"}, "files": {"acme.lic": None}}
    both = run(tmp_path, faults)
    assert both.code != 0
    assert both.contacted
    codes = {finding["code"] for finding in both.report["findings"]}
    assert {"option-refused", "licence-unreadable", "host-unreachable"} <= codes


@pytest.mark.parametrize("playbook", ["preflight.yml", "site.yml", "verify.yml"])
def test_an_inventory_without_the_groups_fails(playbook: str, tmp_path: Path) -> None:
    groups: dict[str, t.Any] = {group: {} for group in site.groups()}
    groups["engine-nodes"] = {"engine1": {"ansible_host": "192.0.2.21"}}
    none = run(tmp_path, {"groups": groups}, playbook=playbook)
    assert none.code != 0
    assert not none.contacted
    assert "There is no host in any of the groups load_balancers, engine_nodes" in none.output
    assert "engine-nodes" in none.output.partition("There is no host")[2]


@pytest.fixture(scope="module")
def syntax_check(tmp_path_factory: pytest.TempPathFactory) -> subprocess.CompletedProcess[str]:
    """The syntax check of all playbooks in one process: Ansible takes longer to begin than to check."""
    inventory = site.write_site(tmp_path_factory.mktemp("syntax"), {})
    command = [*PLAYBOOK, "--syntax-check", "-i", str(inventory)]
    environment = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "LC_ALL": "C.UTF-8"}
    environment["ANSIBLE_COLLECTIONS_PATH"] = str(ROOT / "collections")
    return subprocess.run(
        [*command, *(str(ROOT / "playbooks" / name) for name in PLAYBOOKS)],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
        env=environment,
    )


@pytest.mark.parametrize("name", PLAYBOOKS)
def test_every_playbook_passes_the_syntax_check(name: str, syntax_check: subprocess.CompletedProcess[str]) -> None:
    assert syntax_check.returncode == 0, syntax_check.stdout + syntax_check.stderr
    assert f"playbook: {ROOT / 'playbooks' / name}" in syntax_check.stdout.splitlines()
