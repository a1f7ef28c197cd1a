# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The stand-in engine without a database. The cluster tests cover it with one."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from ansible_collections.ivy.cluster.tests.engine_stand_in.engine_process import StandIn
from ansible_collections.ivy.cluster.tests.timing import PATIENCE, wait_until

HERE = Path(__file__).resolve().parent
ADMIN = "admin:admin"
COCKPIT = "/system/engine-cockpit"
STATE = "/system/api/stand-in/state"
NOWHERE = "jdbc:postgresql://127.0.0.1:1/AxonIvySystemDatabase"

Unpack = Callable[..., StandIn]
Archives = Callable[[str], Path]


def state(engine: StandIn, account: str = ADMIN) -> dict[str, object]:
    """Return the engine's own state, which it exposes to tests."""
    response = engine.ask(STATE, account=account)
    assert response.status == 200, response.text
    found: dict[str, object] = json.loads(response.text)
    return found


def licence(engine: StandIn, *arguments: str) -> None:
    """Create a licence for the engine."""
    target = engine.file("configuration/test.lic")
    subprocess.run([str(HERE / "make-licence.sh"), str(target), *arguments], check=True)


def place(source: Path, target: Path) -> None:
    """Place a complete artefact by rename."""
    unfinished = target.parent.parent / f".{target.name}"
    shutil.copy(source, unfinished)
    unfinished.replace(target)


def deployed(engine: StandIn, demo: Path) -> StandIn:
    """Return the engine with the demo application."""
    place(demo, engine.file("deploy/demo.zip"))
    wait_until(engine.file("deploy/demo.zip.deployed").exists, "deployment of the demo")
    return engine


@pytest.mark.parametrize(
    ("version", "search"), [("11.3.0", "elasticsearch"), ("12.0.9", "opensearch"), ("10.0.20", "elasticsearch")]
)
def test_archive_has_the_layout_of_a_real_one(archives: Archives, version: str, search: str) -> None:
    archive = archives(version)
    assert re.fullmatch(rf"AxonIvyEngine{re.escape(version)}\.\d+_All_x64\.zip", archive.name)
    with zipfile.ZipFile(archive) as opened:
        modes = {entry.filename: entry.external_attr >> 16 & 0o777 for entry in opened.infolist()}
        header = opened.read("configuration/ivy.yaml").decode().splitlines()[0]
    tops = {name.split("/", maxsplit=1)[0] for name in modes}
    assert {"bin", "configuration", "deploy", "dropins", "patches", "webapps", "system", search} <= tops
    assert not tops & {"applications", "data", "logs", "work"}
    assert not any(name.startswith("configuration/applications") for name in modes)
    assert modes["bin/AxonIvyEngine"] == modes["bin/EngineConfigCli"] == 0o755
    assert modes["configuration/ivy.yaml"] == 0o644
    assert header.endswith(f"/ivy/{version}/ivy.json")
    assert ("configuration/ivy.webserver.yaml" in modes) == (search == "elasticsearch")


def test_same_sources_give_the_same_bytes(archives: Archives, tmp_path: Path) -> None:
    first = archives("11.3.0")
    subprocess.run([str(HERE / "pack.sh"), "11.3.0", str(tmp_path)], check=True, stdout=subprocess.DEVNULL)
    for name in (first.name, "demo.zip"):
        digests = {hashlib.sha256((place / name).read_bytes()).hexdigest() for place in (first.parent, tmp_path)}
        assert len(digests) == 1


def held(directory: Path, name: str) -> Path:
    """Create a file that keeps a fault of the engine waiting as long as it exists."""
    hold = directory / name
    hold.touch()
    return hold


def reached(hold: Path) -> None:
    """Wait until the engine has reached the point where it waits for the file."""
    wait_until(hold.with_name(f"{hold.name}.reached").exists, f"the engine is held by {hold.name}")


