# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands in messages are those that the user has to type, and hold no secret."""

from __future__ import annotations

import shlex
import typing as t
from pathlib import Path

import pytest

from ansible_collections.ivy.cluster.plugins.plugin_utils.common import commands

ROOT = Path(__file__).resolve().parents[5]
DEFAULTS = {"DEFAULT_HOST_LIST": ["/etc/ansible/hosts"], "DEFAULT_REMOTE_USER": "me", "DEFAULT_ASK_VAULT_PASS": False}


def call(environment: t.Mapping[str, str] | None = None, **arguments: t.Any) -> commands.Call:
    # As Ansible hands them over: an inventory that was named is absolute.
    given = {"args": ("ivy.cluster.preflight",), "inventory": ["/home/me/ivy/inventory/hosts.yml"], **arguments}
    return commands.call_from(given, DEFAULTS.get, environment or {}, "/home/me/ivy")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({}, "-i inventory/hosts.yml"),
        ({"inventory": ["/etc/ansible/hosts"]}, ""),
        ({"inventory": ["/home/me/ivy/a b", "lb1,lb2", "/srv/hosts"]}, "-i 'a b' -i lb1,lb2 -i /srv/hosts"),
        ({"inventory": ["/home/me/other/hosts"]}, "-i ../other/hosts"),
        ({"ask_vault_pass": True}, "-i inventory/hosts.yml --ask-vault-pass"),
        ({"become_ask_pass": True, "ask_pass": True}, "-i inventory/hosts.yml -k --ask-become-pass"),
        (
            {"vault_password_files": ["/home/me/ivy/.vault"], "vault_ids": ["dev@prompt", "prod@/home/me/ivy/p"]},
            "-i inventory/hosts.yml --vault-password-file .vault --vault-id dev@prompt --vault-id prod@p",
        ),
        ({"remote_user": "me"}, "-i inventory/hosts.yml"),
        ({"remote_user": "admin", "private_key_file": "/k"}, "-i inventory/hosts.yml --private-key /k -u admin"),
        (
            {"extra_vars": ("password=CANARY", '{"x": "CANARY"}', "@/home/me/ivy/own.yml")},
            "-i inventory/hosts.yml -e @own.yml",
        ),
    ],
)
def test_the_options_of_this_run_are_repeated_and_no_value(arguments: dict[str, t.Any], expected: str) -> None:
    command = call(**arguments).command("site", "--limit", "engine2")
    words = ["ansible-playbook", *shlex.split(expected), "ivy.cluster.site", "--limit", "engine2"]
    assert shlex.split(command) == words
    assert call(**arguments).prefix() == shlex.join(words[:-3])


def test_a_module_is_called_with_the_same_options() -> None:
    command = call(ask_vault_pass=True).ad_hoc("load_balancers", "balancer_server", "name=engine2", "state=ready")
    assert command == (
        "ansible -i inventory/hosts.yml --ask-vault-pass load_balancers --become -m ivy.cluster.balancer_server "
        "-a 'name=engine2 state=ready'"
    )


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        ("site", "site"),
        ("rollout", "rollout"),
        ("rollback", "rollback -e \"rollback_reason='<why>'\""),
        ("restore", "restore -e 'restore_backup=<id>'"),
        ("upgrade", "upgrade -e engine_accept_downtime=true"),
        # The record is data of a user with fewer rights.
        ("\x1b[2J; reboot", "site"),
    ],
)
def test_the_playbook_that_has_opened_an_operation_completes_it(operation: str, expected: str) -> None:
    assert call().completing(operation) == f"ansible-playbook -i inventory/hosts.yml ivy.cluster.{expected}"
    assert commands.completing(operation) == f"ansible-playbook ivy.cluster.{expected}"


def test_what_is_to_be_replaced_is_not_quoted() -> None:
    assert call().command("rollback", "--limit", "<node>").endswith("ivy.cluster.rollback --limit <node>")


@pytest.mark.parametrize("environment", [{"AWX_PRIVATE_DATA_DIR": "/tmp/awx"}, {"RUNNER_OMIT_EVENTS": "False"}])
def test_without_a_command_line_of_the_user_the_name_is_what_counts(environment: dict[str, str]) -> None:
    found = call(environment, args=("playbooks/site.yml",), inventory=["/runner/inventory/hosts"])
    assert found.command("unpin") == "ansible-playbook ivy.cluster.unpin"


@pytest.mark.parametrize(
    ("directory", "given", "wanted", "expected"),
    [
        (".", "playbooks/site.yml", "rollback", "playbooks/rollback.yml"),
        (".", "site.yml", "site", "site.yml"),
        (".", "site.yml", "rollback", "playbooks/rollback.yml"),
        ("playbooks", "verify.yml", "status", "status.yml"),
        ("tests", "../playbooks/verify.yml", "status", "../playbooks/status.yml"),
        # A playbook of the user's own that imports this collection's.
        (".", "molecule/default/converge.yml", "status", "ivy.cluster.status"),
        (".", "nowhere.yml", "status", "ivy.cluster.status"),
        (".", "ivy.cluster.site", "status", "ivy.cluster.status"),
    ],
)
def test_a_playbook_is_named_as_this_run_named_its_own(directory: str, given: str, wanted: str, expected: str) -> None:
    assert commands.Call((given,), (), str(ROOT / directory)).name(wanted) == expected


def test_outside_a_run_it_is_the_plain_command() -> None:
    assert commands.command("site", "--limit", "a b") == "ansible-playbook ivy.cluster.site --limit 'a b'"
    assert commands.playbook("drift") == "ivy.cluster.drift"
