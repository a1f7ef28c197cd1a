# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine in production, in the sandbox of the collection's own unit, with a database and a search server."""

from __future__ import annotations

import re
import typing as t

from assumptions import assumption
from conftest import JGROUPS_FD_PORT, JGROUPS_PORT, ROOT_PASSWORD, SERVICE, UNKNOWN_KEYS, Material, Record, Service
from engine import READY, Known, wait_for
from machine import Database, command, connections, listens

HEALTH = "Modes and health"
FILES = "Configuration"
DEPLOY = "Deployment"
ENCRYPTED = r'"?\$\{decrypt:[^}]+}"?'


@assumption(
    "Start",
    "it starts in the sandbox of the unit, and its logs contain no denied access",
    fact="which paths the first start writes is not documented",
    certainty="inferred",
    source="documentation, files and directories",
)
def test_first_start_in_the_sandbox(service: Service, record: Record) -> None:
    record.measure("start until health", service.seconds)
    assert command("systemctl", "is-active", SERVICE) == "active"
    refused = [
        line
        for line in service.log().splitlines()
        if re.search("Read-only file system|Permission denied|AccessDenied", line)
    ]
    assert not refused, refused[:3]


@assumption(
    "Start",
    "its logs are in logs/, including ivy.log",
    fact="ivy.log, console.log, config.log and others",
    certainty="stated",
    source="documentation, logging",
)
def test_logs(service: Service, record: Record) -> None:
    names = sorted(path.name for path in service.engine.file("logs").iterdir() if path.is_file())
    record.see(", ".join(names))
    assert "ivy.log" in names


@assumption(
    HEALTH,
    "while it starts, the balancer does not accept its health address; once it does, `-status` prints RUNNING and the "
    "ready line is logged",
    fact="from 12.0.7 on 200 when running, otherwise 503; before, the responses of / during the start are not known",
    certainty="inferred",
    source="documentation 12.0, monitoring; docker-image, HEALTHCHECK",
)
def test_health_while_starting(service: Service, record: Record) -> None:
    record.see("while starting: " + ", ".join(service.states))
    assert "RUNNING" in service.engine.control("-status")[1].split()
    wait_for(lambda: READY in service.log(), "the ready line")


@assumption(
    HEALTH,
    "a running engine answers each request of the profile's health check as expected, and its info page, which needs "
    "no account, contains none of the texts of demo and maintenance mode",
    fact="/system/health answers 200 from 12.0.7 on; before, the vendor's own image requests /, and a redirect counts",
    certainty="inferred",
    source="documentation 12.0, monitoring; docker-image, HEALTHCHECK; project-build-plugin, EngineControl",
)
def test_health_of_a_running_engine(service: Service, record: Record) -> None:
    health = service.engine.health()
    for path, response in health.responses:
        body = f"the text '{response.text.strip()}'" if len(response.text) < 60 else "a page"
        record.see(f"{path} answers {response.status} with {body}")
    assert health.accepted


@assumption(
    HEALTH,
    "which cookies a health check creates",
    fact="up to 11.0 each check of / creates a session; the cookie's name is JSESSIONID or IVYSESSIONID, perhaps "
    "with a suffix",
    certainty="unknown",
    source="release notes XIVY-10183 and XIVY-10675; documentation, cluster, load balancer",
)
def test_cookies_of_a_check(service: Service, record: Record) -> None:
    cookies = {name for _request in range(2) for name in service.engine.health().cookies}
    record.see(", ".join(sorted(cookies)) or "no cookie")


@assumption(
    HEALTH,
    "/system/health does not check the name in the request",
    fact="it deliberately bypasses the check of the licence's public URLs",
    certainty="stated",
    source="community.axonivy.com/d/1031",
    since="12.0.7",
)
def test_health_by_a_foreign_name(service: Service) -> None:
    assert service.engine.ask("/system/health", host="other.example.org").status == 200