def test_life_of_a_service(unpack: Unpack, tmp_path: Path) -> None:
    engine = unpack()
    hold = held(tmp_path, "stop")
    assert engine.control("-status") == "STOPPED"
    process = engine.start(f"-Dstandin.stopDelay={hold}")
    log = engine.read("logs/ivy.log")
    assert re.search(r"Go to http://\S+:\d+/ .*\n.*Axon Ivy Engine is running and ready to serve\. \[\d+ms]", log)
    assert engine.control("status") == "RUNNING"
    again = subprocess.run([str(engine.file("bin/AxonIvyEngine"))], check=False, capture_output=True, text=True)
    assert again.returncode == 1
    assert "already running" in again.stderr
    home = engine.ask("/", follow=False)
    assert (home.status, home.headers["Location"]) == (302, "/system/info.jsp")
    info = engine.ask("/")
    assert info.status == 200
    assert "demo-portal" in info.text
    assert engine.ask("/system/health", account=ADMIN).status == 404
    engine.control("-stop")
    reached(hold)
    assert process.poll() is None, "-stop does not wait"
    assert engine.control("-status") == "STOPPING"
    hold.unlink()
    engine.control("-stopdaemon")
    assert "Axon Ivy Engine is stopped" in engine.read("logs/ivy.log"), "-stopdaemon waits"
    assert process.wait(timeout=PATIENCE) == 143
    assert engine.control("-status") == "STOPPED"


def test_shutdown_on_the_console(unpack: Unpack) -> None:
    engine = unpack()
    process = engine.start(stdin=subprocess.PIPE)
    assert process.stdin is not None
    process.stdin.write(b"shutdown\n")
    process.stdin.close()
    assert process.wait(timeout=PATIENCE) == 0


def test_background_start_and_states(unpack: Unpack, tmp_path: Path) -> None:
    engine = unpack()
    hold = held(tmp_path, "start")
    engine.write("configuration/ivy.webserver.yaml", f"Connector.HTTP:\n  Port: {engine.port}\n")
    engine.write("configuration/jvm.options", f"# only this\n-Xmx64m\n-Dstandin.startDelay={hold}\n")
    engine.control("-startdaemon")
    try:
        reached(hold)
        assert engine.control("-status") == "STARTING"
        hold.unlink()
        wait_until(lambda: engine.control("-status") == "RUNNING", "running")
    finally:
        engine.control("-stopdaemon")
    assert "ready to serve" in engine.read("logs/console.log")


def test_environment_over_secret_file_over_yaml(unpack: Unpack, tmp_path: Path) -> None:
    engine = unpack()
    engine.write("configuration/ivy.yaml", "BaseUrl: http://yaml/\nEMail: {Server.Host: yaml}\nUnknown-Key.x y: 1\n")
    for key, value in {"BaseUrl": "http://secret/\n", "EMail.Server.Host": "secret", "Odd-Name.a": "1"}.items():
        (tmp_path / f"ivy.{key}").write_text(value, encoding="utf-8")
    engine.start(f"-Dstandin.secrets={tmp_path}", environment={"ivy_BaseUrl": "http://environment/"})
    found = state(engine)
    assert found["baseUrl"] == "http://environment/"
    settings = found["settings"]
    assert isinstance(settings, list)
    assert {"Unknown-Key.x y", "Odd-Name.a"} <= set(settings)
    assert "secret" in engine.ask(COCKPIT, account=ADMIN).text


def test_reloads_some_keys_and_requests_a_restart_for_others(unpack: Unpack) -> None:
    engine = unpack()
    engine.write("configuration/ivy.yaml", "BaseUrl: http://one/\n")
    engine.start()
    engine.replace("configuration/ivy.yaml", "BaseUrl: http://two/\n")
    wait_until(lambda: state(engine)["baseUrl"] == "http://two/", "reload after a rename")
    engine.write("configuration/ivy.yaml", "BaseUrl: http://three/\nSystemDb.MaxConnections: 7\n")
    wait_until(lambda: state(engine)["baseUrl"] == "http://three/", "reload after writing in place")
    assert state(engine)["restartRequired"] == ["SystemDb.MaxConnections"]
    assert "SystemDb.MaxConnections" in engine.ask(COCKPIT, account=ADMIN).text
    engine.write("configuration/ivy.yaml", "BaseUrl: [\n")
    wait_until(lambda: "Kept the former values" in engine.read("logs/ivy.log"), "refusal of a damaged file")
    assert state(engine)["baseUrl"] == "http://three/"


