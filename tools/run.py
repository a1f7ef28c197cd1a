# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps of each Makefile target. Needs only Python: the first step creates the tool environment."""

from __future__ import annotations

import fcntl
import os
import shutil
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from steps import Runner, Step

ROOT = Path(__file__).resolve().parents[1]
LOGS = ROOT / ".cache" / "log"
DEMO = "inventories/demo"
BENCH = "tests/bench/hosts.yml"
BENCH_BALANCER = "tests/bench/balancer/hosts.yml"
BENCH_SITE = "tests/bench/site/hosts.yml"
CONTRACT = "tests/contract/hosts.yml"
# Two cores have room for a third step while tests of live hosts wait for something to happen there.
WIDTH = 3
# Of the processor that it competes for, a scenario beside another one gets a quarter. A step without hosts gets what
# is left.
BESIDE = 5
LAST = 15

PYTHON_STEP = Step("Python", ["tools/packages.sh", "venv"], counts=False)
TOOLS = Step("Tool environment", ["tools/tool_environment.sh"], (PYTHON_STEP.name,), counts=False)
ENGINE = Step("Container engine", ["tools/container_engine.sh", str(LOGS)], ("Programs",), counts=False)
IMAGE = Step("Host image", ["molecule/shared/image/build.sh", "bookworm"], (ENGINE.name,), counts=False)
TRIXIE = Step("Host image of Debian 13", ["molecule/shared/image/build.sh", "trixie"], (ENGINE.name,), counts=False)
# The host image of each molecule scenario.
IMAGES = {"default": IMAGE, "debian13": TRIXIE, "ha": TRIXIE}
NEWEST = Step("Newest Ansible", ["tools/newest_ansible.sh"], (TOOLS.name,), counts=False)
ARCHIVES = Step("Archives", ["tools/archives.sh"], ("Programs",), counts=False)

LINT = [
    Step("yamllint", ["yamllint", "--strict", "."], (TOOLS.name,)),
    Step("ruff check", ["ruff", "check", "."], (TOOLS.name,)),
    Step("ruff format", ["ruff", "format", "--check", "."], (TOOLS.name,)),
    Step("mypy", ["tools/types.sh"], (TOOLS.name,)),
    Step("ansible-lint", ["python", "tools/lint.py", "--nocolor"], (TOOLS.name,)),
]


def pytest(name: str, paths: list[str], needs: tuple[str, ...]) -> Step:
    report = LOGS / f"{name.lower().replace(' ', '-')}.xml"
    return Step(name, ["python", "-m", "pytest", "-q", f"--junitxml={report}", *paths], needs, report=report)


# One step would last to the end while nothing else is left. The longest ones come first.
UNIT_PARTS = {
    "plays": "tests/unit/repository",
    "actions": "tests/unit/plugins/action",
    "roles": "tests/unit/roles",
}
PLAYS, ACTIONS, ROLES = (pytest(f"Unit tests of {name}", [path], (TOOLS.name,)) for name, path in UNIT_PARTS.items())
OTHERS = pytest("Unit tests", ["tests/unit", *(f"--ignore={path}" for path in UNIT_PARTS.values())], (TOOLS.name,))
UNIT = [PLAYS, OTHERS, ACTIONS, ROLES]
SANITY = Step("ansible-test sanity", ["tools/sanity.sh"], (TOOLS.name,))
# Ruff, mypy and yamllint have steps of their own and find most of the same; these take longer than all the others.
LEFT_OUT_OF_SANITY = {"SANITY_LEFT_OUT": "pylint pep8 yamllint"}
# A fault may be found by a long test only.
EVERY_CASE = {"IVY_LOST_HOST_CASES": "all"}
MUTATIONS = Step("Mutations", ["python", "tools/mutate.py"], (TOOLS.name,), niceness=LAST, environment=EVERY_CASE)
# What `make test` does for a shorter time, `make test-all` does as long as docs/long-tests.md says.
LONG = {
    "SIMULATION_SCHEDULES": "10000",
    "IVY_WRITER_SECONDS": "60",
    "IVY_LAB_SHARE_LATE": "300",
    "IVY_LAB_KILLED_STEPS": "4",
    "IVY_LAB_CHANGE_ROUNDS": "2",
    "IVY_LAB_EVERY_TEST": "1",
    **EVERY_CASE,
    "FUZZ_EXAMPLES": "400",
    "IVY_PLAYBOOK_PROCESSES": "1",
    "SANITY_LEFT_OUT": "",
}
STAND_IN = pytest("Stand-in tests", ["tests/engine_stand_in"], (TOOLS.name, ARCHIVES.name))


