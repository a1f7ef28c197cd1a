# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import types
import typing as t
from pathlib import Path

import pytest
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.parsing.vault import VaultLib, VaultSecret
from ansible.playbook.play import Play
from ansible.template import Templar, is_trusted_as_template
from ansible.vars.manager import VariableManager

from ansible_collections.ivy.cluster.plugins.action.config_release import ActionModule

ROOT = Path(__file__).resolve().parents[4]
HEADER = "# yaml-language-server: $schema=https://json-schema.axonivy.com/ivy/11.3.0/ivy.json\n"
PASSWORD = VaultSecret(b"vault password")

HOSTS = """
engine_nodes:
  hosts:
    engine1: {ansible_host: 192.0.2.1}
    engine2: {ansible_host: 192.0.2.2}
    engine3: {ansible_host: 192.0.2.3}
  vars:
    domain: example.com
    ivy_shared_values: {host: "mail.{{ domain }}", numbers: [1, 2]}
    ivy_shared_secrets: {mail: "CANARY-{{ domain }}", engine_keys: {EMail.Server.Password: CANARY-admin}}
"""
PROFILE: dict[str, t.Any] = {
    "settings": {
        "database_url": {"file": "configuration/ivy.yaml", "key": "SystemDb.Url"},
        "database_password": {"file": "environment", "key": "SystemDb.Password"},
    },
    "restart_rules": [{"pattern": "configuration/ivy.yaml", "restart": "keys"}],
}


