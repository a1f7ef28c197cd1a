# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""No test result depends on the speed of the machine. The rules for every program in the test directories:

- Nothing reads a clock or sleeps: tests wait with a helper that polls, or use the fixture `clock`, whose time passes
  only during a sleep. The date may be read, but not compared.
- A time limit is at least a minute, so that it only ends a hang: a number for a parameter named `seconds`, `timeout`
  or `wait`, of the collection's functions, of the tests' own, or of the standard library.
- No assertion compares durations or processor times by order.
- Hypothesis has neither a deadline nor a health check for slow data.

Measurements belong to tests/bench, which prints figures without assertions.
"""

from __future__ import annotations

import ast
import re
import typing as t
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

ROOT = Path(__file__).resolve().parents[3]
PLACES = ("tests/unit", "tests/contract", "tests/engine_stand_in", "tests/timing.py", "molecule")
# The position of the limit in each function of the collection is read from here.
LIBRARY = ("plugins",)

# By file and function, with the reason why the speed of the machine does not matter.
EXCEPTIONS = {
    "tests/unit/plugins/module_utils/node/backup/test_backup.py::test_a_share_that_does_not_answer": (
        "waits until the short time is over, and nothing has to happen before"
    ),
    "tests/unit/plugins/module_utils/node/backup/test_backup.py::test_a_program_that_hangs_is_ended": (
        "waits until the short time is over, and nothing has to happen before"
    ),
    "tests/unit/plugins/module_utils/support/test_support.py"
    "::test_a_program_that_prints_for_ever_or_hangs_costs_a_limited_time": (
        "waits until the time is over, and a shell prints a word before"
    ),
    "tests/unit/plugins/module_utils/probes/test_primary_watch.py::test_members_are_asked_until_another_one_leads": (
        "waits until the short time is over, and nothing has to happen before"
    ),
    "tests/unit/repository/test_deploy_runs.py::Engines.run": "polls, in place of the engines",
    "molecule/default/tests/test_database_archive.py::Archive.now": "the second passes in which something was written",
    "tests/timing.py::wait_until": "the helper that polls",
    "tests/timing.py::_processor_time": "compares two texts whose lengths are many times apart, and tries again",
    "tests/contract/engine.py::wait_for": "the helper that polls, for the hosts of the contract",
    "tests/contract/engine.py::seconds_of": "a figure for the report of the contract",
    "molecule/default/tests/conftest.py::wait_until": "the helper that polls, for the outside tests",
    "molecule/default/tests/changes_by_hand.py": "polls on a host, and lets its clock advance between two changes",
    "molecule/default/tests/balancer_trial.py::await_server": "the helper that polls, in a program for a host",
    "molecule/default/tests/test_operating_details.py::test_expiry_dates_of_licence_and_certificates_are_metrics": (
        "compares an expiry date months away with today"
    ),
    "tests/unit/plugins/module_utils/preflight/test_port_listener.py::test_a_port_listener_ends_after_its_time": (
        "waits until the short time is over, and nothing has to happen before"
    ),
    "molecule/default/tests/balancer_health.py::verdicts": "the helper that polls, in a program for a host",
    "tests/unit/plugins/plugin_utils/operations/test_run_summary.py::test_it_shows_how_long_each_step_took": (
        "moments in a table, nothing is waited for"
    ),
    "molecule/default/tests/user_load.py::now": "paces requests, of which each is checked whenever it is answered",
    "molecule/ha/tests/fault_load.py::now": "paces requests, and the figures are printed only",
    "tests/unit/roles/test_haproxy_drain.py::test_a_cookie_is_followed_again_if_a_node_is_set_to_ready_by_hand": (
        "waits until the short time is over, and nothing has to happen before"
    ),
    "molecule/default/tests/test_safety.py": "lets an editor on a host pause between two edits",
    "molecule/default/tests/test_safety.py::test_6_beside_a_writer_without_pause_no_edit_is_lost": (
        "edits for a minute, and nothing has to happen before"
    ),
    "molecule/debian13/tests/test_vanished_host.py::test_requests_that_are_still_connecting_reach_another_node": (
        "spreads requests over the time in which the balancer finds out"
    ),
    "molecule/debian13/tests/test_power_loss.py::test_3_the_order_in_which_the_hosts_start_does_not_matter": (
        "keeps the share away for some time, and nothing has to happen before"
    ),
    (
        "tests/unit/repository/test_lost_hosts.py"
        "::test_a_host_is_not_set_up_without_the_lease_when_every_engine_node_has_failed"
    ): "polls in a play until the other hosts have failed",
    "tests/unit/plugins/module_utils/node/config/test_last_moment.py": "lets an editor pause between two edits",
    (
        "tests/unit/plugins/module_utils/node/config/test_last_moment.py"
        "::test_beside_a_writer_without_pause_no_edit_is_lost"
    ): ("edits for some seconds, and nothing has to happen before"),
    (
        "tests/unit/plugins/plugin_utils/release/test_bounded_templates.py"
        "::test_a_template_without_end_is_a_finding_and_the_next_is_rendered"
    ): ("waits until the short time is over, and nothing has to happen before"),
    "tests/unit/plugins/plugin_utils/release/test_commit.py::test_a_git_that_hangs_ends_at_the_limit": (
        "waits until the short time is over, and nothing has to happen before"
    ),
    "tests/unit/untrusted/test_untrusted.py::fuzzed.test": "limits processor time to many times what a reader needs",
    "tests/unit/roles/test_keepalived.py::test_a_stopped_process_does_not_pass": (
        "waits until the short time is over, and nothing has to happen before"
    ),
    "tests/unit/roles/test_keepalived.py::test_a_hanging_haproxy_is_noticed_within_three_seconds": (
        "computes with the intervals of the configuration, nothing is waited for"
    ),
    "molecule/default/tests/test_update_packages.py::test_8_one_run_updates_the_packages_of_all_hosts": (
        "the moment from which the log is read"
    ),
    (
        "tests/unit/plugins/module_utils/preflight/test_port_listener.py"
        "::test_a_silent_client_does_not_block_others_for_long"
    ): ("waits until the short time is over, and nothing has to happen before"),
}

PATIENT = 60
LIMITS = ("seconds", "timeout", "wait")
# Positions of the limit in calls of the standard library.
KNOWN = {"wait": 0, "join": 0, "settimeout": 0, "communicate": 1, "create_connection": 1, "setdefaulttimeout": 0}
CLOCKS = {
    "time": ("monotonic", "perf_counter", "process_time", "thread_time", "clock_gettime", "sleep"),
    "os": ("times", "wait3", "wait4"),
    "resource": ("getrusage",),
    "asyncio": ("sleep",),
    "timeit": ("timeit", "repeat", "default_timer"),
}
DATES = ("time", "time_ns", "now", "utcnow")
DURATIONS = {"age", "cpu", "duration", "elapsed", "seconds", "took", "waited"}
# A delay of the stand-in engine may be over before a slow test checks; with the name of a file it lasts.
DELAYS = re.compile(r"standin\.(?:\w+Delay|latency)=\d")
SLEEPS = re.compile(r"\b(?:sleep|timeout) (\d+(?:\.\d+)?)")

Limits = dict[str, set[int]]


class Finding(t.NamedTuple):
    place: str
    line: int
    problem: str


def programs(*places: str) -> Iterator[tuple[str, ast.Module]]:
    """Each program once, by its own name, except this one, which contains wrong examples."""
    for place in places:
        path = ROOT / place
        for file in [path] if path.is_file() else sorted(path.rglob("*.py")):
            if not file.is_symlink() and file != Path(__file__).resolve():
                yield str(file.relative_to(ROOT)), ast.parse(file.read_text(encoding="utf-8"))


def limits_of(trees: t.Iterable[ast.Module]) -> Limits:
    """The position of the time limit among the arguments, by the name of the function."""
    found: Limits = {name: {position} for name, position in KNOWN.items()}
    for tree in trees:
        owner = {inner: outer for outer in ast.walk(tree) for inner in ast.iter_child_nodes(outer)}
        for function in (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)):
            names = [argument.arg for argument in (*function.args.posonlyargs, *function.args.args)]
            holder = owner[function]
            bound = isinstance(holder, ast.ClassDef) and names[:1] == ["self"]
            name = holder.name if isinstance(holder, ast.ClassDef) and function.name == "__init__" else function.name
            for position, argument in enumerate(names[1:] if bound else names):
                if argument in LIMITS and name != "sleep":
                    found.setdefault(name, set()).add(position)
    return found


def short(node: ast.expr | None) -> bool:
    """Whether it is a number of seconds that a slow machine may exceed. Zero means no waiting."""
    value = node.value if isinstance(node, ast.Constant) else None
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value < PATIENT


def text_of(node: ast.AST) -> str:
    """The text of a string, with a placeholder for each interpolated value."""
    if isinstance(node, ast.JoinedStr):
        return "".join(text_of(part) if isinstance(part, ast.Constant) else "x" for part in node.values)
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def name_of(node: ast.AST) -> str:
    """The last part of a dotted name, or the key of an item."""
    if isinstance(node, ast.Subscript):
        return text_of(node.slice)
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def is_limit(name: str) -> bool:
    return name.lower().endswith(LIMITS)


class Scan(ast.NodeVisitor):
    """Collects violations, with the function that contains them."""

    def __init__(self, file: str, limits: Limits) -> None:
        self.file, self.limits = file, limits
        self.within: list[str] = []
        self.found: list[Finding] = []

    def report(self, node: ast.AST, problem: str) -> None:
        place = f"{self.file}::{'.'.join(self.within)}" if self.within else self.file
        self.found.append(Finding(place, getattr(node, "lineno", 0), problem))

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        arguments = [*node.args.posonlyargs, *node.args.args]
        pairs = [
            *zip(reversed(arguments), reversed(node.args.defaults)),
            *zip(node.args.kwonlyargs, node.args.kw_defaults),
        ]
        self.within.append(node.name)
        for argument, default in pairs:
            if is_limit(argument.arg) and short(default):
                self.report(node, f"{argument.arg} is short by default")
        self.generic_visit(node)
        self.within.pop()

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self.within.append(node.name)
        self.generic_visit(node)
        self.within.pop()

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        for alias in node.names:
            if alias.name in CLOCKS.get(node.module or "", ()):
                self.report(node, f"imports {alias.name}")

    def visit_Call(self, node: ast.Call) -> None:
        name = name_of(node.func)
        module = name_of(node.func.value) if isinstance(node.func, ast.Attribute) else ""
        if name.removesuffix("_ns") in CLOCKS.get(module, ()):
            self.report(node, f"calls {module}.{name}")
        limited = [node.args[at] for at in self.limits.get(name, ()) if at < len(node.args)]
        limited += [keyword.value for keyword in node.keywords if is_limit(keyword.arg or "")]
        # A constant of the collection that a test replaces.
        limited += [value for text, value in zip(node.args, node.args[1:]) if is_limit(text_of(text))]
        if any(short(value) for value in limited):
            self.report(node, f"gives {name} less than {PATIENT} seconds")
        if name in ("settings", "register_profile"):
            for keyword in node.keywords:
                value = keyword.value
                if keyword.arg == "deadline" and not (isinstance(value, ast.Constant) and value.value is None):
                    self.report(node, "sets a deadline for Hypothesis")
                if keyword.arg == "suppress_health_check" and "too_slow" not in ast.unparse(value):
                    self.report(node, "leaves the health check too_slow of Hypothesis enabled")
        self.generic_visit(node)

    def visit_Assign(self, node: ast.Assign) -> None:
        if short(node.value) and any(is_limit(name_of(target)) for target in node.targets):
            self.report(node, f"sets a limit of less than {PATIENT} seconds")
        self.generic_visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if short(node.value) and is_limit(name_of(node.target)):
            self.report(node, f"sets a limit of less than {PATIENT} seconds")
        self.generic_visit(node)

    def visit_Dict(self, node: ast.Dict) -> None:
        for key, value in zip(node.keys, node.values):
            if key is not None and is_limit(text_of(key)) and short(value):
                self.report(value, f"sets a limit of less than {PATIENT} seconds")
        self.generic_visit(node)

    def visit_List(self, node: ast.List) -> None:
        self._check_command(" ".join(text_of(element) for element in node.elts), node)
        self.generic_visit(node)

    def visit_BinOp(self, node: ast.BinOp) -> None:
        if isinstance(node.op, ast.Sub) and self._reads_date(node.left) and not isinstance(node.right, ast.Constant):
            self.report(node, "measures with the date")
        self.generic_visit(node)

    def visit_Compare(self, node: ast.Compare) -> None:
        if any(self._reads_date(inner) for inner in ast.walk(node)):
            self.report(node, "compares the date")
        self.generic_visit(node)

    def visit_Assert(self, node: ast.Assert) -> None:
        for inner in ast.walk(node.test):
            if isinstance(inner, ast.Compare) and any(
                isinstance(op, (ast.Lt, ast.LtE, ast.Gt, ast.GtE)) for op in inner.ops
            ):
                words = {name_of(part) for part in ast.walk(inner)} & DURATIONS
                if words:
                    self.report(node, f"asserts an order of {', '.join(sorted(words))}")
        self.generic_visit(node)

    def visit_Expr(self, node: ast.Expr) -> None:
        if not isinstance(node.value, ast.Constant):
            self.generic_visit(node)

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        self._check_text(text_of(node), node)
        for part in node.values:
            if isinstance(part, ast.FormattedValue):
                self.visit(part)

    def visit_Constant(self, node: ast.Constant) -> None:
        self._check_text(text_of(node), node)

    def _check_text(self, text: str, node: ast.AST) -> None:
        """Checks a program for another process, or a shell command."""
        self._check_command(text, node)
        if "import " in text:
            try:
                program = ast.parse(text)
            except SyntaxError:
                return
            inner = Scan(self.file, self.limits)
            inner.within = self.within
            inner.visit(program)
            self.found.extend(finding._replace(line=getattr(node, "lineno", 0)) for finding in inner.found)

    def _check_command(self, text: str, node: ast.AST) -> None:
        if any(float(seconds) < PATIENT for seconds in SLEEPS.findall(text)):
            self.report(node, f"a command with less than {PATIENT} seconds")
        if DELAYS.search(text):
            self.report(node, "a delay of the stand-in that is not a file")

    @staticmethod
    def _reads_date(node: ast.AST) -> bool:
        return isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in DATES


def findings(file: str, tree: ast.Module, limits: Limits) -> list[Finding]:
    scan = Scan(file, limits)
    scan.visit(tree)
    return scan.found


@pytest.fixture(scope="module")
def limits() -> Limits:
    return limits_of(tree for _file, tree in programs(*PLACES, *LIBRARY))


@pytest.fixture(scope="module")
def found(limits: Limits) -> list[Finding]:
    return [finding for file, tree in programs(*PLACES) for finding in findings(file, tree, limits)]


def test_no_result_depends_on_the_speed_of_the_machine(found: list[Finding]) -> None:
    problems = [
        f"{finding.place}, line {finding.line}: {finding.problem}"
        for finding in found
        if finding.place not in EXCEPTIONS
    ]
    assert not problems, "\n".join(problems)


def test_every_exception_is_needed(found: list[Finding]) -> None:
    assert set(EXCEPTIONS) - {finding.place for finding in found} == set()
    assert all(EXCEPTIONS.values())


def test_the_profile_of_hypothesis_is_that_of_the_unit_tests() -> None:
    profile = hypothesis.settings()
    assert profile.deadline is None
    assert hypothesis.HealthCheck.too_slow in profile.suppress_health_check


@pytest.mark.parametrize(
    "text",
    [
        "begin = time.monotonic()",
        "assert time.perf_counter_ns() - begin < 10",
        "from time import monotonic",
        "used = os.times().children_user",
        "used = resource.getrusage(resource.RUSAGE_CHILDREN)",
        "time.sleep(0.5)\nassert file.exists()",
        "assert time.time() - begin < 5",
        "while time.time() < end:\n    pass",
        "took_by_hand = time.time() - begin",
        "assert waited < 5",
        "assert 0 < watch.status['cpu'] <= used",
        "assert report.duration < 1",
        "process.wait(timeout=1)",
        "process.wait(5)",
        "process.communicate('x', 10)",
        "subprocess.run(command, timeout=30)",
        "thread.join(3)",
        "socket.create_connection(('127.0.0.1', 1), 5)",
        "lab.until(holds, 20, 'what is awaited')",
        "wait_for(holds, 'what', 10)",
        "port_listener.stop(pid, start, 5)",
        "network.connect('127.0.0.1', port, TOKEN, 2)",
        "sut.RuntimeSocket(path, 10)",
        "store.lock(seconds=0.2)",
        "monkeypatch.setattr(unit, '_TIMEOUT', 0.2)",
        "START_SECONDS = 30.0",
        "def until(holds, seconds: float = 5): ...",
        "options = {'timeout': 5}",
        "@settings(deadline=200)\ndef test(): ...",
        "@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])\ndef test(): ...",
        "PROGRAM = '''\nimport time\nend = time.monotonic() + 150\n'''",
        "PROGRAM = f'''\nimport time\ntime.sleep({pause})\n'''",
        "READ = 'import urllib.request; urllib.request.urlopen(x, timeout=10)'",
        "subprocess.Popen(['sh', '-c', f'sleep 0.4; touch {file}'])",
        "subprocess.Popen(['sleep', '30'])",
        "engine.start('-Dstandin.stopDelay=700')",
    ],
)
def test_violations_are_found(text: str, limits: Limits) -> None:
    assert findings("x.py", ast.parse(text), limits) != []


@pytest.mark.parametrize(
    "text",
    [
        "wait_until(holds, 'what is awaited')",
        "os.utime(path, (time.time() - 600, 0))",
        "lab.until(holds, 120, 'what is awaited')",
        "subprocess.run(command, timeout=300)",
        "process.wait(timeout=PATIENCE)",
        "store.lock(seconds=0)",
        "assert clock.naps == []",
        "assert (waited, sum(clock.naps)) == (600, 600)",
        "assert duration(3.21) == '3.2 s'",
        "monkeypatch.setattr(time, 'sleep', clock.sleep)",
        "','.join(words)",
        "@settings(max_examples=60, deadline=None)\ndef test(): ...",
        "subprocess.Popen(['sleep', '1000'])",
        "engine.start(f'-Dstandin.stopDelay={hold}')",
        "def test():\n    '''What would sleep 5 seconds.'''",
    ],
)
def test_ordinary_code_passes(text: str, limits: Limits) -> None:
    assert findings("x.py", ast.parse(text), limits) == []
