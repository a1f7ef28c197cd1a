# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each restriction is violated by hand, verify reports it for the right node, and site.yml reverts everything.

All are violated before verify runs, on different nodes: one run has to distinguish them.
"""

from __future__ import annotations

import base64
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Lab, Report

ROOT = Path(__file__).resolve().parents[3]
ENGINE = "/opt/ivy/current"
NODE_ENV = "/etc/ivy-cluster/node.env"
APP_YAML = "configuration/applications/demo/app.yaml"
BY_HAND = "Edited by hand on one node"
STRANGE_KEY = "SystemTask.Failure.Behaviour"


def runs_opensearch(lab: Lab) -> bool:
    """True from 12.0 on. The engines of these scenarios also deploy at run time from then on."""
    return int(str(lab.variables["ivy_engine_version"]).split(".", 1)[0]) >= 12


def override(lab: Lab, node: str, name: str, value: str) -> None:
    """Adds a variable to the unit's environment and restarts the engine, as an experimenting administrator might."""
    lab.host(node).check_output(f"""printf '%s\\n' '{name}="{value}"' >> {NODE_ENV}""")
    lab.restart(node)


def use_another_database(lab: Lab, engine: str) -> None:
    name = lab.variables.get("ivy_database_name", "AxonIvySystemDatabase")
    database = lab.host("db1")
    psql = "runuser -u postgres -- psql -qAt -v ON_ERROR_STOP=1"
    database.check_output(f"""{psql} -c 'CREATE DATABASE other OWNER ivy TEMPLATE template0'""")
    database.check_output(f"""runuser -u postgres -- pg_dump {name} | {psql} other""")
    rules = database.check_output(f"{psql} -c 'SHOW hba_file'")
    database.check_output(f"echo 'host other +ivy {lab.addresses[engine]}/32 scram-sha-256' >> {rules}")
    database.check_output(f"{psql} -c 'SELECT pg_reload_conf()'")
    override(lab, engine, "IVY_SYSTEMDB_URL", f"jdbc:postgresql://{lab.addresses['db1']}:5432/other")


def use_another_search_engine(lab: Lab, engine: str) -> None:
    # A forwarder on the node replaces another server: neither the engine nor its responses show the difference.
    forward = (
        "import socketserver, socket, threading\n"
        "class Forward(socketserver.BaseRequestHandler):\n"
        "    def handle(self):\n"
        f"        other = socket.create_connection(('{lab.addresses['search1']}', 9200))\n"
        "        def copy(a, b):\n"
        "            for data in iter(lambda: a.recv(65536), b''):\n"
        "                b.sendall(data)\n"
        "            b.shutdown(socket.SHUT_WR)\n"
        "        threading.Thread(target=copy, args=(other, self.request), daemon=True).start()\n"
        "        copy(self.request, other)\n"
        "socketserver.ThreadingTCPServer.allow_reuse_address = True\n"
        "socketserver.ThreadingTCPServer(('127.0.0.1', 9209), Forward).serve_forever()\n"
    )
    node = lab.host(engine)
    node.check_output("systemctl reset-failed test-forward.service; systemctl stop test-forward.service; true")
    node.check_output("cat > /run/test-forward.py << 'END'\n" + forward + "END")
    node.check_output("systemd-run -q --unit=test-forward python3 /run/test-forward.py")
    section = "SEARCHENGINE" if runs_opensearch(lab) else "ELASTICSEARCH"
    override(lab, engine, f"IVY_{section}_EXTERNALSERVER_URL", "http://127.0.0.1:9209")


def start_with_other_bytes(lab: Lab, engine: str) -> None:
    file = f"{ENGINE}/configuration/ivy.yaml"
    node = lab.host(engine)
    node.check_output(f"cp -p {file} /run/test-ivy.yaml")
    node.check_output(f"echo '{STRANGE_KEY}: FAIL_TASK_DO_RETRY' >> {file}")
    lab.restart(engine)
    assert STRANGE_KEY in lab.settings(engine)
    # Restores the file: the disk has the right content again, but the engine was started with another one.
    node.check_output(f"cp -p /run/test-ivy.yaml {file}")