class Site:
    """An inventory of hosts that do not exist, a source and a cache."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.write("inventory/hosts.yml", HOSTS)
        self.write(
            "source/configuration/ivy.yaml.j2", HEADER + "A: {{ shared.host }}\nB: '${encrypt:{{ secret.mail }}}'\n"
        )

    def write(self, name: str, text: str) -> Path:
        path = self.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    @property
    def arguments(self) -> dict[str, t.Any]:
        return {
            "source": str(self.directory / "source"),
            "cache": str(self.directory / "cache"),
            "cluster": "demo",
            "cluster_key": "CANARYKEY" * 4,
            "engine_version": "11.3.0",
            "profile": PROFILE,
            "nodes": ["engine1", "engine2", "engine3"],
            "topology": {"database_url": "jdbc:x", "database_password": "CANARY-db"},
            "jgroups": {"transport": "tcp", "hosts": ["192.0.2.1"]},
        }

    def run(self, vault: bool = True, check_mode: bool = False, **changes: t.Any) -> dict[str, t.Any]:
        loader = DataLoader()
        loader.set_basedir(str(self.directory))
        if vault:
            loader.set_vault_secrets([("default", PASSWORD)])
        inventory = InventoryManager(loader=loader, sources=[str(self.directory / "inventory/hosts.yml")])
        manager = VariableManager(loader=loader, inventory=inventory)
        # The name of another action: that of our own needs Ansible's loader of collections.
        tasks = [{"action": "ansible.builtin.debug", "check_mode": check_mode}]
        play = Play.load({"hosts": "engine_nodes", "gather_facts": "no", "tasks": tasks}, manager, loader)
        task = next(task for block in play.compile() for task in block.block if task.action.endswith("debug"))
        task.args = {**self.arguments, **changes}
        variables = manager.get_vars(play=play, host=inventory.get_host("engine1"), task=task)
        action = ActionModule(
            task=task,
            # Nothing but the name of a directory that is never made: no connection is used.
            connection=types.SimpleNamespace(_shell=types.SimpleNamespace(tmpdir=None)),
            play_context=None,
            loader=loader,
            templar=Templar(loader=loader, variables=variables),
            shared_loader_obj=None,
        )
        result = action.run(task_vars=variables)
        assert "CANARY" not in json.dumps(result, default=str)
        return result

    def renders_inline_vault(self) -> bool:
        """Whether ansible-core renders the content of a variable that is encrypted by itself."""
        encrypted = VaultLib([("default", PASSWORD)]).encrypt("{{ 1 }}", PASSWORD).decode()
        text = "x: !vault |\n" + "".join(f"  {line}\n" for line in encrypted.splitlines())
        loader = DataLoader()
        path = self.write("inline.yml", text)
        return is_trusted_as_template(loader.load_from_file(str(path), trusted_as_template=True)["x"])

    def build(self, **changes: t.Any) -> dict[str, t.Any]:
        result = self.run(**changes)
        assert not result.get("failed"), result["msg"]
        return result

    def problems(self, **changes: t.Any) -> list[str]:
        result = self.run(**changes)
        assert result["failed"] is True
        assert result["changed"] is False
        problems = [finding["message"] for finding in result["findings"]]
        assert all(problem in result["msg"] for problem in problems)
        return problems


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def blobs(site: Site) -> str:
    return "\n".join(path.read_text(encoding="utf-8") for path in (site.directory / "cache/blobs").iterdir())


def test_builds_and_writes(site: Site) -> None:
    result = site.build()
    assert result["changed"] is False
    assert result["release"]["files"] == 3
    manifest = Path(result["release"]["manifest"])
    assert manifest.parent.name == result["release"]["id"] == json.loads(manifest.read_bytes())["id"]
    assert stat.S_IMODE((site.directory / "cache").stat().st_mode) == 0o700
    assert "A: mail.example.com\nB: '${encrypt:CANARY-example.com}'" in blobs(site)
    assert 'IVY_EMAIL_SERVER_PASSWORD="CANARY-admin"' in blobs(site)


def test_check_mode_builds_the_same(site: Site) -> None:
    assert site.run(check_mode=True)["release"] == site.run()["release"]


def vaulted(text: str) -> str:
    encrypted = VaultLib([("default", PASSWORD)]).encrypt(text, PASSWORD).decode()
    return "!vault |\n" + "\n".join("        " + line for line in encrypted.splitlines())


def test_a_secret_of_the_vault_without_its_password(site: Site) -> None:
    site.write("inventory/group_vars/engine_nodes.yml", f"ivy_shared_secrets:\n  mail: {vaulted('CANARY')}\n")
    (problem,) = site.problems(vault=False)
    assert problem.startswith("ivy_shared_secrets cannot be used")
    assert problem.endswith("(on engine1, engine2, engine3)")


def test_files_of_the_vault(site: Site) -> None:
    encrypted = VaultLib([("default", PASSWORD)]).encrypt("CANARY-file", PASSWORD).decode()
    site.write("source/configuration/secret.txt", encrypted)
    site.build()
    assert "CANARY-file" in blobs(site)
    assert "cannot be decrypted" in "".join(site.problems(vault=False))


def vault_variables(site: Site, text: str) -> None:
    encrypted = VaultLib([("default", PASSWORD)]).encrypt(text, PASSWORD)
    site.write("inventory/group_vars/engine_nodes/vault.yml", encrypted.decode())


@pytest.mark.parametrize(
    "value",
    ["ab{#1#}cd{{ 7*7 }}", "x{# CANARY #}", "{{ 'a' ~ 'b' }}", "{{ 1 }}", "{{ [1, 2] | first }}", "a{% set x = 1 %}b"],
)
@pytest.mark.parametrize("encrypted", [False, True])
def test_a_secret_that_ansible_renders_is_a_problem(site: Site, value: str, encrypted: bool) -> None:
    quoted = "'" + value.replace("'", "''") + "'"
    if encrypted:
        one = VaultLib([("default", PASSWORD)]).encrypt(value, PASSWORD).decode()
        quoted = "!vault |\n" + "".join(f"  {line}\n" for line in one.splitlines())
        if not site.renders_inline_vault():
            pytest.skip("this ansible-core takes what is encrypted as it is")
    vault_variables(site, f"vault_mail: {quoted}\n")
    site.write("inventory/group_vars/engine_nodes/x.yml", "ivy_shared_secrets: {mail: '{{ vault_mail }}'}\n")
    (problem,) = site.problems()
    assert problem.startswith("vault_mail contains {{, {% or {#, so Ansible renders it")


@pytest.mark.parametrize(
    "value",
    [
        *("!unsafe 'ab{#1#}cd{{ 7*7 }}'", "'{{ domain }}'", "'{{ vault_other }}-x'", "\"{{ lookup('env', 'HOME') }}\""),
        *(
            "'a{{ \"{{\" }}b'",
            "'{% raw %}{{ 1 }}{% endraw %}'",
            "\"{% if domain == 'x' %}a{% else %}b{% endif %}\"",
            "'a}}b{'",
        ),
    ],
)
def test_references_and_texts_marked_as_unsafe_are_accepted(site: Site, value: str) -> None:
    vault_variables(site, f"vault_mail: {value}\nvault_other: abc\n")
    site.write("inventory/group_vars/engine_nodes/x.yml", "ivy_shared_secrets: {mail: '{{ vault_mail }}'}\n")
    site.build()


def test_a_secret_that_ansible_cannot_render_is_not_blamed_on_the_vault_alone(site: Site) -> None:
    vault_variables(site, "vault_mail: 'ab{{ CANARY'\n")
    site.write("inventory/group_vars/engine_nodes/x.yml", "ivy_shared_secrets: {mail: '{{ vault_mail }}'}\n")
    assert "!unsafe" in site.run()["msg"]


def test_an_override_for_one_node_is_an_error(site: Site) -> None:
    site.write("inventory/host_vars/engine2.yml", "domain: other.example.com\n")
    assert site.problems() == [
        "ivy_shared_secrets.mail is not the same on every node (engine1, engine3: ********; engine2: ********)",
        "ivy_shared_values.host is not the same on every node "
        '(engine1, engine3: "mail.example.com"; engine2: "mail.other.example.com")',
    ]


def test_a_value_that_only_some_nodes_have(site: Site) -> None:
    site.write("inventory/host_vars/engine3.yml", 'ivy_shared_values: {host: "{{ nowhere }}"}\n')
    (problem,) = site.problems()
    assert problem.startswith("ivy_shared_values cannot be used")
    assert "'nowhere' is undefined" in problem
    assert problem.endswith("(on engine3)")


def test_other_variables_can_be_named(site: Site) -> None:
    site.write("inventory/group_vars/engine_nodes.yml", "mine: {host: a}\nmy_secrets: {mail: CANARY-b}\n")
    site.build(values_variable="mine", secrets_variable="my_secrets")
    assert "A: a\n" in blobs(site)
    (problem,) = site.problems(values_variable="missing")
    assert "missing" in problem


def test_nodes(site: Site) -> None:
    assert "the node engine9 is not in the inventory" in site.problems(nodes=["engine1", "engine9"])
    assert "there is no engine node" in site.problems(nodes=[])


def test_all_findings_in_one_message(site: Site) -> None:
    site.write("source/configuration/web.xml", "<a>")
    site.write("source/configuration/ivy.yaml.j2", "A: {{ inventory_hostname }}\n")
    problems = site.problems(licence_file="nowhere.lic", cluster_key="CANARYshort")
    assert len(problems) == 4


def test_the_licence_is_looked_for_beside_the_playbook(site: Site) -> None:
    site.write("own.lic", "licence.type=Enterprise Edition\nserver.nodes.limit=2\n")
    assert site.problems(licence_file="own.lic") == ["the licence is for 2 nodes, the group engine_nodes has 3"]


def test_warnings(site: Site) -> None:
    site.write("source/configuration/ivy.yaml~", "x")
    assert "ivy.yaml~" in site.run()["warnings"][0]


def test_a_cache_that_cannot_be_written(site: Site) -> None:
    (site.directory / "cache").write_text("a file", encoding="utf-8")
    result = site.run()
    assert result["failed"] is True
    assert "cache" in result["msg"]


def test_a_version_that_is_not_one(site: Site) -> None:
    assert "is not an engine version" in site.run(engine_version="latest", licence_file="")["msg"]


PLAYBOOK = """
- hosts: engine_nodes
  gather_facts: false
  tasks:
    - ansible.builtin.include_role:
        name: builder
