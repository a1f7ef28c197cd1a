# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The first play of every playbook, as the user calls it: what it refuses, and what it lets pass."""

from __future__ import annotations

import json
import os
import re
import subprocess
import typing as t
from pathlib import Path

import pytest

from ansible_collections.ivy.cluster.tests.in_process import PLAYBOOK
from ansible_collections.ivy.cluster.tests.unit.plugins.action import preflight_site as site

ROOT = Path(__file__).resolve().parents[4]
FIRST = "playbooks/_includes/require_cluster.yml"
REFUSED = "This run cannot be started as it was called. No host was contacted, and nothing was changed."


def play(inventory: Path, *arguments: str, playbook: str = FIRST, ignore: str = "") -> subprocess.CompletedProcess[str]:
    """With no configuration of the user's, as from cron; a way to a host leaves a trace."""
    directory = inventory.parent
    ssh = directory.parent / f"{directory.name}-ssh"
    ssh.write_text(f"#!/bin/sh\ntouch {ssh}-used\nexit 255\n", encoding="utf-8")
    ssh.chmod(0o755)
    config = directory.parent / f"{directory.name}.cfg"
    config.write_text(f"[inventory]\nignore_patterns = {ignore}\n" if ignore else "", encoding="utf-8")
    known = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    ended = subprocess.run(
        [*PLAYBOOK, str(ROOT / playbook), *arguments],
        capture_output=True,
        text=True,
        errors="replace",
        timeout=120,
        check=False,
        cwd=directory.parent,
        env={
            **known,
            "ANSIBLE_CONFIG": str(config),
            "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "collections"),
            "ANSIBLE_LOCAL_TEMP": str(directory.parent / "temporary"),
            "ANSIBLE_SSH_EXECUTABLE": str(ssh),
            "LC_ALL": "C.UTF-8",
        },
    )
    assert not Path(f"{ssh}-used").exists()
    return ended


def printed(ended: subprocess.CompletedProcess[str]) -> str:
    return " ".join((ended.stdout + ended.stderr).replace("\\n", " ").split())


@pytest.fixture
def beside(tmp_path: Path) -> Path:
    """The layout of the README: archives, the licence and the source lie in directories of the inventory."""
    here = "{{ inventory_dir }}/files"
    case = {
        "vars": {"ivy_licence_file": f"{here}/acme.lic", "engine_archive": f"{here}/{site.ENGINE}"},
        "files": {
            "files/acme.lic": site.LICENCE,
            f"files/{site.ENGINE}": "ENGINE",
            "acme.lic": None,
            site.ENGINE: None,
            site.SEARCH: None,
            "shared_config/configuration/web.yaml": "SecuritySystems:\n  default: {}\n",
        },
    }
    hosts = site.write_site(tmp_path / "inventory", case)
    # The beginning of an archive that Ansible parses as one line, the name of a host. Others it only warns of.
    (hosts.parent / "files" / site.ENGINE).write_bytes(b"PK\x03\x04\x14\0\0\0\0\0\x1b|]\0\1\0bin/AxonIvyEngine")
    return hosts


@pytest.mark.parametrize("playbook", ["preflight", "verify", "rollback"])
def test_files_that_are_not_inventory_are_refused_by_every_playbook(beside: Path, playbook: str) -> None:
    ended = play(beside, "-i", str(beside.parent), playbook=f"playbooks/{playbook}.yml")
    assert ended.returncode != 0
    assert REFUSED in printed(ended)
    assert "inventory/files, inventory/shared_config: " in printed(ended)
    assert f"from inventory/files/{site.ENGINE}" in printed(ended)
    assert "the group SecuritySystems" in printed(ended)
    assert "-i inventory/hosts.yml" in printed(ended)
    assert "ignore_patterns = ^(files|shared_config)$" in printed(ended)
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", ended.stdout)


@pytest.mark.parametrize(
    ("source", "ignore"), [("hosts.yml", ""), ("", "^(shared_config|files)$")], ids=["the file", "ignore_patterns"]
)
def test_both_ways_out_are_accepted(beside: Path, source: str, ignore: str) -> None:
    ended = play(beside, "-i", str(beside.parent / source), ignore=ignore)
    assert ended.returncode == 0, printed(ended)


def test_other_hosts_groups_sources_and_plugins_are_not_matter(tmp_path: Path) -> None:
    hosts = site.write_site(tmp_path / "inventory", {"vars": {"engine_archive": "REMOVED"}})
    for name in ("acme.lic", site.ENGINE, site.SEARCH):
        (tmp_path / name).write_bytes((hosts.parent / name).read_bytes())
        (hosts.parent / name).unlink()
    (tmp_path / "source").mkdir()
    (hosts.parent / "more.ini").write_text(
        "web1\nlocalhost ansible_connection=local\n[web-servers]\nweb[01:20].acme.ch\n"
    )
    (hosts.parent / "site").mkdir()
    (hosts.parent / "site/east.yml").write_text("ungrouped: {hosts: {'my old server': {}, größe: {}}}\nempty: {}\n")
    (hosts.parent / "made.yml").write_text("plugin: ansible.builtin.constructed\nstrict: false\ngroups: {some: true}\n")
    outside = ["-e", f"ivy_licence_file={tmp_path}/acme.lic", "-e", f"ivy_shared_config_source={tmp_path}/source"]
    ended = play(
        hosts, "-i", str(hosts.parent), "-i", "one,two", *outside, "-e", f"engine_archive={tmp_path}/{site.ENGINE}"
    )
    assert ended.returncode == 0, printed(ended)


