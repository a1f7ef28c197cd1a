# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controllers, nodes, a load balancer and a file share, driven step by step.

Record, lease and fence are the real ones, and so are the decisions of the role rollout about the plan of a node, nodes
that a run leaves out, and what the balancers must answer (``role``). A run is a generator that follows
playbooks/site.yml and playbooks/rollback.yml; each of its steps is one task. Between two steps anything may happen:
another controller makes a step, a host is lost, a clock jumps, a run ends for ever. What must always hold is checked
after every step against what happened, not against the record.
"""

from __future__ import annotations

import random
import typing as t

from ansible_collections.ivy.cluster.plugins.module_utils.node.cluster import fence, record
from ansible_collections.ivy.cluster.plugins.module_utils.node.files.errors import NodeError
from ansible_collections.ivy.cluster.tests.unit.simulation import role

NODES = ("n1", "n2", "n3", "n4", "n5")
RELEASES = tuple(f"{number:032x}" for number in range(1, 5))
STALE_AFTER = 900
HOURS = 24
START = 1_800_000_000.0

# What the role rollout compares before it takes the lease: __rollout_record_parts.
PARTS = ("desired_release", "operation", "pin", "schema", "applications", "drained")

# A run that rolls nothing out: it has the lease, and brings nodes back that another run has left out of the balancers.
BACKUP = "backup"

Steps = t.Generator[None, None, None]


class Violation(AssertionError):
    """Something happened that must never happen."""


class Lost(Exception):
    """The run ends here: a host cannot be reached, or a check failed."""


class Node:
    """One engine node: what is on its disk, what runs, and who can reach it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.applied: str | None = None
        self.running: str | None = None
        # It runs, and would not pass the gate. The balancer does not notice.
        self.bad = False
        self.enabled = False
        self.powered = True
        self.ssh = True
        self.share = True
        self.images: list[str | None] = [None]
        # On the load balancer.
        self.listed = True
        self.maintenance = False

    @property
    def up(self) -> bool:
        """Whether the balancer sends users to it."""
        return self.listed and not self.maintenance and self.powered and self.running is not None