@pytest.mark.parametrize(
    ("version", "form"),
    [("11.3.0", r"(\\u00[0-9a-f]{2})+"), ("12.0.9", "[A-Za-z0-9+/]+={0,2}")],
)
def test_encrypts_and_hashes_in_the_file(unpack: Unpack, version: str, form: str) -> None:
    text = (
        "# yaml-language-server: $schema=https://json-schema.axonivy.com/ivy/11.3.0/ivy.json\n"
        'EMail.Server.Host: "${encrypt:mäil}"   # kept\n'
        "Administrators:\n  root: {Password: '${hash:pa}ss #1}'}\n"
    )
    written = []
    for engine in (unpack(version), unpack(version)):
        engine.write("configuration/ivy.yaml", text)
        engine.start()
        written.append(engine.read("configuration/ivy.yaml"))
        assert "<td>mäil</td>" in engine.ask(COCKPIT, account="root:pa}ss #1").text
        assert engine.ask(COCKPIT, account="root:pa").status == 401
        engine.stop()
    for result in written:
        assert result.splitlines()[0] == text.splitlines()[0]
        assert re.search(rf'Host: "\$\{{decrypt:{form}}}"   # kept', result)
        assert "${hash:" not in result
    assert written[0] != written[1]


@pytest.mark.parametrize(("writer", "reader"), [("11.3.0", "12.0.9"), ("12.0.9", "11.3.0")])
def test_both_forms_of_an_encrypted_value_can_be_read(unpack: Unpack, writer: str, reader: str) -> None:
    first, second = unpack(writer), unpack(reader)
    first.write("configuration/ivy.yaml", 'EMail.Server.Host: "${encrypt:mäil}"\n')
    first.start()
    first.stop()
    second.write("configuration/ivy.yaml", first.read("configuration/ivy.yaml"))
    second.start()
    assert "<td>mäil</td>" in second.ask(COCKPIT, account=ADMIN).text


def test_application_and_its_variables(unpack: Unpack, demo: Path) -> None:
    engine = unpack()
    engine.write("configuration/applications/demo/app.yaml", "Variables:\n  Greeting: first\n")
    engine.start()
    deployed(engine, demo)
    info = json.loads(engine.ask("/demo/api/info").text)
    assert info["greeting"] == "first"
    assert info["version"] == "11.3.0"
    engine.write("configuration/applications/demo/app.yaml", "# nothing\n")
    wait_until(
        lambda: json.loads(engine.ask("/demo/api/info").text)["greeting"] == "Welcome to the cluster",
        "the greeting that came with the application",
    )
    assert engine.read("deploy/demo.zip.deploymentLog").startswith("Deployed demo.zip as version 1")


def test_directory_of_a_new_application_takes_effect_after_a_restart_only(unpack: Unpack, demo: Path) -> None:
    for version, greeting in (("11.3.0", "Welcome to the cluster"), ("12.0.9", "late")):
        engine = unpack(version)
        engine.file("configuration/applications").mkdir()
        engine.start()
        deployed(engine, demo)
        engine.write("configuration/applications/demo/app.yaml", "Variables.Greeting: late\n")
        engine.write("configuration/ivy.yaml", "BaseUrl: http://later/\n")
        wait_until(lambda: state(engine)["baseUrl"] == "http://later/", "what was written before was seen")  # noqa: B023
        if greeting == "late":
            wait_until(lambda: "late" in engine.ask("/demo/api/info").text, "reload")  # noqa: B023
        assert json.loads(engine.ask("/demo/api/info").text)["greeting"] == greeting
        engine.stop()