def deploy_at_run_time(lab: Lab, engine: str) -> None:
    node, file = lab.host(engine), f"{ENGINE}/work/extra.zip"
    archive = base64.b64encode((ROOT / ".cache/archives/demo.zip").read_bytes()).decode()
    node.check_output(f"echo {archive} | base64 -d > {file} && chown ivy:ivy {file} && mv {file} {ENGINE}/deploy/")


@pytest.fixture(scope="module")
def report(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Report:
    use_another_database(lab, "engine1")
    use_another_search_engine(lab, "engine2")
    deploy_at_run_time(lab, "engine2")
    start_with_other_bytes(lab, "engine3")
    lab.host("engine3").check_output(f"sed -i 's/^  Greeting: .*/  Greeting: {BY_HAND}/' {ENGINE}/{APP_YAML}")
    found = lab.verify(tmp_path_factory.mktemp("broken"))
    assert found.run.status != 0
    return found


def test_1_another_database_on_one_node(report: Report) -> None:
    assert report.broken("database") == ["engine1"]
    assert "other as ivy" in report.row("database", "engine1")["message"]


def test_2_another_search_engine_on_one_node(report: Report) -> None:
    assert report.broken("search") == ["engine2"]
    assert "127.0.0.1:9209" in report.row("search", "engine2")["message"]


def test_3_one_node_runs_other_bytes(report: Report) -> None:
    assert "engine3" in report.broken("configuration")
    assert "ivy.yaml" in report.row("configuration", "engine3")["message"]


def test_4_a_local_edit(report: Report) -> None:
    """Reports the edited file, but not the one that was restored before verify ran."""
    assert "engine3" in report.broken("local_change")
    assert f"{APP_YAML} (modified)" in report.row("local_change", "engine3")["message"]
    assert "ivy.yaml" not in report.row("local_change", "engine3")["message"]


def test_5_a_deployment_by_hand_while_the_engine_runs(lab: Lab, report: Report) -> None:
    assert report.broken("deployment") == ["engine2"]
    assert "extra.zip" in report.row("deployment", "engine2")["message"]
    if runs_opensearch(lab):
        # From 12.0.9 on the deployment takes effect on all nodes, but the inventory does not contain the application.
        assert lab.host("engine2").file("/srv/ivy/applications/extra").is_directory


def test_6_site_reverts_everything(lab: Lab, tmp_path: Path) -> None:
    greeting = lab.variables["ivy_shared_values"]["greeting"]
    # The collection does not know an application that was deployed by hand, so a person has to remove it.
    lab.host("engine2").check_output(
        f"rm -rf {ENGINE}/deploy/extra.zip* {ENGINE}/applications/extra /srv/ivy/applications/extra"
    )

    run = lab.playbook("site.yml").succeeded()

    assert APP_YAML in run.output, "the local edit is not reported"
    found = lab.host("engine3").check_output(f"grep -rlF '{BY_HAND}' /var/lib/ivy-cluster/backups")
    assert found, "the local edit is not backed up"
    for node in lab.nodes:
        info = lab.info(node)
        assert info is not None
        assert info["greeting"] == greeting
        assert "IVY_" not in lab.host(node).check_output(f"grep -v JAVA_HOME {NODE_ENV}")
    psql = "runuser -u postgres -- psql -qAt"
    lab.host("db1").check_output(f"{psql} -c 'DROP DATABASE other'")
    lab.host("engine2").check_output("systemctl stop test-forward.service")
    assert "other" not in lab.host("db1").check_output(f"cat $({psql} -c 'SHOW hba_file')")

    report = lab.verify(tmp_path)

    assert report.run.status == 0, report.run.output[-6000:]
    assert not [row for row in report.rows if row["status"] == "failed"]
    for node in lab.nodes:
        assert STRANGE_KEY not in lab.settings(node)