@assumption(
    "Licence",
    "the engine serves requests for the name of the public URL, localhost and 127.0.0.1",
    fact="the host of the request has to be in public.urls; localhost, 127.0.0.1 and ::1 always are",
    certainty="stated",
    source="documentation, licence",
)
def test_public_url_by_the_allowed_names(service: Service) -> None:
    answers = {
        host: service.engine.follow("/", host=host).status
        for host in (service.engine.known.public_host, "localhost", "127.0.0.1")
    }
    assert set(answers.values()) == {200}, answers


@assumption(
    "Licence",
    "the engine rejects requests for another name or address",
    fact="such requests fail the check; the status is not documented",
    certainty="stated",
    source="documentation, licence",
)
def test_public_url_by_other_names(service: Service, record: Record) -> None:
    answers = {host: service.engine.ask("/", host=host).status for host in ("other.example.org", "192.0.2.7")}
    record.see(", ".join(f"{host}: {status}" for host, status in answers.items()))
    assert 200 not in answers.values()


@assumption(
    FILES,
    "unknown keys and comments stay in the file unchanged",
    fact="the engine replaces values in its files when it loads them; that the rest stays is not documented",
    certainty="inferred",
    source="documentation, encryption",
)
def test_unknown_keys_are_kept(service: Service) -> None:
    assert UNKNOWN_KEYS in service.yaml()


@assumption(
    FILES,
    "${encrypt:..} becomes ${decrypt:..} in the file, and nothing else on the line changes",
    fact="encrypted and written back at load; the form is \\u00xx..",
    certainty="observed",
    source="documentation, encryption; engine-cockpit, test data",
)
def test_encrypts_in_the_file(service: Service, record: Record) -> None:
    line = next(line for line in service.yaml().splitlines() if line.startswith("EMail.Server.Password:"))
    assert "mäil" not in service.yaml()
    found = re.fullmatch(rf"EMail\.Server\.Password: ({ENCRYPTED})( # kept)?", line)
    assert found, "another form"
    record.see("the comment behind it stays" if found[2] else "the comment behind it is lost")


@assumption(
    FILES,
    "${hash:..} of an administrator is replaced in the file, and the password works",
    fact="hashed and rewritten, irreversibly; the form is not known",
    certainty="stated",
    source="documentation, encryption",
)
def test_hashes_in_the_file(service: Service) -> None:
    assert ROOT_PASSWORD not in service.yaml()
    assert service.engine.accepts_administrator(service.account)


@assumption(
    FILES,
    "the rest of the file does not change",
    fact="only macros are replaced at load; saving in the Cockpit may rewrite the file",
    certainty="inferred",
    source="documentation, configuration; engine-cockpit",
)
def test_rest_of_the_file_is_left_alone(service: Service) -> None:
    before, now = service.engine.original.splitlines(), service.yaml().splitlines()
    assert len(before) == len(now)
    changed = [old for old, new in zip(before, now) if old != new]
    assert all("${encrypt:" in line or "${hash:" in line for line in changed), changed


@assumption(
    FILES,
    "a secret file sets the password of an administrator whose name has a dash, which a variable name cannot contain",
    fact="/run/secrets/ivy.Administrators.admin.Password",
    certainty="stated",
    source="docker-samples, ivy-secrets; names with a dash are inferred",
)
def test_name_with_a_dash_in_a_secret_file(service: Service) -> None:
    assert service.engine.accepts_administrator("ops-admin:from a file")


@assumption(
    "REST",
    "the deployment service accepts an administrator's basic authentication and rejects everybody else with 401 or 403",
    fact="POST /system/api/apps/<app> with basic authentication and X-Requested-By",
    certainty="stated",
    source="documentation, deployment by REST",
)
def test_wrong_password_is_refused(service: Service) -> None:
    assert not service.engine.accepts_administrator("root:wrong")