def test_session_notes_and_search(unpack: Unpack, demo: Path) -> None:
    engine = unpack("12.0.9")
    engine.start()
    deployed(engine, demo)
    first = engine.ask("/demo/api/info", headers={"X-Forwarded-Proto": "https", "X-Forwarded-Host": "ivy.test:8443"})
    assert json.loads(first.text)["publicUrl"] == "https://ivy.test:8443/"
    assert re.match(r"IVYSESSIONID=\w+; Path=/; HttpOnly; SameSite=Lax; Secure", first.headers["Set-Cookie"])
    cookie = first.headers["Set-Cookie"].split(";")[0]
    second = engine.ask("/demo/api/info", headers={"Cookie": cookie})
    assert "Set-Cookie" not in second.headers
    assert json.loads(second.text)["counter"] == 2
    added = engine.ask("/demo/api/notes", b'{"text": "<b>a fox</b>"}', headers={"Content-Type": "application/json"})
    number = json.loads(added.text)["id"]
    assert json.loads(engine.ask(f"/demo/api/notes/{number}").text)["text"] == "<b>a fox</b>"
    assert json.loads(engine.ask("/demo/api/search?q=fox").text)["notes"][0]["id"] == number
    page = engine.ask("/demo/notes", b"text=from+the+%7B%7Bnode%7D%7D+page").text
    assert "from the {{node}} page" in page
    assert "&lt;b&gt;a fox&lt;/b&gt;" in page
    assert engine.ask("/demo/api/documents/a.txt", b"shared", method="PUT").status == 201
    assert engine.ask("/demo/api/documents/a.txt").text == "shared"
    echo = json.loads(engine.ask("/demo/api/echo", headers={"X-Forwarded-For": "1.2.3.4"}).text)
    assert echo["headers"]["X-Forwarded-For"] == ["1.2.3.4"]


def test_artefacts_that_cannot_be_deployed(unpack: Unpack, demo: Path) -> None:
    engine = unpack()
    engine.start()
    engine.file("deploy/half.zip").write_bytes(demo.read_bytes()[:200])
    wrapped = io.BytesIO()
    with zipfile.ZipFile(wrapped, "w") as archive:
        archive.writestr("folder/project.iar", b"")
    engine.file("wrapped.zip").write_bytes(wrapped.getvalue())
    place(engine.file("wrapped.zip"), engine.file("deploy/wrapped.zip"))
    for name, reason in {"half.zip": "Not a readable archive", "wrapped.zip": "no .iar at the top"}.items():
        wait_until(engine.file(f"deploy/{name}.notDeployed").exists, name)
        assert reason in engine.read(f"deploy/{name}.deploymentError")
        assert not engine.file(f"deploy/{name}").exists()
    engine.write("deploy/demo.zip.options.yaml", "deployTestUsers: true\n")
    deployed(engine, demo)
    assert "deployTestUsers" in engine.read("deploy/demo.zip.deploymentLog")
    engine.file("deploy/other").mkdir()
    place(demo, engine.file("deploy/other/whatever.zip"))
    wait_until(engine.file("deploy/other/whatever.zip.deployed").exists, "deployment into a named application")
    assert engine.ask("/other/").status == 200


def test_deployment_by_rest(unpack: Unpack, demo: Path) -> None:
    engine = unpack()
    engine.start()
    boundary = "xyz"
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="fileToDeploy"; filename="demo.zip"\r\n\r\n'
    body = head.encode() + demo.read_bytes() + f"\r\n--{boundary}--\r\n".encode()
    headers = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
    assert engine.ask("/system/api/apps/shop", body, headers=headers, account=ADMIN).status == 403
    headers["X-Requested-By"] = "test"
    assert engine.ask("/system/api/apps/shop", body, headers=headers).status == 401
    response = engine.ask("/system/api/apps/shop", body, headers=headers, account=ADMIN)
    assert response.status == 200, response.text
    assert engine.ask("/shop/").status == 200


def test_cockpit_changes_files_of_its_node(unpack: Unpack) -> None:
    engine = unpack()
    header = "# yaml-language-server: $schema=https://json-schema.axonivy.com/ivy/11.3.0/ivy.json\n"
    engine.write("configuration/ivy.yaml", header + "# a comment\nEMail:\n  Server.Host: old\nOther: 1\n")
    engine.start()
    form = b"file=ivy.yaml&key=EMail.Server.Host&value=new"
    assert engine.ask(f"{COCKPIT}/configuration", form, account=ADMIN).status == 200
    assert engine.read("configuration/ivy.yaml") == header + "EMail:\n  Server.Host: new\nOther: 1\n"
    assert "<td>new</td>" in engine.ask(COCKPIT, account=ADMIN).text
    assert engine.ask(f"{COCKPIT}/files", b"file=web.xml&content=%3Cweb-app%2F%3E", account=ADMIN).status == 200
    assert engine.read("configuration/web.xml") == "<web-app/>"
    for name in ("../bin/AxonIvyEngine", "/etc/passwd"):
        assert engine.ask(f"{COCKPIT}/files", f"file={name}&content=x".encode(), account=ADMIN).status == 400
    assert engine.ask(f"{COCKPIT}/files?file=web.xml").status == 401


