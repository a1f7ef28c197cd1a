# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The platform matches the profile of engine 12.0.9, and secrets with any characters arrive unchanged."""

from __future__ import annotations

import base64
import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conftest import Lab

ROOT = Path(__file__).resolve().parents[3]
ENGINE = "/opt/ivy/versions/12.0.9"
SHARED_APPLICATIONS = "/srv/ivy/applications"
UNIT = "axonivy-engine.service"
READ = "import sys, urllib.request; print(urllib.request.urlopen(sys.argv[1], timeout=120).read().decode())"


def get(lab: Lab, node: str, path: str, headers: dict[str, str] | None = None) -> tuple[int, str]:
    """The response of this node, without the load balancer."""
    connection = lab.connection(node)
    try:
        connection.request("GET", path, headers={"Host": lab.public, **(headers or {})})
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()


def administrator(password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"admin:{password}".encode()).decode()}


def serves(lab: Lab, node: str, path: str) -> bool:
    return get(lab, node, path)[0] == 200


def odd_secrets(lab: Lab) -> dict[str, str]:
    secrets = lab.secrets
    return {"mail": secrets["mail_password"], "admin": secrets["engine_keys"]["Administrators.admin.Password"]}


def test_the_profile_needs_no_acknowledgement(lab: Lab) -> None:
    assert lab.variables["ivy_engine_version"] == "12.0.9"
    assert lab.variables["ivy_accept_unsupported"] == []


def test_java_is_that_of_the_profile(lab: Lab) -> None:
    for node in lab.nodes:
        host = lab.host(node)
        pid = host.check_output(f"systemctl show -p MainPID --value {UNIT}")
        java = host.check_output(f"tr '\\0' '\\n' < /proc/{pid}/cmdline | head -n 1")
        assert "java-21-openjdk" in java, node


def test_the_database_is_that_of_the_profile(lab: Lab) -> None:
    [database] = lab.groups["database_servers"]
    version = lab.host(database).check_output("runuser -u postgres -- psql -qAt -c 'SHOW server_version_num'")
    assert 170000 <= int(version) < 180000


def test_the_search_engine_is_opensearch_and_every_engine_uses_it(lab: Lab) -> None:
    [search] = lab.groups["search_servers"]
    url = f"http://{lab.addresses[search]}:9200/"
    found = json.loads(lab.host(lab.nodes[0]).check_output(f'python3 -c "{READ}" {url}'))
    assert found["version"]["distribution"] == "opensearch"
    assert found["version"]["number"].startswith("2.18.")
    for node in lab.nodes:
        assert "opensearch" in json.dumps(lab.state(node)["search"]), node


def test_the_nodes_discover_one_another_by_tcp(lab: Lab) -> None:
    for node in lab.nodes:
        stack = lab.host(node).file(f"{ENGINE}/configuration/jgroups.xml").content_string
        assert "TCPPING" in stack
        assert "UDP" not in stack
        assert sorted(lab.state(node)["members"]) == sorted(lab.nodes)


def test_health_checks_use_their_own_address(lab: Lab) -> None:
    for node in lab.nodes:
        assert serves(lab, node, "/system/health")
    for balancer in lab.groups["load_balancers"]:
        assert "/system/health" in lab.host(balancer).file("/etc/haproxy/haproxy.cfg").content_string


def test_fonts_for_headless_printing_are_installed(lab: Lab) -> None:
    for node in lab.nodes:
        assert int(lab.host(node).check_output("fc-list | wc -l")) > 0


# --- secrets with special characters


def test_the_secrets_contain_special_characters(lab: Lab) -> None:
    for secret in odd_secrets(lab).values():
        assert set("'\" $%\\#:ä€") <= set(secret)


def test_the_administrator_logs_in_with_exactly_this_password(lab: Lab) -> None:
    password = odd_secrets(lab)["admin"]
    page = "/system/api/stand-in/state"
    for node in lab.nodes:
        assert get(lab, node, page, administrator(password))[0] == 200
        assert get(lab, node, page, administrator(password + "x"))[0] == 401
        assert get(lab, node, page, administrator(password[:-1]))[0] == 401


