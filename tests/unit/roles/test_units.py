# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The units of the collection: after a power loss none of them stops retrying because a dependency starts late."""

from __future__ import annotations

import json
import runpy
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.ivy.cluster.tests.in_process import run_play

ROOT = Path(__file__).resolve().parents[3]
SERVICES = sorted(path for path in ROOT.glob("roles/*/templates/*") if "[Service]" in path.read_text(encoding="utf-8"))
PLAY = """
- hosts: engine_nodes
  gather_facts: false
  tasks:
    - ansible.builtin.copy:
        content: "{{ lookup('ansible.builtin.template', template) }}"
        dest: "{{ destination }}"
        mode: "0644"
      delegate_to: localhost
      become: false
"""
VALUES: dict[str, Any] = {
    "ivy_engine_version": "11.3.0",
    "ivy_search_front_end": False,
    "ivy_node_serves_https": False,
    "__haproxy_has_database": False,
    "ivy_cluster_name": "demo",
    "ivy_user": "ivy",
    "ivy_group": "ivy",
    "ivy_environment_directory": "/etc/ivy-cluster",
    "engine_firewall": False,
    "engine_stop_timeout": 120,
    "engine_dump_directory": "/var/lib/dumps",
    "ivy_engine_directory": "/opt/ivy/versions/11.3.0",
    "__engine_library": "/usr/local/lib/ivy-cluster",
    "engine_writable_directories": ["logs"],
}


