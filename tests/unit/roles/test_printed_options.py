# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""No verbosity prints the passwords in options whose lines go into the configuration of a service."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ansible_collections.ivy.cluster.tests.in_process import run_playbook

ROOT = Path(__file__).resolve().parents[3]
SECRET = "hunt3rzwei9"
# Ansible prints the second form of what slurp reads.
FORMS = (SECRET, "aHVudDNyendlaT")
PLAY = """
- hosts: load_balancers
  gather_facts: false
  tasks:
    - ansible.builtin.include_role: {name: ivy.cluster.haproxy, tasks_from: write_configuration}
- hosts: search_servers
  gather_facts: false
  tasks:
    - ansible.builtin.include_role: {name: ivy.cluster.elasticsearch, tasks_from: configure}
- hosts: database_servers
  gather_facts: false
  tasks:
    - ansible.builtin.set_fact: {memtotal_mb: 4096, cacheable: true}
    - ansible.builtin.include_role: {name: ivy.cluster.postgres, tasks_from: configure}
"""
BALANCER: dict[str, Any] = {
    "haproxy_extra_sections": f"userlist admins\n    user admin insecure-password {SECRET}",
    "haproxy_global_lines": [f"setenv A {SECRET}"],
    "haproxy_frontend_lines": [f"stats auth b:{SECRET}"],
    "haproxy_backend_lines": [f"stats auth c:{SECRET}"],
}
SEARCH: dict[str, Any] = {
    "elasticsearch_settings": {"xpack.security.http.ssl.keystore.password": SECRET},
    "elasticsearch_jvm_options": [f"-Djavax.net.ssl.keyStorePassword={SECRET}"],
    "elasticsearch_java_home": "/opt/java",
    "elasticsearch_archive": "/elasticsearch-8.12.0.tar.gz",
    "elasticsearch_archive_checksum": "sha256:" + "0" * 64,
    "elasticsearch_heap": "512m",
    "host_state_observed": {},
    "__elasticsearch_group_exists": False,
}
RULE = {"type": "host", "database": "all", "user": "all", "address": "10.0.0.9", "method": "ldap"}
DATABASE: dict[str, Any] = {
    "postgres_version": "15",
    "postgres_settings": {"primary_conninfo": f"host=db2 password={SECRET}", "effective_cache_size": "1GB"},
    "postgres_hba_extra": [{**RULE, "options": f'ldapbindpasswd="{SECRET}"'}],
    "__postgres_cluster_files": {"results": [{}, {"stat": {"exists": True}}]},
}


def test_no_option_of_the_user_is_printed(tmp_path: Path) -> None:
    old_rules = tmp_path / "pg_hba.conf"
    old_rules.write_text(SECRET, encoding="utf-8")
    (tmp_path / "50-ivy-cluster.conf").write_text(f"a = '{SECRET}'\n", encoding="utf-8")
    (tmp_path / "haproxy.cfg").write_text(f"# {SECRET}\n", encoding="utf-8")
    (tmp_path / "elasticsearch.yml").write_text(f"a: {SECRET}\n", encoding="utf-8")
    (tmp_path / "pg_ident.conf").write_text("", encoding="utf-8")
    paths = {
        "__haproxy_configuration": f"{tmp_path}/haproxy.cfg",
        "__elasticsearch_config_directory": str(tmp_path),
        "__postgres_settings_file": f"{tmp_path}/50-ivy-cluster.conf",
        "__postgres_hba_file": str(old_rules),
        "__postgres_ident_file": f"{tmp_path}/pg_ident.conf",
    }
    inventory = {
        "all": {
            "vars": {
                "ansible_connection": "local",
                "ansible_python_interpreter": "{{ ansible_playbook_python }}",
                "ivy_cluster_name": "unit",
                "ivy_engine_version": "12.0.9",
                "ivy_public_url": "https://ivy.example.com/",
                "ivy_cluster_key": "0" * 64,
                "ivy_database_password": "unused",
                "packages_ready": False,
            },
            "children": {
                "load_balancers": {"hosts": {"lb": {"ivy_address": "10.0.0.1", **BALANCER}}},
                "engine_nodes": {"hosts": {"engine1": {"ivy_address": "10.0.0.2"}}},
                "database_servers": {"hosts": {"db1": {"ivy_address": "10.0.0.3", **DATABASE}}},
                "search_servers": {"hosts": {"search1": {"ivy_address": "10.0.0.4", **SEARCH}}},
            },
        }
    }
    for name, content in (("hosts.yml", inventory), ("paths.json", paths)):
        (tmp_path / name).write_text(json.dumps(content), encoding="utf-8")
    (tmp_path / "play.yml").write_text(PLAY, encoding="utf-8")
    command = ["-i", "hosts.yml", "play.yml", "-e", "@paths.json", "--check", "--diff", "-vvv"]
    done = run_playbook(tmp_path, *command, environment={"ANSIBLE_LOCAL_TEMP": str(tmp_path / "temporary")})
    output = done.stdout + done.stderr
    assert done.returncode == 0, output[-4000:]
    assert [line for line in output.splitlines() if any(form in line for form in FORMS)] == []
    # The files were compared, and what has no secret is shown.
    tasks = {task.partition("]")[0].rpartition(" : ")[2]: task for task in output.split("\nTASK [")}
    for name in (
        "Write the configuration if HAProxy accepts it",
        "Write the configuration",
        "Write the settings if PostgreSQL accepts them",
        "Write the access rules",
    ):
        assert "\nchanged: [" in tasks[name], name
    assert "+ivy_cluster  root      postgres" in output