def test_read_only_configuration_is_copied(unpack: Unpack) -> None:
    engine = unpack()
    engine.write("configuration/ivy.yaml", 'BaseUrl: http://original/\nEMail.Server.Password: "${encrypt:x}"\n')
    engine.file("configuration/ivy.yaml").chmod(0o444)
    # Files are never read-only for root, so as root the engine must run as another user.
    user = None
    if os.geteuid() == 0:
        user = 65534
        for name in ("work", "logs", "data", "applications"):
            engine.file(name).mkdir()
        for path in [engine.directory, *engine.directory.rglob("*")]:
            os.chown(path, user, -1)
        os.chown(engine.file("configuration/ivy.yaml"), 0, -1)
    engine.start(user=user)
    assert state(engine)["readOnlyConfiguration"] is True
    engine.ask(f"{COCKPIT}/configuration", b"file=ivy.yaml&key=BaseUrl&value=http://changed/", account=ADMIN)
    assert state(engine)["baseUrl"] == "http://changed/"
    assert "${encrypt:x}" in engine.read("configuration/ivy.yaml")
    copy = engine.read("work/configuration/ivy.yaml")
    assert "http://changed/" in copy
    assert "${encrypt:" not in copy
    engine.stop()
    engine.file("logs/ivy.log").unlink()
    engine.start(user=user)
    assert state(engine)["baseUrl"] == "http://original/"


def test_maintenance_mode(unpack: Unpack) -> None:
    engine = unpack("12.0.9")
    licence(engine, "--engine-version", "12.0.9")
    engine.write("configuration/ivy.yaml", f"SystemDb.Url: {NOWHERE}\nAdministrators.root.Password: pw\n")
    engine.start()
    home = engine.ask("/")
    assert home.status == 200, "only the text shows the mode"
    assert "Maintenance Mode" in home.text
    assert "Maintenance Mode" in engine.ask("/system/engine-cockpit/faces/info.xhtml").text
    assert engine.ask("/system/health").status == 503
    assert engine.ask("/demo/").status == 503
    assert "cannot be used" in str(state(engine, "root:pw")["modeReason"])
    engine.stop()
    process = engine.launch(environment={"IVY_BOOT_MAINTENANCEMODE": "DISABLED"})
    assert process.wait(timeout=PATIENCE) == 1
    assert "Axon Ivy Engine cannot start: the system database at" in engine.read("logs/ivy.log")


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--valid-until", "2020-01-01"), "expired on 2020-01-01"),
        (("--valid-from", "2098-12-31"), "not valid before 2098-12-31"),
        (("--engine-version", "12.0.9"), "the licence is for axonivy/12000"),
    ],
)
def test_invalid_licence(unpack: Unpack, arguments: tuple[str, ...], reason: str) -> None:
    engine = unpack()
    licence(engine, *arguments)
    engine.write("configuration/ivy.yaml", f"SystemDb.Url: {NOWHERE}\nAdministrators.root.Password: pw\n")
    engine.start()
    assert reason in str(state(engine, "root:pw")["modeReason"])


def test_faults_on_demand(unpack: Unpack, tmp_path: Path) -> None:
    engine = unpack("12.0.9")
    hold = held(tmp_path, "ready")
    engine.launch(f"-Dstandin.readyDelay={hold}", "-Dstandin.health=fail")
    reached(hold)
    assert "no licence" in engine.read("logs/ivy.log")
    assert engine.ask("/").status == 503
    assert engine.control("-status") == "STARTING"
    hold.unlink()
    wait_until(lambda: engine.control("-status") == "RUNNING", "running")
    assert engine.ask("/system/health").status == 503
    assert engine.ask("/").status == 503
    engine.stop()
    engine.write("configuration/jvm.options", "-Dstandin.crash=start\n")
    assert engine.launch().wait(timeout=PATIENCE) == 3