@assumption(
    "REST",
    "what POST /system/api/config/reload answers an administrator",
    fact="it reads the files of system and applications again; method, rights and response are not documented",
    certainty="unknown",
    source="community.axonivy.com/d/1031",
)
def test_reload_by_rest(service: Service, record: Record) -> None:
    headers = {"X-Requested-By": "contract", "Content-Length": "0"}
    path = "/system/api/config/reload"
    for account in (service.account, ""):
        response = service.engine.ask(path, account=account, method="POST", headers=headers)
        record.see(f"{'administrator' if account else 'nobody'}: {response.status}")


@assumption(
    "Database and search",
    "the engine keeps sessions to the database, no more than SystemDb.MaxConnections, with the password of the "
    "environment",
    fact="a pool of 50 by default",
    certainty="observed",
    source="engine-cockpit, configuration test",
)
def test_sessions_of_the_pool(service: Service, database: Database, tables: str, record: Record) -> None:
    number = database.sessions(tables)
    record.see(f"{number} sessions at rest, 5 allowed")
    assert 1 <= number <= 5


@assumption(
    "Database and search",
    "a connection to the search server is open while the engine runs",
    fact="the gate checks it; whether the engine keeps one is not documented",
    certainty="assumed",
    source="-",
)
def test_connection_to_the_search_server(service: Service) -> None:
    wait_for(lambda: connections(port=9200), "a connection to the search server")


@assumption(
    "Cluster",
    "the archive's JGroups accepts our jgroups.xml: its two ports are open at jgroups.bind_addr",
    fact="configuration/jgroups.xml replaces the stack; JGroups 5; a property of jvm.options fills bind_addr",
    certainty="stated",
    source="documentation, cluster, communication (12.0.9); JGroups manual for FD_SOCK2's offset",
)
def test_our_stack_is_taken(service: Service) -> None:
    ports = (JGROUPS_PORT, JGROUPS_FD_PORT)
    wait_for(lambda: all(listens("127.0.0.1", port) for port in ports), f"the ports {ports}")


@assumption(
    DEPLOY,
    "an artefact in deploy/ before the start is deployed after it: the file becomes .deployed, with a "
    ".deploymentLog and no .deploymentError",
    fact="the vendor's plug-in waits for the artefact's name to disappear and then for .deploymentError",
    certainty="observed",
    source="project-build-plugin, deployment to a directory",
)
def test_markers_of_a_deployment(service: Service, material: Material, record: Record) -> None:
    material.application()
    deploy = service.engine.file("deploy")
    record.measure("deployment", wait_for(lambda: not (deploy / "contract.zip").exists(), "the deployment"))
    assert (deploy / "contract.zip.deployed").exists(), sorted(path.name for path in deploy.iterdir())
    assert (deploy / "contract.zip.deploymentLog").exists()
    assert not (deploy / "contract.zip.deploymentError").exists()


@assumption(
    DEPLOY,
    "the options file beside an artefact is read, and it stays",
    fact="<artefact>.options.yaml, written beside it by the vendor's plug-in",
    certainty="unknown",
    source="documentation 13.1, deployment options; project-build-plugin",
)
def test_options_file(service: Service, material: Material, record: Record) -> None:
    material.application()
    deploy = service.engine.file("deploy")
    record.see("stays" if (deploy / "contract.zip.options.yaml").exists() else "is removed")
    log = (deploy / "contract.zip.deploymentLog").read_text(encoding="utf-8", errors="replace")
    record.see("named in the deployment's log" if "deployTestUsers" in log else "not named in the deployment's log")


@assumption(
    DEPLOY,
    "a truncated artefact fails with .notDeployed and .deploymentError, and other deployments go on",
    fact=".notDeployed and .deploymentError on failure; half-written files are why artefacts are put in place by "
    "rename",
    certainty="observed",
    source="documentation, deployment by directory; project-build-plugin",
)
def test_half_an_artefact(service: Service, material: Material) -> None:
    material.application()
    deploy = service.engine.file("deploy")
    wait_for(lambda: not (deploy / "half.zip").exists(), "the end of the attempt")
    assert (deploy / "half.zip.notDeployed").exists(), sorted(path.name for path in deploy.iterdir())
    assert (deploy / "half.zip.deploymentError").exists()


