# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The example inventories load, contain no secrets, and pass preflight once files and secrets are added."""

from __future__ import annotations

import ipaddress
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import is_trusted_as_template, trust_as_template

from ansible_collections.ivy.cluster.tests.in_process import PLAYBOOK
from ansible_collections.ivy.cluster.tests.unit.plugins.action import preflight_site

ROOT = Path(__file__).resolve().parents[3]
PROGRAMS = Path(sys.executable).parent
EXAMPLES = ["small", "ha"]
DOCUMENTATION = ipaddress.ip_network("192.0.2.0/24")
# Characters that are special in a file on the way of a password.
SPECIAL = "'one' \"two\" $HOME ${x} %h \\ # a: b {} ä€"
LICENCE = """\
licence.type=Enterprise Edition
licence.keyversion=axonivy/12000
licence.valid.until=2099-12-31
public.urls=ivy.example.com
server.nodes.limit=3
"""
SECRETS = {
    "cluster_key": "0123456789abcdef" * 4,
    "database_password": f"{SPECIAL} database",
    "search_password": f"{SPECIAL} search",
    # Patroni sets them in SQL and in a password file, and takes ASCII only.
    "replication_password": f"{SPECIAL.encode('ascii', 'ignore').decode()} replication",
    "rewind_password": f"{SPECIAL.encode('ascii', 'ignore').decode()} the rewind",
    "mail_password": f"{SPECIAL} mail",
    "admin_password": f"{SPECIAL} admin",
}


def run(*command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    base = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1", "LC_ALL": "C.UTF-8"}
    argv = [str(PROGRAMS / command[0]), *command[1:]]
    return subprocess.run(argv, check=False, capture_output=True, text=True, cwd=ROOT, env={**base, **environment})


@pytest.fixture(scope="module", params=EXAMPLES)
def example(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_the_hosts_have_documentation_names_and_addresses(example: str) -> None:
    done = run("ansible-inventory", "-i", f"inventories/{example}", "--list")
    assert done.returncode == 0, done.stderr
    inventory: dict[str, Any] = json.loads(done.stdout)
    hosts = inventory["_meta"]["hostvars"]
    sizes = {group: len(inventory.get(group, {}).get("hosts", [])) for group in inventory["all"]["children"]}
    assert sizes["engine_nodes"] == 3
    assert sizes["load_balancers"] == {"small": 1, "ha": 2}[example]
    for name, values in hosts.items():
        assert name.endswith(".example.com")
        assert ipaddress.ip_address(values["ansible_host"]) in DOCUMENTATION
        # With Ansible's default each host would print a warning about the discovered Python.
        assert values["ansible_python_interpreter"] == "/usr/bin/python3"


def test_every_variable_is_explained(example: str) -> None:
    """Each option follows a comment, with no empty line in between; consecutive options may share one."""
    for file in sorted((ROOT / "inventories" / example).glob("group_vars/**/*.yml")):
        explained = False
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
            if not line.strip() or line == "---":
                explained = False
            elif line.lstrip().startswith("#"):
                explained = True
            else:
                assert explained, f"{file}:{number}: {line}"


def test_secrets_are_looked_up_and_nothing_is_binary(example: str) -> None:
    directory = ROOT / "inventories" / example
    variables = yaml.safe_load((directory / "group_vars/all/secrets.yml").read_text(encoding="utf-8"))

    def leaves(value: Any) -> list[str]:
        return [leaf for item in value.values() for leaf in leaves(item)] if isinstance(value, dict) else [str(value)]

    assert len(leaves(variables)) >= 4
    for leaf in leaves(variables):
        assert re.fullmatch(r"\{\{ (vault_\w+|lookup\('ansible\.builtin\.env', 'IVY_\w+'\)) \}\}", leaf), leaf
    listed = subprocess.run(
        ["git", "ls-files", str(directory)], check=True, capture_output=True, text=True, cwd=ROOT
    ).stdout.split()
    for name in listed:
        assert "\0" not in (ROOT / name).read_text(encoding="utf-8")


def test_the_example_of_a_password_keeps_the_characters_of_templates() -> None:
    """Without the tag, Ansible would take the password for a template."""
    text = (ROOT / "inventories/small/group_vars/all/secrets.yml").read_text(encoding="utf-8")
    (example,) = re.findall(r"^# +(vault_\w+: .+)$", text, re.MULTILINE)
    assert "Put !unsafe before it" in " ".join(text.replace("#", "").split())
    (password,) = DataLoader().load(trust_as_template(example)).values()
    assert re.search(r"\{[{%#]", password)
    assert not is_trusted_as_template(password)


def test_preflight_passes_once_files_and_secrets_are_added(example: str, tmp_path: Path) -> None:
    inventory = tmp_path / example
    shutil.copytree(ROOT / "inventories" / example, inventory)
    files = inventory / "files"
    files.mkdir()
    (files / "cluster.lic").write_text(LICENCE, encoding="utf-8")
    with zipfile.ZipFile(files / "AxonIvyEngine12.0.9_All_x64.zip", "w") as archive:
        archive.writestr("bin/AxonIvyEngine", "#!/bin/sh\n")
    with tarfile.open(files / "opensearch-2.18.0-linux-x64.tar.gz", "w:gz") as packed:
        packed.add(files / "cluster.lic", "opensearch-2.18.0/README.md")
    certificate, key = preflight_site.certificate(names=["ivy.example.com"])
    (files / "ivy.example.com.pem").write_text(certificate, encoding="utf-8")
    (files / "ivy.example.com.key").write_text(key, encoding="utf-8")
    vault = {f"vault_{name}": value for name, value in SECRETS.items()}
    if example == "small":
        (inventory / "group_vars/all/vault.yml").write_text(json.dumps(vault), encoding="utf-8")
    report = tmp_path / "preflight.json"
    options = {
        "preflight_scope": "inventory",
        "preflight_report_directory": str(tmp_path),
        "ivy_controller_cache": str(tmp_path / "cache"),
    }
    environment = {f"IVY_{name.upper()}": value for name, value in SECRETS.items()} if example == "ha" else {}

    done = run(*PLAYBOOK, "-i", str(inventory), "playbooks/preflight.yml", "-e", json.dumps(options), **environment)

    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    found = json.loads(report.read_text(encoding="utf-8"))["findings"]
    # The public name is reserved for documentation.
    assert [finding["code"] for finding in found] == ["public-name-reserved"], found
    for secret in SECRETS.values():
        assert secret not in done.stdout + done.stderr
