# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An engine without licence and database, started in the foreground with a closed input and without a sandbox."""

from __future__ import annotations

import re

from assumptions import assumption
from conftest import PORT_SECRET, PORT_YAML, Material, Record
from engine import READY, Engine, Known, wait_for
from machine import listens


def written(engine: Engine) -> set[str]:
    """The top-level directories into which the engine has written."""
    now = engine.snapshot()
    return {path.split("/", maxsplit=1)[0] for path in now if now[path] != engine.before.get(path)}


@assumption(
    "Start",
    "`bin/AxonIvyEngine -start` stays in the foreground although its input is closed",
    fact="-start is the default and runs in the foreground; `shutdown` on the console stops it; the effect of a "
    "closed input is not documented",
    certainty="assumed",
    source="documentation, Linux, start; a service has no console",
)
def test_foreground_start_with_closed_input(demo: Engine) -> None:
    assert demo.ended() is None
    assert demo.ask("/").status != 0


@assumption(
    "Start",
    "the ready line comes after the line with the address",
    fact=f"'{READY} [..ms]' after 'Go to http://HOST:PORT/ ...'",
    certainty="stated",
    source="documentation; the vendor's own tests wait for it",
)
def test_ready_line(demo: Engine, record: Record) -> None:
    assert re.search(r"Go to http://\S+[\s\S]*" + re.escape(READY), demo.log())
    places = ["logs/ivy.log"] if READY in demo.read("logs/ivy.log") else []
    places += ["standard output"] if READY in demo.console.read_text(encoding="utf-8", errors="replace") else []
    record.see("in " + " and ".join(places or ["another file of logs/"]))


@assumption(
    "Start",
    "`-status` prints RUNNING",
    fact="one of STOPPED STARTING RUNNING STOPPING UNREGISTERED FAILED, perhaps between lines of the log",
    certainty="observed",
    source="project-build-plugin, EngineControl",
)
def test_status_of_a_running_engine(demo: Engine, record: Record) -> None:
    code, output = demo.control("-status")
    record.see(f"exit code {code}")
    assert "RUNNING" in output.split()


@assumption(
    "Configuration",
    "a secret file overrides YAML",
    fact="/run/secrets/ivy.<Key> is read; its precedence is not documented",
    certainty="unknown",
    source="docker-samples, ivy-secrets",
)
def test_secret_file_over_yaml(demo: Engine, record: Record) -> None:
    record.see(
        "the secret file wins" if listens_on(PORT_SECRET) else "YAML wins" if listens_on(PORT_YAML) else "neither"
    )


@assumption(
    "Configuration",
    "a secret file for a key of the engine is read, including one that ends with a line break",
    fact="/run/secrets/ivy.SystemDb.Password and others",
    certainty="stated",
    source="documentation, overriding configuration; docker-samples, ivy-secrets",
)
def test_secret_file_is_read(demo: Engine) -> None:
    assert listens_on(PORT_SECRET)


@assumption(
    "Modes and health",
    "in demo mode `/`, or the page to which it redirects, and the info page contain one of the texts for which the "
    "balancer rejects the node",
    fact="the body of / contains demo-portal for a probe that follows redirects",
    certainty="observed",
    source="docker-samples and cluster-tests, probes for demo mode",
)
def test_demo_mode_shows_at_the_home_page(demo: Engine, known: Known) -> None:
    for path in ("/", known.info_page):
        response = demo.follow(path)
        assert any(text in response.text for text in known.mode_texts), (path, response)


@assumption(
    "Modes and health",
    "an engine in demo mode gets no users: the info page shows the mode without an account",
    fact="the answer of /system/health in demo mode is not known, so the info page is requested as well",
    certainty="inferred",
    source="project-build-plugin, EngineControl; cluster-tests",
)
def test_health_in_demo_mode(demo: Engine, record: Record) -> None:
    health = demo.health()
    record.see(health.seen)
    assert health.answered
    assert not health.accepted


@assumption(
    "Modes and health",
    "how `/` answers, and to which page it redirects",
    fact="a redirect up to 12.0.6 and in 13.1; balancer and gate accept it and do not follow it",
    certainty="inferred",
    source="project-build-plugin, EngineControl; docker-image, HEALTHCHECK",
)
def test_home_page(demo: Engine, record: Record) -> None:
    response = demo.ask("/")
    record.see(f"{response.status} {response.location}".rstrip())
    assert response.status in (200, 301, 302, 303, 307, 308)


@assumption(
    "Licence",
    "whether a licence file that is added while the engine is running takes effect",
    fact="an upload in the Cockpit takes effect at run time; for a file it is not known",
    certainty="unknown",
    source="documentation, licence",
)
def test_licence_dropped_in_while_running(demo: Engine, known: Known, material: Material, record: Record) -> None:
    demo.replace("configuration/contract.lic", material.licence("valid"))
    # Once it has read a file that was written later, it has noticed the licence.
    name = "configuration/ivy.yaml"
    demo.replace(name, demo.read(name) + 'EMail.Server.Password: "${encrypt:later}"\n')
    wait_for(lambda: "encrypt:later" not in demo.read(name), "the reload")
    taken = not any(text in demo.follow("/", host="localhost").text for text in known.mode_texts)
    record.see("demo mode ends at once" if taken else "it stays in demo mode until a restart")


@assumption(
    "Stop",
    "`-stop` ends the engine with a code that the unit treats as success (0 or 143)",
    fact="-stop only initiates the end; the code is not documented",
    certainty="assumed",
    source="documentation, Linux, commands",
)
def test_stop(demo: Engine, known: Known, record: Record) -> None:
    code, _output = demo.control("-stop")
    record.see("returns before the engine has ended" if demo.ended() is None else "returns when the engine has ended")
    assert code == 0
    record.measure("stop", wait_for(lambda: demo.ended() is not None, "the end", known.stop_timeout))
    record.see(f"exit code {demo.ended()}")
    assert demo.ended() in (0, 143)


@assumption(
    "Start",
    "without a sandbox it writes only below the directories to which the unit gives it write access",
    fact="applications, configuration, data, deploy, logs and work are used at run time; system and webapps are "
    "written at the first start",
    certainty="inferred",
    source="documentation, files and directories; docker-image, volumes",
)
def test_paths_that_the_first_start_writes(demo: Engine, known: Known, record: Record) -> None:
    tops = written(demo)
    record.see("wrote to " + ", ".join(sorted(tops)))
    assert tops, "nothing was written"
    assert tops <= set(known.writable_directories)


def listens_on(port: int) -> bool:
    return listens("127.0.0.1", port)
