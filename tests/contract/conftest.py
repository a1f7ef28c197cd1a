# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs on a host of the contract: the engines that tests share, and the record of each test's results."""

from __future__ import annotations

import json
import platform
import shutil
import subprocess
import typing as t
from pathlib import Path

import pytest
from assumptions import ORDER, REGISTRY
from engine import USER, Engine, Known, own, own_all, wait_for
from machine import PASSWORD, SEARCH, Database, command, remove, search_answers
from probe import Probe

# Three ports, one for each source of a value, to find out which source takes precedence.
PORT_YAML, PORT_SECRET, PORT_ENVIRONMENT = 18081, 18082, 18083
PORT_SERVICE, PORT_OTHER = 8080, 8090
JGROUPS_PORT, JGROUPS_FD_PORT = 7800, 7900
SERVICE = "contract-engine.service"
SECRETS = Path("/run/secrets")
SHARE = Path("/opt/contract/share")
ENVIRONMENT = Path("/opt/contract/environment")
ROOT_PASSWORD = "p $ ä1"
TABLES = "contract"
# No server listens there, so the mode does not depend on what an engine does with a database without tables.
NO_DATABASE = "jdbc:postgresql://127.0.0.1:1/contract"


class Needs(Exception):
    """The test needs something that is not part of this run."""


class Record:
    """A test's observations and measurements."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.measured: dict[str, float] = {}

    def see(self, text: str) -> None:
        self.seen.append(" ".join(text.split())[:300])

    def measure(self, name: str, seconds: float) -> None:
        self.measured[name] = round(seconds, 1)


RESULTS: dict[str, dict[str, t.Any]] = {}
RECORDS: dict[str, Record] = {}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--known", required=True, help="what prepare.yml wrote for the engine version")
    parser.addoption("--material", required=True, help="directory with the licences, the application and jgroups.xml")
    parser.addoption("--results", required=True, help="file to write")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    version = Known.read(Path(config.getoption("--known"))).version
    away = [item for item in items if item.name in REGISTRY and not REGISTRY[item.name].holds_for(version)]
    items[:] = sorted((item for item in items if item not in away), key=lambda item: ORDER.index(item.path.stem))
    config.hook.pytest_deselected(items=away)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> t.Generator[None, t.Any, None]:
    outcome = yield
    report = outcome.get_result()
    assumption = REGISTRY[item.name]
    error = call.excinfo.value if call.excinfo is not None else None
    found = RESULTS.setdefault(item.name, {"outcome": "holds", "seen": [], "measured": {}, "message": ""})
    if isinstance(error, Needs):
        found.update(outcome="needs", message=str(error))
        report.outcome, report.longrepr = "skipped", (str(item.path), 0, f"Needs {error}")
    elif error is not None and assumption.certainty == "unknown" and call.when == "call":
        # Nothing relies on it, so every outcome is an observation and not a failure.
        found.update(outcome="seen", message=str(error).splitlines()[0][:300])
        report.outcome = "passed"
    elif error is not None:
        found.update(outcome="fails", message=str(error)[:2000])
    elif assumption.certainty == "unknown" and found["outcome"] == "holds":
        found["outcome"] = "seen"
    if item.name in RECORDS:
        found["seen"], found["measured"] = RECORDS[item.name].seen, RECORDS[item.name].measured


def pytest_sessionfinish(session: pytest.Session) -> None:
    known = Known.read(Path(session.config.getoption("--known")))
    version = {
        "java": command(f"{known.java_home}/bin/java", "-version", check=False).splitlines()[0],
        "database": command("psql", "--version", check=False),
        "system": platform.freedesktop_os_release().get("PRETTY_NAME", "")
        if hasattr(platform, "freedesktop_os_release")
        else "",
    }
    report = {
        "version": known.version,
        "stand_in": known.stand_in,
        "archive": known.archive.name,
        "host": version,
        "results": RESULTS,
    }
    Path(session.config.getoption("--results")).write_text(json.dumps(report, indent=1), encoding="utf-8")


@pytest.fixture
def record(request: pytest.FixtureRequest) -> Record:
    """The record for a test's observations."""
    return RECORDS.setdefault(request.node.name, Record())


@pytest.fixture(scope="session")
def known(request: pytest.FixtureRequest) -> Known:
    return Known.read(Path(request.config.getoption("--known")))