def test_the_mail_password_reaches_the_application(lab: Lab) -> None:
    for node in lab.nodes:
        assert json.loads(get(lab, node, "/demo/api/variables")[1])["MailPassword"] == odd_secrets(lab)["mail"]
        text = lab.host(node).file(f"{ENGINE}/configuration/applications/demo/app.yaml").content_string
        assert "${decrypt:" in text
        assert "${encrypt:" not in text


def test_systemd_passes_the_passwords_unchanged(lab: Lab) -> None:
    """All passwords begin with the same special characters, followed by a random part."""
    common = str(lab.variables["odd_characters"])
    for node in lab.nodes:
        host = lab.host(node)
        pid = host.check_output(f"systemctl show -p MainPID --value {UNIT}")
        lines = host.run(f"tr '\\0' '\\n' < /proc/{pid}/environ").stdout.splitlines()
        variables = dict(line.partition("=")[::2] for line in lines)
        for name, end in (("IVY_SYSTEMDB_PASSWORD", "'"), ("IVY_SEARCHENGINE_EXTERNALSERVER_PASSWORD", "$")):
            assert variables[name].startswith(common), name
            assert variables[name].removeprefix(common)[:-1].isalnum(), name
            assert variables[name].endswith(end), name


def test_the_database_authenticates_the_engines_by_password(lab: Lab) -> None:
    [database] = lab.groups["database_servers"]
    psql = "runuser -u postgres -- psql -qAt"
    query = "SELECT DISTINCT host(client_addr) FROM pg_stat_activity WHERE usename = current_setting('x.user')"
    login = lab.database_login(lab.nodes[0])
    sessions = lab.host(database).check_output(f"PGOPTIONS='-c x.user={login}' {psql} -c \"{query}\"").splitlines()
    assert set(sessions) >= {lab.addresses[node] for node in lab.nodes}
    rules = lab.host(database).check_output(f"grep -vE '^(#|$|local)' $({psql} -c 'SHOW hba_file')").splitlines()
    assert {rule.split()[4] for rule in rules if lab.addresses[lab.nodes[0]] in rule} == {"scram-sha-256"}


# --- changes while the engines are running


def test_a_change_in_the_cockpit_is_drift(lab: Lab, tmp_path: Path) -> None:
    lab.cockpit(lab.nodes[1]).set_key("ivy.yaml", "EMail.Server.Port", "2525")

    run = lab.playbook("playbooks/drift.yml", "-e", f"drift_report_directory={tmp_path}")

    assert run.status != 0
    report = json.loads((tmp_path / "drift.json").read_text(encoding="utf-8"))
    assert report["summary"]["drifted"] == [lab.nodes[1]]
    assert [key["key"] for change in report["changes"] for key in change["keys"]] == ["EMail.Server.Port"]
    for secret in odd_secrets(lab).values():
        assert secret not in run.output + (tmp_path / "drift.txt").read_text(encoding="utf-8")


def test_one_running_node_deploys_for_all(lab: Lab) -> None:
    first, *others = lab.nodes
    archive = ROOT / ".cache/archives/demo.zip"
    applications = [{"name": f"{name}.zip", "archive": str(archive)} for name in ("demo", "later")]
    before = lab.pids(*lab.nodes)

    run = lab.roll_out("-e", json.dumps({"engine_applications": applications})).succeeded()

    assert "EMail.Server.Port" in run.output, "the change in the Cockpit is not reported"
    assert lab.pids(*lab.nodes) == before, "an engine was restarted"
    placed = {node: lab.host(node).run(f"ls {ENGINE}/deploy").stdout.split() for node in lab.nodes}
    assert "later.zip.deployed" in placed[first]
    assert not any("later.zip" in name for node in others for name in placed[node])
    for node in lab.nodes:
        assert lab.host(node).file(f"{SHARED_APPLICATIONS}/later").is_directory
        lab.until(partial(serves, lab, node, "/later/api/info"), 120, f"{node} serves the new application")