def test_every_misspelt_option_is_reported_at_once_with_what_was_meant(tmp_path: Path) -> None:
    hosts = site.write_site(tmp_path / "inventory", {"vars": {"ivy_proceed_whithout": []}})
    wrong = ["-e", "rollback_to=CANARY", "-e", '{"rolback_release": "CANARY", "engine_on_drif": "keep"}']
    wrong += ["-e", "postgres_data_directory=/data"]
    ended = play(hosts, "-i", str(hosts), *wrong, playbook="playbooks/rollback.yml")
    assert ended.returncode != 0
    # A variable of the role, which the command line would override.
    assert "-e postgres_data_directory: it looks like an option of postgres" in printed(ended)
    assert "-e rollback_to: it looks like an option of rollback, which has no such option." in printed(ended)
    assert "Did you mean rollback_reason or rollback_release?" in printed(ended)
    assert "-e rolback_release: no role has such an option. Did you mean rollback_release?" in printed(ended)
    assert "-e engine_on_drif:" in printed(ended)
    assert "ivy_proceed_whithout: " in printed(ended)
    assert "Did you mean ivy_proceed_without?" in printed(ended)
    assert "CANARY" not in printed(ended)


@pytest.mark.parametrize(
    ("written", "reported"),
    [
        ("rollback_release: CANARY", "-e: the following is not name=value"),
        ("rollback_release = CANARY", "-e: the following is not name=value"),
        ("rollback_reason=mails CANARY", "-e: the following is not name=value"),
        ("ROLLBACK_RELEASE=CANARY", "Did you mean rollback_release?"),
        ("unpin_reason=CANARY", "-e unpin_reason: no role has such an option. Did you mean "),
        ("rollout_nodes=CANARY", "-e rollout_nodes: no role has such an option."),
        ("rollout_release=CANARY", "-e rollout_release: the playbooks set it. Did you mean rollback_release?"),
        ("rollout_operation=CANARY", "-e rollout_operation: the playbooks set it."),
        # The one that is the user's.
        (
            "rollout_strategie=CANARY",
            "-e rollout_strategie: no role has such an option. Did you mean rollout_strategy?",
        ),
        ("rollout_strategy=quickly", "rollout_strategy: "),
    ],
)
def test_nothing_on_the_command_line_is_ignored_that_was_meant_for_the_run(
    tmp_path: Path, written: str, reported: str
) -> None:
    hosts = site.write_site(tmp_path / "inventory", {})
    ended = play(hosts, "-i", str(hosts), "-e", written)
    assert ended.returncode != 0
    assert reported in printed(ended)
    assert "CANARY" not in printed(ended)


def test_a_value_of_the_wrong_type_is_refused_and_what_a_survey_gives_is_not(tmp_path: Path) -> None:
    hosts = site.write_site(tmp_path / "inventory", {})
    survey = ["-e", "drift_fail=true", "-e", "ivy_http_port=8081", "-e", "preflight_fail=no"]
    assert play(hosts, "-i", str(hosts), *survey).returncode == 0
    wrong = ["-e", "drift_fail=perhaps", "-e", "ivy_http_port=many", "-e", "engine_on_drift=ask"]
    wrong += ["-e", "ivy_proceed_without=engine1", "-e", '{"ivy_database_password": ["CANARY"]}']
    ended = play(hosts, "-i", str(hosts), *wrong)
    assert ended.returncode != 0
    for words in ('"perhaps" is not true or false', '"many" is not a whole number', '"ask" is not one of'):
        assert words in printed(ended)
    assert "ivy_proceed_without: it is a text, where a list is needed" in printed(ended)
    assert "ivy_database_password: it is a list, where a text is needed" in printed(ended)
    assert "CANARY" not in printed(ended)


def test_a_run_is_confirmed_with_the_name_of_its_cluster(tmp_path: Path) -> None:
    hosts = site.write_site(tmp_path / "inventory", {})
    for answer in ("", "another"):
        ended = play(hosts, "-i", str(hosts), "-e", f"ivy_confirm_cluster={answer}")
        assert ended.returncode != 0
        assert REFUSED in printed(ended)
        assert f"ivy_confirm_cluster: it is {answer or 'empty'}" in printed(ended)
    assert play(hosts, "-i", str(hosts), "-e", "ivy_confirm_cluster=acme").returncode == 0