def programs(*names: str) -> list[Step]:
    step = Step("Programs", ["tools/packages.sh", *names], (PYTHON_STEP.name,), counts=False)
    return [PYTHON_STEP, TOOLS, step]


def playbook(name: str, path: str, needs: tuple[str, ...], *inventories: str, always: bool = False) -> Step:
    words = [word for inventory in inventories or (DEMO,) for word in ("-i", inventory)]
    return Step(name, ["ansible-playbook", *words, path], needs, counts=False, always=always)


def bench(inventory: str, program: str, suites: tuple[Step, ...], tools: tuple[str, ...]) -> list[Step]:
    """A benchmark. Its hosts are removed even after a failure or an interrupt."""
    images = tuple(step.name for step in suites)
    hosts = playbook("Hosts", "molecule/shared/create.yml", (TOOLS.name, *images), inventory)
    measurement = Step("Measurement", ["python", program], (hosts.name,), counts=False)
    removal = playbook("Removal", "molecule/shared/destroy.yml", (measurement.name,), inventory, always=True)
    return [*programs("ssh", "docker", "mmdebstrap", *tools), ENGINE, *suites, hosts, measurement, removal]


def bench_site() -> list[Step]:
    """The benchmark of the playbooks, on the demo's hosts at other addresses."""
    hosts = playbook("Hosts", "molecule/shared/create.yml", (TOOLS.name, IMAGE.name), DEMO, BENCH_SITE)
    program = ["python", "tests/bench/site/site_bench.py"]
    measurement = Step("Measurement", program, (hosts.name, ARCHIVES.name), counts=False)
    removal = playbook("Removal", "molecule/shared/destroy.yml", (measurement.name,), DEMO, BENCH_SITE, always=True)
    needed = programs("ssh", "curl", "docker", "mmdebstrap", "java", "maven")
    return [*needed, ENGINE, IMAGE, ARCHIVES, hosts, measurement, removal]


def contract(check: bool) -> list[Step]:
    """The contract tests. Their hosts are removed even after a failure or an interrupt."""
    report = ROOT / ".cache" / "contract" / "contract.xml"
    command = ["env", f"PYTHONPATH={ROOT / 'collections'}", "python", "tests/contract/contract.py"]
    hosts = playbook("Contract hosts", "molecule/shared/create.yml", (TOOLS.name, IMAGE.name, TRIXIE.name), CONTRACT)
    needs = (hosts.name, ARCHIVES.name)
    preparation = Step("Contract preparation", [*command, "prepare"], needs, counts=False)
    run = [*command, "run", *(["--check"] if check else [])]
    removal = playbook("Contract removal", "molecule/shared/destroy.yml", ("Contract",), CONTRACT, always=True)
    return [hosts, preparation, Step("Contract", run, (preparation.name,), report=report), removal]