class Material:
    """Files that belong to this run."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def licence(self, kind: str) -> str:
        """A licence of a kind: `valid`, for two nodes and PUBLIC_HOST, or a special one that only the stand-in has."""
        path = self.directory / f"{kind}.lic"
        if not path.exists():
            raise Needs(f"a licence of the kind '{kind}'")
        return path.read_text(encoding="utf-8")

    def application(self) -> Path:
        path = self.directory / "application.zip"
        if not path.exists():
            raise Needs("an application to deploy (ENGINE_APPLICATION)")
        return path

    def jgroups(self) -> str:
        return (self.directory / "jgroups.xml").read_text(encoding="utf-8")

    def multicast(self) -> str:
        return (self.directory / "jgroups-udp.xml").read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def material(request: pytest.FixtureRequest) -> Material:
    return Material(Path(request.config.getoption("--material")))


@pytest.fixture(scope="session")
def pristine(known: Known) -> t.Iterator[Path]:
    """The archive, unpacked once as root."""
    directory = Path("/opt/contract/pristine")
    remove(directory)
    directory.mkdir(parents=True)
    command("unzip", "-q", str(known.archive), "-d", str(directory))
    yield directory
    remove(directory)


@pytest.fixture(scope="session")
def database() -> Database:
    server = Database()
    wait_for(lambda: command("pg_isready", check=False).endswith("accepting connections"), "the database server")
    server.account()
    return server


@pytest.fixture(scope="session")
def search() -> str:
    wait_for(search_answers, "the search server")
    return SEARCH


class Engines:
    """Creates engines from the archive and removes them."""

    def __init__(self, known: Known, pristine: Path) -> None:
        self.known, self.pristine = known, pristine
        self.made: list[Engine] = []

    def make(self, name: str, port: int, address: str = "127.0.0.1") -> Engine:
        """A copy that belongs to the engine's user, so that the engine can write everywhere."""
        directory = Path("/opt/contract/engines", name)
        remove(directory)
        directory.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(self.pristine, directory, symlinks=True)
        engine = Engine(self.known, directory, port, address)
        engine.write("configuration/jvm.options", self.known.jvm_options.replace("127.0.0.1", address))
        own_all(directory)
        own(directory.parent)
        self.made.append(engine)
        return engine


@pytest.fixture(scope="session")
def engines(known: Known, pristine: Path) -> t.Iterator[Engines]:
    for directory in (SECRETS, SHARE):
        remove(directory)
        directory.mkdir(parents=True)
    own(SHARE)
    made = Engines(known, pristine)
    yield made
    for engine in made.made:
        engine.kill()
        remove(engine.directory)
    remove(SECRETS)


def system_settings(known: Known, database: Database, name: str) -> dict[str, object]:
    """The settings that the topology sets for every engine of a cluster."""
    settings: dict[str, object] = {
        "database_url": database.url(name),
        "database_driver": "org.postgresql.Driver",
        "database_user": USER,
        "database_pool_size": 5,
        "search_url": SEARCH,
        "data_directory": str(SHARE / "data"),
        "base_url": f"https://{known.public_host}/",
    }
    if known.profile["applications_shared"]:
        settings["app_directory"] = str(SHARE / "applications")
    return settings


@pytest.fixture(scope="session")
def tables(database: Database, engines: Engines, known: Known) -> str:
    """A database with the tables of this engine version."""
    database.create(TABLES)
    engine = engines.make("tables", PORT_OTHER)
    engine.configure({**system_settings(known, database, TABLES), "database_password": PASSWORD})
    process = engine.run("EngineConfigCli", "create-db")
    output, _none = process.communicate(timeout=120)
    assert process.returncode == 0, output
    return TABLES


@pytest.fixture(scope="module")
def demo(engines: Engines, known: Known) -> t.Iterator[Engine]:
    """An engine without licence and database, in the foreground. Its port is set in YAML and in a secret file."""
    engine = engines.make("demo", PORT_SECRET)
    engine.configure({"http_port": PORT_YAML})
    secret = SECRETS / f"ivy.{known.place('http_port')[1]}"
    secret.write_text(f"{PORT_SECRET}\n", encoding="utf-8")
    engine.before = engine.snapshot()
    engine.launch()
    engine.await_ready()
    secret.unlink()
    yield engine
    engine.kill()


@pytest.fixture(scope="module")
def maintenance(engines: Engines, known: Known, database: Database, material: Material) -> t.Iterator[Engine]:
    """An engine whose database does not answer. Its port is set in YAML, in a secret file and in the environment."""
    engine = engines.make("maintenance", PORT_ENVIRONMENT)
    settings = {**system_settings(known, database, TABLES), "database_url": NO_DATABASE}
    engine.configure({**settings, "http_port": PORT_YAML, "database_password": PASSWORD})
    engine.write("configuration/contract.lic", material.licence("valid"))
    key = known.place("http_port")[1]
    secret = SECRETS / f"ivy.{key}"
    secret.write_text(f"{PORT_SECRET}\n", encoding="utf-8")
    engine.environment["ivy_" + key.replace(".", "_")] = str(PORT_ENVIRONMENT)
    engine.launch()
    engine.await_ready()
    secret.unlink()
    yield engine
    engine.kill()