def test_variables_of_the_users_own_are_not_matter(tmp_path: Path) -> None:
    own = {
        "my_engine_version": "11.3.0",
        "engine_team_name": "acme",
        "ivy_cluster_name": "{{ engine_team_name }}",
        "company": "x",
        "postgresql_exporter_port": 9187,
    }
    hosts = site.write_site(tmp_path / "inventory", {"vars": own})
    extra = {
        "awx_job_id": 7,
        "release": "1.4",
        "ivy_preflight": {},
        "ivy_drift": {},
        "ivy_plan_report": {},
        "ivy_history": [],
        "company": "y",
    }
    ended = play(hosts, "-i", str(hosts), "-e", json.dumps(extra), "--limit", "engine2")
    assert ended.returncode == 0, printed(ended)


@pytest.mark.parametrize("argument", ["needs_engine_node", "needs_reason", "changes_cluster"])
def test_a_run_without_an_engine_node_does_not_succeed_by_doing_nothing(tmp_path: Path, argument: str) -> None:
    hosts = site.write_site(tmp_path / "inventory", {})
    own = ["-i", str(hosts), "-e", json.dumps({argument: True}), "-e", "rollback_reason=x"]
    ended = play(hosts, *own, "--limit", "lb1")
    assert ended.returncode != 0
    assert "--limit leaves out all of them: engine1, engine2, engine3" in printed(ended)
    assert play(hosts, *own, "--limit", "lb1,engine2").returncode == 0


def test_names_for_other_roles_are_accepted_by_their_kind(tmp_path: Path) -> None:
    case: dict[str, t.Any] = {"vars": {"haproxy_exporter_port": 9101, "preflight_accept": ["option-unknown"]}}
    refused = play(site.write_site(tmp_path / "refused", {"vars": {"haproxy_exporter_port": 9101}}), "-i", "refused")
    assert refused.returncode != 0
    assert "preflight_accept: [option-unknown]" in printed(refused)
    hosts = site.write_site(tmp_path / "inventory", case)
    assert play(hosts, "-i", str(hosts)).returncode == 0
    ended = play(hosts, "-i", str(hosts), "-e", "rollback_to=X")
    assert ended.returncode != 0
    assert "rollback_to" in printed(ended)


def test_without_a_host_the_command_line_is_validated_too(tmp_path: Path) -> None:
    ended = play(tmp_path / "none", "-i", "web1,", "-e", "rollback_to=X")
    assert ended.returncode != 0
    assert "-e rollback_to" in printed(ended)


ROLLOUT = ["-e", json.dumps({"validated_roles": ["topology", "engine", "rollout"], "changes_cluster": True})]


@pytest.mark.parametrize("playbook", ["rollback", "unpin"])
@pytest.mark.parametrize("reason", [[], ["-e", "rollback_reason="], ["-e", "{rollback_reason: '  '}"]])
def test_a_reason_is_required_before_any_host_is_contacted(tmp_path: Path, playbook: str, reason: list[str]) -> None:
    hosts = site.write_site(tmp_path / "inventory", {})
    ended = play(hosts, "-i", str(hosts), *reason, playbook=f"playbooks/{playbook}.yml")
    assert ended.returncode != 0
    assert "rollback_reason is empty" in printed(ended)
    assert "unreachable=1" not in printed(ended)


def test_a_rollback_needs_neither_licence_nor_archive_nor_source(tmp_path: Path) -> None:
    missing = ("ivy_licence_file", "engine_archive", "ivy_shared_config_source")
    hosts = site.write_site(tmp_path / "inventory", {"vars": dict.fromkeys(missing, "/nowhere")})
    ended = play(hosts, "-i", str(hosts), *ROLLOUT)
    assert ended.returncode == 0, printed(ended)


@pytest.mark.parametrize(
    ("case", "reported"),
    [
        ({"groups": {"load_balancers": {}}}, "group load_balancers"),
        ({"vars": {"engine_start_timeout": "soon"}}, "engine_start_timeout"),
        ({"vars": {"ivy_http_port": "eighty"}}, "ivy_http_port"),
    ],
)
def test_a_rollout_validates_the_cluster_and_the_options_of_its_roles(
    tmp_path: Path, case: dict[str, t.Any], reported: str
) -> None:
    hosts = site.write_site(tmp_path / "inventory", case)
    ended = play(hosts, "-i", str(hosts), *ROLLOUT)
    assert ended.returncode != 0
    assert REFUSED in printed(ended)
    assert reported in printed(ended).partition(REFUSED)[2]


def test_other_roles_options_and_the_cluster_do_not_block_a_report(tmp_path: Path) -> None:
    case = {"groups": {"load_balancers": {}}, "vars": {"engine_start_timeout": "soon"}}
    hosts = site.write_site(tmp_path / "inventory", case)
    ended = play(hosts, "-i", str(hosts), "-e", '{"validated_roles": ["topology", "verify"]}')
    assert ended.returncode == 0, printed(ended)