def lines(text: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        name, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            found.setdefault(name, []).append(value)
    return found


def rendered(tmp_path: Path, **values: Any) -> dict[str, list[str]]:
    return lines(rendered_text(tmp_path, **values))


def rendered_text(tmp_path: Path, **values: Any) -> str:
    (tmp_path / "play.yml").write_text(PLAY, encoding="utf-8")
    (tmp_path / "hosts.json").write_text(
        json.dumps({"all": {"children": {"engine_nodes": {"hosts": {"engine1": {"ansible_connection": "local"}}}}}}),
        encoding="utf-8",
    )
    template = ROOT / values.pop("path", "roles/engine/templates/axonivy-engine.service.j2")
    more = {**VALUES, **values, "template": str(template), "destination": str(tmp_path / "unit.service")}
    done = run_play(tmp_path, more, inventory="hosts.json")
    assert done.returncode == 0, done.stdout + done.stderr
    return (tmp_path / "unit.service").read_text(encoding="utf-8")


def test_the_engine_is_restarted_without_limit_and_requires_no_unit(tmp_path: Path) -> None:
    unit = rendered(tmp_path, ivy_share_directory="/srv/my-data/ivy")
    assert unit["StartLimitIntervalSec"] == ["0"]
    assert "StartLimitBurst" not in unit
    # If a required unit failed, the start would fail, too, and systemd would not retry it.
    assert not {"Requires", "Requisite", "BindsTo", "RequiresMountsFor"} & set(unit)
    assert "srv-my\\x2ddata-ivy.mount srv-my\\x2ddata.mount srv.mount" in unit["After"]
    # A failure of record-start is final, a timeout is not. No exit status of the engine itself is final.
    assert unit["Restart"] == ["on-abnormal"]
    assert {str(status) for status in range(1, 256)} - set(unit["RestartForceExitStatus"][0].split()) == {"143"}
    assert unit["SuccessExitStatus"] == ["143"]
    assert unit["EnvironmentFile"] == ["-/etc/ivy-cluster/shared.env", "-/etc/ivy-cluster/node.env"]
    assert unit["ExecStartPre"] == ["+/usr/bin/python3 -I -B /usr/local/lib/ivy-cluster/record-start"]


def test_the_engine_waits_for_its_firewall_and_does_not_require_it(tmp_path: Path) -> None:
    unit = rendered(tmp_path, ivy_share_directory="/srv/ivy", engine_firewall=True, __engine_firewall_name="ivy-engine")
    assert "ivy-engine-firewall.service" in unit["Wants"]
    assert "ivy-engine-firewall.service" in unit["After"]
    assert not {"Requires", "Requisite", "BindsTo"} & set(unit)
    # A failed command in ExecStartPre would be final; record-start retries the check of the firewall.
    assert len(unit["ExecStartPre"]) == 1
    node_json = (ROOT / "roles/engine/vars/main/node_json.yml").read_text(encoding="utf-8")
    assert "firewall_table" in node_json


def test_the_tables_are_created_with_the_restrictions_of_the_engine(tmp_path: Path) -> None:
    unit = rendered_text(tmp_path, ivy_share_directory="/srv/ivy", engine_writable_directories=["@"])
    allowed = yaml.safe_load((ROOT / "roles/engine/vars/main/internal.yml").read_text(encoding="utf-8"))
    variables = yaml.safe_load((ROOT / "roles/rollout/vars/main/schema.yml").read_text(encoding="utf-8"))
    assert variables["__rollout_schema_directories"] == allowed["engine_writable_directories"]
    restrictions = variables["__rollout_schema_restrictions"]
    start, end = unit.index("LimitNOFILE="), unit.index("ReadWritePaths=")
    assert restrictions == [line for line in unit[start:end].splitlines() if line and not line.startswith("#")]
    # The values come from the same variables as in the unit.
    properties = variables["__rollout_schema_properties"]
    for name in ("ivy_share_directory", "/secrets:/run/secrets", "/shared.env", "/node.env", "RuntimeMaxSec="):
        assert name in properties
    command = (ROOT / "roles/rollout/tasks/create_schema.yml").read_text(encoding="utf-8")
    assert "__rollout_schema_properties | map('regex_replace', '^', '--property=')" in command


GUARD: dict[str, Any] = {
    "path": "roles/config_guard/templates/ivy-config-guard.service.j2",
    "__config_guard_program": "/usr/local/lib/ivy-cluster/config-guard",
    "config_guard_keep_backups": 20,
    "config_guard_metrics_directory": "/var/lib/metrics",
    "__config_guard_writable": ["/var/lib/ivy-cluster"],
}


SEARCH: dict[str, Any] = {
    "path": "roles/elasticsearch/templates/search.service.j2",
    "elasticsearch_user": "search",
    "elasticsearch_service": "search",
    "elasticsearch_firewall": True,
    "elasticsearch_data_directory": "/var/lib/search",
    "elasticsearch_log_directory": "/var/log/search",
    "__elasticsearch_product": "opensearch",
    "__elasticsearch_is_cluster": False,
    "__elasticsearch_prefix": "OPENSEARCH",
    "__elasticsearch_environment": {"OPENSEARCH_JAVA_HOME": "/usr/lib/jvm/21"},
    "__elasticsearch_config_directory": "/etc/search",
    "__elasticsearch_cache_directory": "/var/cache/search",
    "__elasticsearch_current": "/opt/search/current",
    "__elasticsearch_firewall_name": "ivy-search",
    "__elasticsearch_describe": "/usr/local/lib/describe",
    "__elasticsearch_started": "/run/search",
}
BACKUP: dict[str, Any] = {
    "path": "roles/backup/templates/ivy-backup.service.j2",
    "__backup_program": "/usr/local/lib/backup",
    "__backup_settings": "/etc/ivy-cluster/backup.json",
    "backup_directory": "/var/backups/ivy",
    "backup_metrics_directory": "/var/lib/metrics",
    "ivy_state_directory": "/var/lib/ivy-cluster",
}
ARCHIVE: dict[str, Any] = {
    "path": "roles/postgres/templates/ivy-postgres-archive.service.j2",
    "ivy_cluster_name": "prod",
    "postgres_service_name": "postgresql@15-main",
    "postgres_archive_directory": "/mnt/archive",
    "postgres_archive_pause": "/run/ivy-postgres-restore",
    "postgres_archive_stanza": "ivy",
    "postgres_archive_metrics_directory": "/var/lib/metrics",
    "__postgres_archive_program": "/usr/local/lib/ivy-cluster/postgres-archive",
    "__postgres_archive_directory": "/var/lib/ivy-postgres-archive",
}
CERTIFICATES: dict[str, Any] = {
    "path": "roles/haproxy/templates/certificate-metrics.service.j2",
    "__haproxy_library": "/usr/local/lib/ivy-haproxy",
    "haproxy_socket": "/run/haproxy/admin.sock",
    "haproxy_certificate_file": "/etc/haproxy/ivy.pem",
    "haproxy_metrics_directory": "/var/lib/metrics",
}

FIREWALL: dict[str, Any] = {
    "path": "roles/firewall/templates/firewall.service.j2",
    "firewall_description": "Firewall",
    "__firewall_file": "/etc/nftables.d/ivy.nft",
    "__firewall_table": "ivy",
}
HAPROXY: dict[str, Any] = {
    "path": "roles/haproxy/templates/service.conf.j2",
    "__haproxy_save_states": "/usr/local/lib/save",
    "haproxy_state_file": "/var/lib/haproxy/server-state",
}


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
@pytest.mark.parametrize(
    "values",
    [{}, {"engine_firewall": True, "__engine_firewall_name": "ivy-engine"}]
    + [{**GUARD, "__config_guard_mode": mode} for mode in ("report", "restore")]
    + [SEARCH, BACKUP, ARCHIVE, CERTIFICATES, FIREWALL, HAPROXY],
    ids=[
        "engine",
        "engine with a firewall",
        "guard that reports",
        "guard that restores",
        "search server",
        "backup",
        "archive",
        "certificate metrics",
        "firewall",
        "HAProxy",
    ],
)
def test_a_unit_has_few_ways_out_of_its_sandbox(tmp_path: Path, values: dict[str, Any]) -> None:
    text = rendered_text(tmp_path, ivy_share_directory="/srv/ivy", **values)
    if "ExecStart=" not in text:
        # A drop-in of the distribution's unit.
        (tmp_path / "unit.service").write_text(f"{text}\n[Service]\nExecStart=/usr/bin/true\n", encoding="utf-8")
    # The threshold is ten times the exposure that systemd-analyze reports.
    done = subprocess.run(
        ["systemd-analyze", "security", "--no-pager", "--offline=true", "--threshold=30", tmp_path / "unit.service"],
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr


RESTRICTIONS = (
    *("CapabilityBoundingSet", "LockPersonality", "NoNewPrivileges", "PrivateDevices", "PrivateTmp", "ProtectClock"),
    *("ProtectControlGroups", "ProtectHome", "ProtectHostname", "ProtectKernelLogs", "ProtectKernelModules"),
    *("ProtectKernelTunables", "ProtectSystem", "RestrictAddressFamilies", "RestrictNamespaces", "RestrictRealtime"),
    *("RestrictSUIDSGID", "SystemCallArchitectures", "SystemCallFilter"),
)


def left_open(unit: dict[str, list[str]]) -> dict[str, str]:
    """What makes the exposure of a unit higher than it could be, with the words for it."""
    found = {name: name for name in RESTRICTIONS if name not in unit}
    if "MemoryDenyWriteExecute" not in unit:
        found["MemoryDenyWriteExecute"] = "memory that is both written and executed"
    if any(set(value.split()) - {"AF_UNIX"} for value in unit.get("RestrictAddressFamilies", [])):
        found["RestrictAddressFamilies"] = "the network"
    if any(unit.get("CapabilityBoundingSet", [])):
        found["CapabilityBoundingSet"] = "the rights"
    return found


@pytest.mark.parametrize("path", SERVICES, ids=lambda path: f"{path.parts[-3]}/{path.name}")
def test_a_unit_says_why_it_leaves_something_open(path: Path) -> None:
    """Beside the settings, where whoever would close it reads it first."""
    text = path.read_text(encoding="utf-8")
    unit = lines(text)
    comments = " ".join(" ".join(line[1:] for line in text.splitlines() if line.startswith("#")).split())
    if not set(RESTRICTIONS) & set(unit):
        # A drop-in for another's unit, not a unit without any.
        assert "ExecStart" not in unit
        assert "restrictions are those of the distribution's unit" in comments
        return
    _before, begin, reasons = comments.partition("Left open: ")
    assert begin or not left_open(unit), left_open(unit)
    assert {name: words for name, words in left_open(unit).items() if words not in reasons} == {}


def test_haproxy_keeps_what_it_needs() -> None:
    unit = lines((ROOT / HAPROXY["path"]).read_text(encoding="utf-8"))
    # PCRE's compiler needs such memory, and HAProxy confines itself with chroot.
    assert "MemoryDenyWriteExecute" not in unit
    assert unit["SystemCallFilter"] == ["@system-service chroot"]
    rights = set(unit["CapabilityBoundingSet"][0].split())
    assert {"CAP_NET_BIND_SERVICE", "CAP_SETUID", "CAP_SETGID", "CAP_SYS_CHROOT", "CAP_KILL"} <= rights
    # For the sockets and the states of the servers.
    assert unit["ReadWritePaths"] == ["/run {{ haproxy_state_file | dirname }}"]


def test_the_search_server_can_install_its_own_filter() -> None:
    """It calls seccomp, and a call that does not exist, which an allow-list would answer with another error."""
    unit = lines((ROOT / SEARCH["path"]).read_text(encoding="utf-8"))
    (calls,) = unit["SystemCallFilter"]
    assert calls.startswith("~")
    assert not {"@default", "@memlock", "@process", "@sandbox", "seccomp", "prctl"} & set(calls[1:].split())
    # Java's compiler needs it.
    assert "MemoryDenyWriteExecute" not in unit
    assert (unit["LimitMEMLOCK"], unit["LimitNOFILE"]) == (["infinity"], ["65535"])


def test_the_longest_pause_and_the_checks_after_it_end_before_the_start_timeout(tmp_path: Path) -> None:
    from ansible_collections.ivy.cluster.plugins.module_utils.node.cluster import record
    from ansible_collections.ivy.cluster.plugins.module_utils.node.engine import start_state

    unit = rendered(tmp_path, ivy_share_directory="/srv/ivy")
    longest = max(start_state.pause(failures) for failures in range(100))
    assert longest + 2 * record.READ_SECONDS <= int(unit["TimeoutStartSec"][0])


def test_the_database_waits_for_its_addresses_and_is_restarted() -> None:
    unit = lines((ROOT / "roles/postgres/templates/service.conf.j2").read_text(encoding="utf-8"))
    assert unit["Wants"] == unit["After"] == ["network-online.target"]
    # Not "always": what systemctl stops stays stopped in any case, and a success is what an administrator wanted.
    assert unit["Restart"] == ["on-failure"]
    program = "{{ __postgres_await_addresses }} {{ __postgres_await_names }}"
    assert unit["ExecStartPre"] == [f"/usr/bin/python3 -I -B {program}"]
    names = (ROOT / "roles/postgres/vars/main/internal.yml").read_text(encoding="utf-8")
    assert "__postgres_await_names: \"{{ postgres_listen_addresses | unique | map('quote')" in names


AWAIT = ROOT / "roles/postgres/files/await_addresses.py"
# Reserved for documentation (RFC 5737), so no host has it.
NOWHERE = "192.0.2.1"


@pytest.mark.parametrize("names", [[], ["*"], ["0.0.0.0"], ["127.0.0.1", "localhost"]])
def test_addresses_that_are_there_are_not_waited_for(names: list[str]) -> None:
    done = subprocess.run([sys.executable, "-I", AWAIT, *names], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("name", [NOWHERE, "no-such-name.invalid"])
def test_an_address_that_is_not_there_yet_is_named_once_and_served_when_it_comes(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    program = runpy.run_path(str(AWAIT))
    clock = [0.0]

    def sleep(seconds: float) -> None:
        clock[0] += seconds

    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(time, "sleep", sleep)
    assert program["main"](["127.0.0.1", name]) == 1
    message = capsys.readouterr().err
    assert message.startswith("PostgreSQL is not started yet. ")
    assert name in message
    assert len(message.splitlines()) == 1
    late = clock[0] + 10
    problem = program["problem"]
    monkeypatch.setitem(program["main"].__globals__, "problem", lambda one: "" if clock[0] >= late else problem(one))
    assert program["main"]([name]) == 0
    assert clock[0] == late


@pytest.mark.parametrize("path", SERVICES, ids=lambda path: f"{path.parts[-3]}/{path.name}")
def test_every_service_is_restarted_without_limit(path: Path) -> None:
    unit = lines(path.read_text(encoding="utf-8"))
    timer = path.with_name(path.name.replace(".service.j2", ".timer.j2"))
    if timer != path and timer.exists():
        return
    # A drop-in that only adds commands to a service of the distribution has no restart settings.
    if not {"ExecStart", "Restart"} & set(unit):
        assert path.name == "nftables-drop-in.conf.j2"
        return
    assert unit["StartLimitIntervalSec"] == ["0"]
    assert unit["Restart"][0] in ("always", "on-failure", "on-abnormal")
    assert int(unit["RestartSec"][0]) >= 5