class Run:
    """One run of a playbook."""

    def __init__(self, world: World, controller: int, operation: str, release: str, left_out: frozenset[str]) -> None:
        world.runs += 1
        self.world = world
        self.controller = controller
        self.run_id = f"controller{controller}-{world.runs}"
        self.operation = operation
        self.release = release
        self.nodes = [node for node in world.nodes.values() if node.name not in left_out]
        self.absent = [node for node in world.nodes.values() if node.name in left_out]
        self.hot = False
        # The plan: nodes that served, that have only to pass the gate, and that had the release.
        self.serving: set[str] = set()
        self.ungated: set[str] = set()
        self.found: set[str] = set()
        self.reason = ""
        self.alive = True
        self.superseded = False
        # The parts of the record when the run began, and the release that was really wanted then.
        self.gathered: dict[str, t.Any] = {}
        self.wanted: str | None = None
        self.has_taken = False
        self.last: record.Change | None = None
        self.steps = self._backup() if operation == BACKUP else self._rollout()

    # --- one task each

    def _change(self, state: str, **fields: t.Any) -> None:
        """A change of the record through any node of the run."""
        if not any(self._reaches(node) and node.share for node in self.nodes):
            raise Lost
        self.last = record.Change(state, self.run_id, operation=self.operation, stale_after=STALE_AFTER, **fields)
        self.world.write(self, self.last)

    @staticmethod
    def _reaches(node: Node) -> bool:
        return node.powered and node.ssh

    def _reach(self, node: Node) -> None:
        if not self._reaches(node):
            raise Lost

    def _renew(self, node: Node, state: str = "renewed") -> None:
        self._reach(node)
        if not node.share:
            raise Lost
        self._change(state, node=node.name)

    def _take(self) -> None:
        world = self.world
        before = world.lease()
        ended = ""
        if before and before["run_id"] in world.ended and world.ended[before["run_id"]] == self.controller:
            ended = before["run_id"]
        self._change("taken", take_over=self.reason, ended_run=ended)
        if before and before["run_id"] != self.run_id:
            age = abs(world.now - world.renewed[before["run_id"]])
            if not (self.reason or ended or age > STALE_AFTER):
                raise Violation(f"{self.run_id} took the fresh lease of {before['run_id']}")

    def _parts(self) -> dict[str, t.Any]:
        return {name: self.world.record[name] for name in PARTS}

    def _gather(self) -> None:
        if not any(self._reaches(node) and node.share for node in self.nodes):
            raise Lost
        self.gathered, self.wanted = self._parts(), self.world.desired

    def _take_first(self) -> None:
        """Not if the cluster has changed since the run began."""
        found = self._parts()
        self._take()
        self.has_taken = True
        if found != self.gathered and "not compared" not in self.world.mutations:
            raise Lost

    def _set_up(self) -> Steps:
        """A role may take long, so the lease is checked before each. On a new cluster there is none yet."""
        for node in self.nodes:
            self._reach(node)
            if self.has_taken:
                self._renew(node)
            yield

    def _take_or_renew(self) -> None:
        if not self.has_taken:
            self._take_first()
        elif "taken twice" in self.world.mutations:
            self._take()
        else:
            for node in self.nodes:
                self._renew(node)

    def _activate(self, node: Node, release: str | None = None) -> None:
        """The check of the lease and the activation are one call on the node."""
        self._reach(node)
        if not node.share:
            raise Lost
        record.check(self.world.record, self.run_id)
        self.world.changed(self)
        node.images.append(node.applied)
        node.applied = release or self.release

    def _balancer(self, node: Node, maintenance: bool) -> None:
        """The check of the lease comes right before; what may happen between these two tasks is in ADR 18."""
        record.check(self.world.record, self.run_id)
        node.maintenance = maintenance

    def _use(self, node: Node) -> None:
        """Let the balancer use the node again."""
        if not role.may_serve(node.name, node.running, self.world.record, self.world.now):
            raise Lost
        self._balancer(node, maintenance=False)

    def _await_balancer(self, node: Node) -> None:
        if not role.is_settled(node.listed, node.powered and node.running is not None, node.maintenance):
            raise Lost
        # Another run may have taken it out since.
        if not node.up and (self.world.lease() or {}).get("run_id") == self.run_id:
            raise Violation(f"{node.name} passed, but the balancer does not use it")

    # --- the playbook

    def _backup(self) -> Steps:
        """It goes on without a node that has to stay out."""
        self._gather()
        yield
        if self.world.new:
            raise Lost
        self._take_first()
        yield
        for node in self.nodes:
            if node.name in self.world.record["drained"] and self._reaches(node):
                yield from self._bring_back(node)
        self._change("released")

    def _bring_back(self, node: Node) -> Steps:
        """Its gate compares what runs with what the node was given last."""
        yield
        if node.running is None or node.running != node.applied or node.bad:
            return
        self._renew(node)
        try:
            self._use(node)
        except Lost:
            return
        yield
        self._renew(node, "undrained")

    def _rollout(self) -> Steps:
        world = self.world
        self._gather()
        yield
        if not world.new:
            self._take_first()
        yield
        if self.operation != record.ROLLBACK:
            yield from self._set_up()
            world.new = False
        for node in self.nodes:
            self._reach(node)
            if not node.listed:
                raise Lost
        yield
        self._take_or_renew()
        yield
        for node in self.nodes:
            self._reach(node)
        current = world.record
        pin = current["pin"]
        if pin and pin["release"] != self.release and self.operation != record.ROLLBACK:
            raise Lost
        drained = set(current["drained"])
        changes = current["desired_release"] != self.release or bool(current["operation"])
        if changes or drained or any(self.release not in (n.applied, n.running) or not n.running for n in self.nodes):
            yield from self._open(current)
            # Nodes that do not serve come first: others may not be stopped while too few serve.
            plans = {node.name: self._plan(node, current) for node in self.nodes}
            self.serving = {name for name, plan in plans.items() if not plan.first}
            self.ungated = {name for name, plan in plans.items() if plan.gate}
            self.found = {node.name for node in self.nodes if node.running == self.release}
            for node in sorted(self.nodes, key=lambda one: one.name in self.serving - self.ungated):
                yield from self._bring(node)
            yield from self._close()
        self._change("released")
        world.completed(self)

    def _plan(self, node: Node, current: record.Record) -> role.Plan:
        changed = not node.running == node.applied == self.release
        found = role.Found(
            active=node.running is not None,
            changed=changed,
            restart_required=changed and not self.hot and node.running is not None,
            up=node.up,
            listed=node.listed,
            is_open=bool(current["operation"]),
            desired=current["desired_release"],
            passed=current["passed"].get(node.name),
        )
        return role.plan(found, self.release, self.operation)

    def _open(self, current: record.Record) -> Steps:
        absent, is_open = tuple(node.name for node in self.absent), bool(current["operation"])
        if role.takes_out(absent, self.operation, current["desired_release"], is_open, self.release):
            in_maintenance = frozenset(node.name for node in self.absent if node.maintenance)
            if drained := role.recorded(absent, in_maintenance):
                self._change("drained", drained=drained)
            yield
            for name in role.taken_out(absent):
                # A node that the balancer does not list is out, and stays so when it is listed again.
                self._balancer(self.world.nodes[name], maintenance=True)
                yield
        self._change("opened", release=self.release, pin=self.operation == record.ROLLBACK, old_release_hours=HOURS)
        yield

    def _bring(self, node: Node) -> Steps:
        if node.running == self.release == node.applied:
            if node.name in self.ungated:
                yield from self._gate(node)
        elif node.running is not None and self.hot:
            yield
            self._activate(node)
            node.running = node.applied
            if node.name in self.ungated:
                yield from self._gate(node)
            yield
            self._renew(node, "passed")
            # Without a restart, it counts as passed.
            self.world.gated[node.name] = self.release
        else:
            yield from self._restart(node)
        if node.name in self.world.record["drained"]:
            yield
            self._reach(node)
            if node.running != self.release:
                raise Lost
            self._use(node)
            yield
            self._renew(node, "undrained")

    def _restart(self, node: Node) -> Steps:
        yield
        self._renew(node)
        others = [one for one in self.world.nodes.values() if one is not node]
        if node.up and others and not any(one.up for one in others):
            raise Lost
        serves, before = node.up and node.name in self.serving, node.applied
        if node.running is not None and any(one.up for one in others) and "not drained" not in self.world.mutations:
            yield
            self._change("drained", drained=[node.name])
            yield
            self._balancer(node, maintenance=True)
        yield
        self._renew(node)
        yield
        self._reach(node)
        self._stop(node, serves)
        try:
            yield
            self._activate(node)
            yield
            self._renew(node)
            yield
            self._reach(node)
            # As with the balancer.
            record.check(self.world.record, self.run_id)
            node.enabled = True
            self.world.start(node)
            yield from self._gate(node)
        except Lost:
            if self.world.gated.get(node.name) != self.release:
                yield from self._restore(node, before)
            raise
        if node.name in self.world.record["drained"]:
            yield
            self._use(node)
            yield
            self._renew(node, "undrained")
        yield
        self._await_balancer(node)

    def _restore(self, node: Node, before: str | None) -> Steps:
        """The release that the node had, if it may start with it; and its users, if it does. It served with it."""
        replaced = [self.world.record["previous_release"], *self.world.record["allowed_releases"]]
        if self.operation == record.ROLLBACK or before == self.release or before not in replaced:
            return
        yield
        self._renew(node)
        node.running = None
        yield
        self._activate(node, before)
        yield
        self._reach(node)
        self.world.start(node)
        if node.running != before or node.name not in self.world.record["drained"]:
            return
        self._use(node)
        yield
        self._renew(node, "undrained")

    def _stop(self, node: Node, serves: bool) -> None:
        others = any(one.up for one in self.world.nodes.values() if one is not node)
        if node.up and others and (self.world.lease() or {}).get("run_id") == self.run_id:
            raise Violation(f"{node.name} is stopped while users are on it")
        bad = {
            one.name
            for one in self.nodes
            if one.bad
            and one.name in self.found
            and one.running == self.release
            and self.world.gated.get(one.name) != self.release
        }
        if serves and bad - {node.name}:
            raise Violation(f"{node.name} is stopped, though {bad} did not pass the gate")
        node.running = None
        node.enabled = False

    def _gate(self, node: Node) -> Steps:
        """It runs what is applied, and works."""
        yield
        self._reach(node)
        if node.running != self.release or node.bad:
            raise Lost
        self.world.gated[node.name] = self.release
        yield
        self._renew(node, "passed")

    def _close(self) -> Steps:
        yield
        found = {}
        for node in self.nodes:
            self._reach(node)
            found[node.name] = node.applied if node.running in (None, node.applied) else node.running
        yield
        self._change("closed", release=self.release, nodes=found)
        yield