def scenario(name: str, keep: bool) -> list[Step]:
    """A molecule scenario, one step for each action, so that each has its own duration and log."""
    report = LOGS / f"outside-{name}.xml"
    title = "molecule" if name == "default" else f"molecule {name}"
    image = IMAGES[name]
    # The default scenario follows the README in an empty directory, so idempotence cannot simply repeat converge.
    again, more = ("side-effect", (NEWEST.name, TRIXIE.name)) if name == "default" else ("idempotence", ())

    def action(verb: str) -> list[str]:
        return ["tools/molecule.sh", name, verb]

    steps = [
        Step(f"{title} create", action("create"), (TOOLS.name, image.name), counts=False),
        Step(f"{title} converge", action("converge"), (f"{title} create", ARCHIVES.name)),
        Step(f"{title} {again}", action(again), (f"{title} converge", *more)),
        Step(
            f"{title} verify",
            action("verify"),
            (f"{title} {again}",),
            report=report,
            environment={"OUTSIDE_TESTS_REPORT": str(report)},
        ),
    ]
    if not keep:
        # Even after a failure or an interrupt.
        steps.append(Step(f"{title} destroy", action("destroy"), (f"{title} verify",), always=True, counts=False))
    return steps


def test(everything: list[Step], keep: bool) -> list[Step]:
    """Everything. The default scenario is the longest chain of steps; it starts first, and all others yield to it.

    Then long chains come before single steps, which fit beside anything that is left.
    """
    sanity = replace(SANITY, environment=LEFT_OUT_OF_SANITY)
    with_hosts = [*scenario("debian13", keep), *contract(check=True)]
    without = [*LINT, sanity, *UNIT, STAND_IN]
    return [
        *everything,
        *scenario("default", keep),
        TRIXIE,
        NEWEST,
        *(replace(step, niceness=BESIDE) for step in with_hosts),
        *(replace(step, niceness=LAST) for step in without),
    ]


def plan(target: str) -> list[Step]:
    keep = bool(os.environ.get("KEEP"))
    chosen = os.environ.get("SCENARIO") or "default"
    if chosen not in IMAGES:
        print(f"Unknown scenario: {chosen}. Scenarios: {', '.join(IMAGES)}", file=sys.stderr)
        raise SystemExit(2)
    with_docker = [*programs("ssh", "docker", "mmdebstrap"), ENGINE, IMAGE]
    # The scenario ha may have to compile a library: see molecule/ha/open_files.yml.
    everything = [*programs("ssh", "curl", "docker", "mmdebstrap", "java", "maven", "cc"), ENGINE, IMAGE, ARCHIVES]
    hosts = playbook("Hosts", "molecule/shared/create.yml", (TOOLS.name, IMAGE.name))
    plans: dict[str, list[Step]] = {
        "tools": [PYTHON_STEP, TOOLS],
        "lint": [PYTHON_STEP, TOOLS, *LINT],
        "unit": [PYTHON_STEP, TOOLS, *UNIT],
        "sanity": [PYTHON_STEP, TOOLS, SANITY],
        "build": [PYTHON_STEP, TOOLS, Step("Collection", ["tools/build.sh"], (TOOLS.name,), counts=False)],
        "stand-in": [*programs("java", "maven"), ARCHIVES, STAND_IN],
        "hosts": [*with_docker, hosts],
        "demo": [*everything, hosts, playbook("Site", "site.yml", (hosts.name, ARCHIVES.name))],
        # Without Docker there are no hosts. A stopped Docker has to be started before hosts can be removed.
        "demo-down": [
            *programs("docker"),
            ENGINE,
            playbook("Removal", "molecule/shared/destroy.yml", (TOOLS.name, ENGINE.name)),
        ]
        if shutil.which("docker")
        else [],
        "docs": [
            PYTHON_STEP,
            TOOLS,
            Step("Options", ["python", "tools/options.py"], (TOOLS.name,), counts=False),
            Step("Job templates of AWX", ["python", "tools/surveys.py"], (TOOLS.name,), counts=False),
            Step("Picture of the architecture", ["python", "tools/architecture.py"], (TOOLS.name,), counts=False),
        ],
        "bench-config": bench(BENCH, "tests/bench/bench.py", (IMAGE,), ("rsync",)),
        "bench-site": bench_site(),
        "bench-balancer": bench(BENCH_BALANCER, "tests/bench/balancer/balancer_bench.py", (IMAGE, TRIXIE), ()),
        "clean": [Step("Everything", ["tools/clean.sh", str(LOGS)], counts=False)],
        "molecule": [*everything, TRIXIE, *([NEWEST] if chosen == "default" else []), *scenario(chosen, keep)],
        "test-ha": [*everything, TRIXIE, *scenario("ha", keep)],
        "contract": [*everything, TRIXIE, *contract(check=False)],
        "test": test(everything, keep),
        "test-all": [
            *(replace(step, environment={**step.environment, **LONG}) for step in test(everything, keep)),
            MUTATIONS,
        ],
    }
    if target not in plans:
        print(f"Unknown target: {target}. Targets: {', '.join(plans)}", file=sys.stderr)
        raise SystemExit(2)
    return plans[target]