def reload_after(service: Service, write: t.Callable[[str, str], None], record: Record, text: str) -> None:
    """Write a value to encrypt into the file: its encryption shows that the engine has reloaded the file."""
    changed = re.sub(r"EMail\.Server\.Password: .*", f'EMail.Server.Password: "${{encrypt:{text}}}"', service.yaml())
    changed = re.sub(r"(BaseUrl: ).*", rf'\g<1>"https://{text}.example.com/"', changed)
    write("configuration/ivy.yaml", changed)
    record.measure("reload", wait_for(lambda: f"encrypt:{text}" not in service.yaml(), "the reload"))
    if service.probe.sees:
        wait_for(lambda: service.probe.value("baseUrl") == f"https://{text}.example.com/", "the new BaseUrl")
    else:
        record.see("the file was reloaded; the value in use is not visible")


@assumption(
    FILES,
    "a file that is replaced by rename while the engine runs is read again: BaseUrl and EMail change without a "
    "restart, macros are replaced",
    fact="the engine watches its files by inotify and reloads them; which keys need a restart, only the Cockpit shows",
    certainty="stated",
    source="community.axonivy.com/d/1031; that these keys are hot is inferred",
)
def test_reload_after_a_rename(service: Service, record: Record) -> None:
    reload_after(service, service.engine.replace, record, "renamed")


@assumption(
    FILES,
    "a file that is written in place while the engine runs is read again as well",
    fact="the engine watches its files by inotify and reloads them",
    certainty="stated",
    source="community.axonivy.com/d/1031",
)
def test_reload_after_writing_in_place(service: Service, record: Record) -> None:
    reload_after(service, service.engine.write, record, "in-place")


@assumption(
    FILES,
    "keys of SystemDb, Administrators and Connector take effect at the next start only; until then the engine "
    "goes on as before",
    fact="these need a restart, and the Cockpit marks them",
    certainty="stated",
    source="documentation, engine cockpit and system database",
)
def test_keys_that_need_a_restart(service: Service, record: Record) -> None:
    file, key = service.engine.known.place("http_port")
    now = service.engine.read(file)
    service.engine.replace(file, now.replace(f"{key}: 8080", f"{key}: 8089"))
    if service.probe.sees:
        wait_for(lambda: key in (service.probe.value("restartRequired") or []), "the note about a restart")
    else:
        # Once it has reloaded another key that was written later, it has noticed this one.
        reload_after(service, service.engine.replace, record, "later")
        record.see("whether the Cockpit requests a restart is not visible from here")
    assert service.engine.serves()
    assert listens("127.0.0.1", 8080)
    assert not listens("127.0.0.1", 8089)
    service.engine.replace(file, now)


@assumption(
    FILES,
    "which of the profile's hot keys need a restart after all",
    fact="not documented; that the profile's hot keys need no restart is inferred",
    certainty="unknown",
    source="roles/topology/vars/main/profiles.yml, hot_reload_keys",
)
def test_hot_keys_of_the_profile(service: Service, known: Known, record: Record) -> None:
    if not service.probe.sees:
        record.see("not visible from here; check the Cockpit's health page after a change of each key")
        return
    before = service.yaml()
    new = (
        'EMail.Server.Host: "hot.example.com"\nErrors.ShowDetailsToEndUsers: false\n'
        'SecuritySystems.default.Language.Content: "de"\n'
    )
    service.engine.replace("configuration/ivy.yaml", before + new)
    wait_for(lambda: "EMail.Server.Host" in (service.probe.value("settings") or []), "the reload")
    cold = [
        key
        for key in service.probe.value("restartRequired") or []
        if key.startswith(tuple(known.profile["hot_reload_keys"]))
    ]
    record.see("need a restart: " + (", ".join(cold) or "none of them"))
    service.engine.replace("configuration/ivy.yaml", before)