class Service:
    """The engine in production, started by the unit that the collection writes."""

    def __init__(self, engine: Engine, states: list[str], seconds: float) -> None:
        self.engine, self.states, self.seconds = engine, states, seconds
        self.account = f"root:{ROOT_PASSWORD}"
        self.probe = Probe(engine, self.account)

    def log(self) -> str:
        return self.engine.read("logs/ivy.log") + command(
            "journalctl", "--boot", "-u", SERVICE, "-o", "cat", "--no-pager"
        )

    def yaml(self) -> str:
        return self.engine.read("configuration/ivy.yaml")


UNKNOWN_KEYS = "# a comment that somebody wrote\nContract.Unknown-Key: kept as it is # and why\n"


@pytest.fixture(scope="session")
def service(
    engines: Engines, known: Known, database: Database, tables: str, search: str, material: Material
) -> t.Iterator[Service]:
    directory = known.engine_directory
    remove(directory)
    directory.parent.mkdir(parents=True, exist_ok=True)
    shutil.copytree(engines.pristine, directory, symlinks=True)
    engine = Engine(known, directory, PORT_SERVICE)
    for name in known.writable_directories:
        engine.file(name).mkdir(exist_ok=True)
        own_all(engine.file(name))
    # The stand-in starts too fast to be observed, so it waits until it was observed without a port and with one.
    no_port, not_ready = engine.file("work/no-port"), engine.file("work/not-ready")
    slow = ""
    if known.stand_in:
        no_port.touch()
        not_ready.touch()
        slow = f"-Dstandin.startDelay={no_port}\n-Dstandin.readyDelay={not_ready}\n"
    engine.write("configuration/jvm.options", known.jvm_options + slow)
    engine.write("configuration/jgroups.xml", material.jgroups())
    engine.write("configuration/contract.lic", material.licence("valid"))
    more = UNKNOWN_KEYS + (
        'EMail.Server.Password: "${encrypt:mäil}" # kept\n'
        f'Administrators.root.Password: "${{hash:{ROOT_PASSWORD}}}"\n'
    )
    settings = {**system_settings(known, database, tables), "http_port": PORT_SERVICE, "http_address": engine.address}
    engine.configure(settings, {}, more)
    engine.original = engine.read("configuration/ivy.yaml")
    remove(ENVIRONMENT)
    (ENVIRONMENT / "secrets").mkdir(parents=True)
    (ENVIRONMENT / "secrets" / "ivy.Administrators.ops-admin.Password").write_text("from a file\n", encoding="utf-8")
    own_all(ENVIRONMENT / "secrets")
    escaped = "".join(f"\\{character}" if character in '\\"$`' else character for character in PASSWORD)
    (ENVIRONMENT / "shared.env").write_text(f'IVY_SYSTEMDB_PASSWORD="{escaped}"\n', encoding="utf-8")
    (ENVIRONMENT / "node.env").write_text(known.node_environment, encoding="utf-8")
    place_artefacts(engine, material)
    # Without the collection's release check, which does not exist here.
    unit = "".join(f"{line}\n" for line in known.unit.splitlines() if not line.startswith("ExecStartPre="))
    Path("/run/systemd/system", SERVICE).write_text(unit, encoding="utf-8")
    engine.before = engine.snapshot()
    command("systemctl", "daemon-reload")
    command("systemctl", "start", SERVICE)
    states: list[str] = []

    def up() -> bool:
        response = engine.health()
        last = response.responses[-1][1]
        state = "accepted" if response.accepted else str(last.status or "no answer")
        if state not in states[-1:]:
            states.append(state)
        (not_ready if last.status else no_port).unlink(missing_ok=True)
        return state == "accepted" or command("systemctl", "is-active", SERVICE, check=False) not in (
            "active",
            "activating",
        )

    seconds = wait_for(up, "the health address", known.start_timeout)
    if states[-1] != "accepted":
        raise AssertionError(command("journalctl", "-u", SERVICE, "-n", "30", "-o", "cat", "--no-pager"))
    yield Service(engine, states, seconds)
    command("systemctl", "stop", SERVICE, check=False)
    command("systemctl", "reset-failed", SERVICE, check=False)
    Path("/run/systemd/system", SERVICE).unlink()
    command("systemctl", "daemon-reload")
    remove(directory)
    remove(ENVIRONMENT)


def place_artefacts(engine: Engine, material: Material) -> None:
    """An application with its options, as the collection places it, and a truncated one."""
    try:
        content = material.application().read_bytes()
    except Needs:
        return
    for name, data in (("contract.zip.options.yaml", b"deployTestUsers: FALSE\n"), ("contract.zip", content)):
        engine.file(f"deploy/{name}").write_bytes(data)
        own(engine.file(f"deploy/{name}"))
    engine.file("deploy/half.zip").write_bytes(content[: len(content) // 2])
    own(engine.file("deploy/half.zip"))


def run_and_wait(processes: t.Sequence[subprocess.Popen[str]], seconds: int = 120) -> list[tuple[int, str]]:
    """The exit code and the output of each process."""
    outputs = [process.communicate(timeout=seconds)[0] for process in processes]
    return [(process.returncode, output.strip()) for process, output in zip(processes, outputs)]