"""
TASKS = """
- ivy.cluster.config_release:
    source: "{{ playbook_dir }}/source"
    cache: "{{ playbook_dir }}/cache"
    cluster: demo
    cluster_key: "{{ builder_key }}"
    engine_version: "11.3.0"
    profile: "{{ builder_profile }}"
    nodes: "{{ groups['engine_nodes'] }}"
    values_variable: builder_values
    topology: {database_password: "{{ builder_password }}"}
  run_once: true
  register: builder_result
- ansible.builtin.debug:
    var: builder_result
  run_once: true
"""


@pytest.mark.parametrize("broken", [False, True])
def test_a_real_run_shows_no_secret_and_sees_the_defaults_of_its_role(site: Site, broken: bool) -> None:
    site.write("play.yml", PLAYBOOK)
    site.write("roles/builder/tasks/main.yml", TASKS)
    defaults = {
        "builder_values": {"host": "from-the-role"},
        "builder_profile": PROFILE,
        "builder_key": "CANARYKEY" * 4,
        "builder_password": "CANARY-db",
    }
    site.write("roles/builder/defaults/main.yml", json.dumps(defaults))
    secret = vaulted("CANARY-from-vault: \"x'")
    site.write("inventory/group_vars/engine_nodes.yml", f"ivy_shared_secrets:\n  mail: {secret}\n")
    site.write("source/configuration/ivy.yaml.j2", HEADER + "A: {{ shared.host }}\nB: {{ secret.mail | to_json }}\n")
    if broken:
        site.write("inventory/host_vars/engine2.yml", "ivy_shared_secrets: {mail: CANARY-other}\n")
        site.write("source/configuration/b.yaml.j2", "B: {{ secret.mail }}: [CANARY\n{{ secret.mail + 1 }}")
    environment = {
        **os.environ,
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "collections"),
        "ANSIBLE_LOCAL_TEMP": str(site.directory / "tmp"),
        "ANSIBLE_DISPLAY_ARGS_TO_STDOUT": "true",
        "ANSIBLE_CONFIG": str(site.write("ansible.cfg", "[defaults]\n")),
        "ANSIBLE_VAULT_PASSWORD_FILE": str(site.write("password", PASSWORD.bytes.decode())),
    }
    program = Path(sys.executable).with_name("ansible-playbook")
    command = [str(program), "-i", "inventory/hosts.yml", "play.yml", "-vvv", "--diff", "--check"]
    run = subprocess.run(command, cwd=site.directory, env=environment, capture_output=True, text=True, check=False)
    output = run.stdout + run.stderr
    assert run.returncode == (2 if broken else 0), output
    assert [line for line in output.splitlines() if "CANARY" in line] == []
    if broken:
        assert "ivy_shared_secrets.mail is not the same on every node" in output
    else:
        assert 'A: from-the-role\nB: "CANARY-from-vault: \\"x\'"\n' in blobs(site)