def environment() -> dict[str, str]:
    return {
        **os.environ,
        "PATH": f"{ROOT / '.venv' / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "PYTHON": os.environ.get("PYTHON", sys.executable),
        # Set explicitly: Ansible ignores an ansible.cfg in a world-writable directory.
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        # Ansible requires UTF-8, and a new machine often has no locale.
        "LC_ALL": "C.UTF-8",
        "NO_COLOR": "1",
        "PYTHONUNBUFFERED": "1",
        # Some machines forbid it. Then each of the many processes of a run would compile all of Ansible again.
        "PYTHONDONTWRITEBYTECODE": "",
    }


AFTER = {
    "demo": """
The cluster is running: https://ivy.localhost:8443/demo/

  The certificate is issued by the demo's own authority: {lab}/pki/ca.pem
  Administrator: admin, password in {lab}/secrets/admin_password
  Shell on a host: ssh -F {lab}/ssh_config engine1

Three things to try:
  1. Send three requests without a cookie; three nodes answer:
     for i in 1 2 3; do curl --silent --cacert {lab}/pki/ca.pem https://ivy.localhost:8443/demo/api/info; done
  2. Verify that the nodes form one cluster:
     .venv/bin/ansible-playbook playbooks/verify.yml
  3. Change a value in inventories/demo/group_vars/all/shared.yml and roll it out to every node:
     .venv/bin/ansible-playbook playbooks/rollout.yml

`make demo-down` removes the hosts with their network, volume, keys and passwords.
""",
    "bench-config": """
The results are in docs/benchmark.md. The hosts have been removed.
""",
    "bench-site": """
The results are in docs/benchmark.md. The hosts have been removed.
""",
    "bench-balancer": """
The results are in docs/benchmark.md. The hosts have been removed.
""",
    "contract": """
The results are in docs/contract.md. For a real engine, the report to send in is in .cache/contract/.
""",
    "demo-down": """
The demo's hosts have been removed, with their network, volume, keys and passwords.
The tool environment .venv, the downloads in .cache and the host image remain for the next run.
`make clean` removes them too.
""",
}


def lock_hosts() -> bool:
    """Prevents two checkouts from using molecule's hosts at once. The lock ends with this process."""
    file = os.open(Path(tempfile.gettempdir()) / "ivy-molecule.lock", os.O_CREAT | os.O_RDONLY, 0o644)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def main(target: str) -> int:
    os.chdir(ROOT)
    if target in ("molecule", "test", "test-ha", "test-all") and not lock_hosts():
        print(
            "Another `make test` or `make molecule` is running on hosts with the same names. Wait until it has ended."
        )
        return 1
    runner = Runner(plan(target), LOGS, environment(), WIDTH)
    passed = runner.run()
    print(f"\n{target} took {runner.took()}")
    if any(step.counts for step in runner.steps):
        print(runner.tally.line())
    elif passed and target in AFTER:
        print(AFTER[target].format(lab=".cache/lab/ivy-demo"))
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