def _connects(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def test_http_as_a_balancer_speaks_it(unpack: Unpack, demo: Path, tmp_path: Path) -> None:
    engine = unpack("12.0.9")
    hold = tmp_path / "request"
    engine.start(f"-Dstandin.latency={hold}", f"-Dstandin.requestGrace={PATIENCE * 1000:.0f}")
    deployed(engine, demo)
    assert engine.ask("/system/health").text == "OK\n"
    assert engine.ask("/", follow=False).status == 200
    assert engine.ask("/system/engine-cockpit/faces/info.xhtml").status == 200
    for request in (
        b"nonsense\r\n\r\n",
        b"GET / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
    ):
        with socket.create_connection(("127.0.0.1", engine.port), timeout=PATIENCE) as client:
            client.sendall(request)
            assert b"HTTP/1.1 400" in client.recv(1000)
    with (
        socket.create_connection(("127.0.0.1", engine.port), timeout=PATIENCE) as client,
        client.makefile("rb") as responses,
    ):
        client.sendall(
            b"POST /default/demo/api/echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
            b"HEAD /demo/ HTTP/1.1\r\nHost: x\r\n\r\n"
        )
        assert json.loads(_response(responses)[1])["body"] == "abcde"
        head, _nothing = _response(responses, with_body=False)
        assert head.startswith("HTTP/1.1 200")
        held(tmp_path, hold.name)
        client.sendall(b"GET /demo/api/slow?ms=1 HTTP/1.1\r\nHost: x\r\n\r\n")
        reached(hold)
        engine.control("-stop")
        wait_until(lambda: not _connects(engine.port), "no new connection is taken")
        hold.unlink()
        head, body = _response(responses)
        assert json.loads(body)["ms"] == 1, "a request in progress is completed"
        assert "Connection: close" in head


def _response(stream: io.BufferedReader, with_body: bool = True) -> tuple[str, str]:
    """Read one response from a connection that stays open."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        byte = stream.read(1)
        assert byte, "the connection was closed"
        head += byte
    text = head.decode()
    length = re.search(r"Content-Length: (\d+)", text)
    body = stream.read(int(length[1])) if with_body and length else b""
    return text, body.decode()


def test_web_socket_is_closed_when_the_node_stops(unpack: Unpack, demo: Path) -> None:
    engine = unpack()
    engine.start()
    deployed(engine, demo)
    with (
        socket.create_connection(("127.0.0.1", engine.port), timeout=PATIENCE) as client,
        client.makefile("rb") as stream,
    ):
        client.sendall(
            b"GET /demo/ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
        head, _nothing = _response(stream)
        assert head.startswith("HTTP/1.1 101")
        assert "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in head
        opcode, length = stream.read(2)
        assert opcode == 0x81
        assert '"node"' in stream.read(length).decode()
        engine.control("-stop")
        while (opcode := stream.read(1)[0]) != 0x88:
            stream.read(stream.read(1)[0])
        assert stream.read(3) == b"\x02\x03\xe9"


def test_command_line_configuration(unpack: Unpack) -> None:
    engine = unpack()
    cli = [str(engine.file("bin/EngineConfigCli"))]

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*cli, *arguments], check=False, capture_output=True, text=True, timeout=PATIENCE)

    shown = run("help")
    assert shown.returncode == 0
    assert "create-db" in shown.stdout
    assert "migrate-engine" not in shown.stdout
    assert run("unknown").returncode == 2
    assert run("config-db", "too", "few").returncode == 2
    missing = run("create-db")
    assert missing.returncode == 1
    assert "SystemDb.Url is missing" in missing.stderr
    assert run("config-db", "org.postgresql.Driver", NOWHERE, "a user", "p: #w").returncode == 0
    assert "Password: 'p: #w'" in engine.read("configuration/ivy.yaml")
    assert run("create-db").returncode == 1


def test_licence_states_that_it_is_for_the_stand_in(tmp_path: Path) -> None:
    target = tmp_path / "a.lic"
    subprocess.run(
        [sys.executable, str(HERE / "make_licence.py"), str(target), "--nodes", "5", "--public-urls", "ivy.test,*.x"],
        check=True,
    )
    text = target.read_text(encoding="utf-8")
    assert text.startswith("# Licence of the STAND-IN engine")
    assert "server.nodes.limit=5\n" in text
    assert "public.urls=ivy.test,*.x\n" in text
    assert "licence.keyversion=axonivy/11000\n" in text