class World:
    """Everything, and what must hold."""

    def __init__(self, nodes: int, controllers: int, mutations: t.Iterable[str] = ()) -> None:
        self.nodes = {name: Node(name) for name in NODES[:nodes]}
        self.controllers: list[Run | None] = [None] * controllers
        self.mutations = set(mutations)
        self.record = record.empty("demo")
        # Until a run has set up the nodes, none of them has the file share.
        self.new = True
        self.now = START
        self.runs = 0
        self.renewed: dict[str, float] = {}
        self.ended: dict[str, int] = {}
        self.last_changer: Run | None = None
        # What happened to the open rollout, by the successful changes alone.
        self.desired: str | None = None
        self.open = False
        self.replaced: set[str] = set()
        self.passed: dict[str, str] = {}
        self.until = START
        # With which release each node went through the gate of the open rollout.
        self.gated: dict[str, str] = {}

    def lease(self) -> dict[str, t.Any] | None:
        return t.cast("dict[str, t.Any] | None", self.record["lease"])

    # --- what runs do

    def write(self, run: Run, change: record.Change) -> None:
        try:
            after = record.apply(self.record, change._replace(now=self.now))
        except NodeError as exc:
            raise Lost from exc
        before, self.record = self.record, after
        if change.state == "taken":
            self.renewed[run.run_id] = self.now
            return
        holder = before["lease"]
        if change.state == "released":
            return
        if holder is None or holder["run_id"] != run.run_id:
            raise Violation(f"{run.run_id} changed the record without the lease")
        self.renewed[run.run_id] = self.now
        if change.state != "renewed":
            self.changed(run)
        if change.state == "opened" and run.wanted != self.desired and run.release != self.desired:
            raise Violation(f"{run.run_id} opens {run.release} over {self.desired}, but knows only {run.wanted}")
        self._follow(change)

    def _follow(self, change: record.Change) -> None:
        if change.state == "opened":
            if self.desired and self.desired != change.release:
                self.replaced.add(self.desired)
                self.until = self.now + HOURS * 3600
            self.open = self.open or self.desired != change.release
            self.desired = change.release
        elif change.state == "passed" and self.open and self.desired:
            if self.passed.get(change.node) != self.desired:
                self.until = self.now + HOURS * 3600
            self.passed[change.node] = self.desired
        elif change.state == "closed":
            self.open, self.replaced, self.passed, self.gated = False, set(), {}, {}

    def changed(self, run: Run) -> None:
        """At most one run changes the cluster: once another one does, the earlier one never does again."""
        if run.superseded:
            raise Violation(f"{run.run_id} changes the cluster after another run has")
        if self.last_changer is not None and self.last_changer is not run:
            self.last_changer.superseded = True
        self.last_changer = run

    def may_start(self, node: Node) -> bool:
        """Whether the release on the node's disk may be served, by what happened."""
        if node.applied is not None and node.applied == self.desired:
            return True
        if not self.open or node.applied is None:
            return False
        passed = self.passed.get(node.name)
        if node.applied != passed if passed else node.applied not in self.replaced:
            return False
        return self.desired not in self.passed.values() or self.now <= self.until

    def start(self, node: Node) -> None:
        """systemd starts the unit; the record is not to be had without the share."""
        if not (node.powered and node.share and node.enabled) or node.running is not None:
            return
        refused = fence.refusal(node.applied, self.record, "demo", node.name, self.now)
        if self.may_start(node) != (refused == ""):
            raise Violation(f"{node.name} with {node.applied}, {self.desired} is wanted: {refused or 'it starts'}")
        if refused:
            return
        node.running = node.applied

    def completed(self, run: Run) -> None:
        lease = self.lease()
        if lease is not None and lease["run_id"] == run.run_id:
            raise Violation("the lease is left")
        left = {node.name for node in run.nodes} & set(self.record["drained"])
        if left and self.last_changer in (None, run):
            raise Violation(f"{left} are left drained")

    # --- what happens

    def begin(
        self, controller: int, operation: str, release: str, left_out: frozenset[str], reason: str, hot: bool
    ) -> None:
        if self.controllers[controller] is None and len(left_out) < len(self.nodes):
            run = Run(self, controller, operation, release, left_out)
            run.reason, run.hot = reason, hot
            self.controllers[controller] = run

    def step(self, controller: int) -> None:
        run = self.controllers[controller]
        if run is None:
            return
        try:
            next(run.steps)
        except (StopIteration, Lost, NodeError):
            self.kill(controller)
        self.check()

    def repeat(self, controller: int) -> None:
        """The last change arrives once more."""
        run = self.controllers[controller]
        if run is not None and run.last is not None and run.last.state in ("renewed", "opened", "passed", "drained"):
            try:
                self.write(run, run.last)
            except Lost:
                self.kill(controller)
        self.check()

    def kill(self, controller: int) -> None:
        run = self.controllers[controller]
        if run is not None:
            self.ended[run.run_id] = controller
            self.controllers[controller] = None

    def wait(self, seconds: float) -> None:
        self.now += seconds

    def crash(self, node: Node) -> None:
        node.running = None
        self.start(node)
        self.check()

    def power(self, node: Node, on: bool) -> None:
        node.powered = on
        if not on:
            node.running = None
        self.start(node)
        self.check()

    def restore(self, node: Node, image: int) -> None:
        """The host comes back from an old image."""
        node.running = None
        node.applied = node.images[image % len(node.images)]
        node.enabled = node.enabled or node.applied is not None
        self.start(node)
        self.check()

    def check(self) -> None:
        if not self.open:
            for node in self.nodes.values():
                if node.up and node.running != self.desired:
                    raise Violation(f"{node.name} serves {node.running}, {self.desired} is wanted and closed")
            if self.record["operation"] is not None:
                raise Violation("an operation is left open")
            for name in self.nodes:
                for release in RELEASES:
                    allowed = fence.refusal(release, self.record, "demo", name, self.now) == ""
                    if allowed and release != self.desired:
                        raise Violation(f"{release} may start on {name} after the rollout was closed")
        else:
            for node in self.nodes.values():
                if node.up and node.running != self.desired and node.running not in self.replaced:
                    raise Violation(f"{node.name} serves {node.running}")

    def finish(self) -> None:
        """Once nothing fails any more, one run brings everything to its release."""
        for controller in range(len(self.controllers)):
            self.kill(controller)
        for node in self.nodes.values():
            node.powered = node.ssh = node.share = node.listed = True
            node.bad = False
            self.start(node)
        # The clock may have been set back in between.
        self.wait(max(0.0, *self.renewed.values(), self.now) - self.now + STALE_AFTER + 1)
        release = (self.record["pin"] or {}).get("release") or self.desired or RELEASES[0]
        operation = (self.record["operation"] or {}).get("name") or "site"
        # Another node must serve before one is stopped; the operator accepts the interruption.
        for _attempt in range(2):
            self.begin(0, operation, release, frozenset(), "", False)
            while self.controllers[0] is not None:
                self.step(0)
        for node in self.nodes.values():
            if node.running != release or not node.up:
                raise Violation(f"{node.name} is not back: {vars(node)}")
        if self.record["drained"] or self.record["operation"] or self.lease():
            raise Violation(f"something is left: {self.record}")


def random_schedule(seed: int, mutations: t.Iterable[str] = (), steps: int = 120) -> World:
    """One schedule. The same seed gives the same one."""
    choose = random.Random(seed)
    world = World(choose.randint(2, 5), choose.randint(2, 3), mutations)
    nodes = list(world.nodes.values())
    for _step in range(steps):
        event = choose.random()
        node, controller = choose.choice(nodes), choose.randrange(len(world.controllers))
        if event < 0.76:
            if world.controllers[controller] is None and choose.random() < 0.5:
                begin(world, choose, controller)
            # A run of its own speed: several steps at once, or one now and then.
            for _more in range(choose.choice((1, 1, 4, 12))):
                world.step(controller)
        elif event < 0.79:
            world.repeat(controller)
        elif event < 0.81:
            world.kill(controller)
        elif event < 0.86:
            world.wait(choose.choice((1, 60, STALE_AFTER - 10, STALE_AFTER + 10, 13 * 3600, 25 * 3600, -3600)))
        elif event < 0.90:
            world.crash(node)
        elif event < 0.91:
            world.power(node, False)
        elif event < 0.92:
            node.ssh = False
        elif event < 0.93:
            node.share = False
        elif event < 0.935:
            node.listed = False
        elif event < 0.945:
            node.bad = True
        elif event < 0.985:
            repair(world, node)
        else:
            world.restore(node, choose.randrange(8))
    world.finish()
    return world


def repair(world: World, node: Node) -> None:
    node.ssh = node.share = node.listed = True
    node.bad = False
    world.power(node, True)


def begin(world: World, choose: random.Random, controller: int) -> None:
    operation = choose.choice(("site", "site", "site", "rollback", "rollback", BACKUP))
    left_out = frozenset(name for name in world.nodes if choose.random() < 0.1)
    reason = "it hangs" if choose.random() < 0.1 else ""
    world.begin(controller, operation, choose.choice(RELEASES), left_out, reason, choose.random() < 0.3)
