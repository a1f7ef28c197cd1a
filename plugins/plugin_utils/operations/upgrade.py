# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the engine can be upgraded, what the run has to do, what users notice, and the report at the end."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.ivy.cluster.plugins.plugin_utils.common import profiles
from ansible_collections.ivy.cluster.plugins.plugin_utils.common.commands import REASON, command, completing
from ansible_collections.ivy.cluster.plugins.plugin_utils.common.findings import ERROR, Finding
from ansible_collections.ivy.cluster.plugins.plugin_utils.common.text import count, duration, listed, plain_text
from ansible_collections.ivy.cluster.plugins.plugin_utils.operations import durations, given

OPERATION = "upgrade"
# The cluster has this version; a version of the same line; another line; back to the version of the database before its
# migration; the rest of an upgrade that was interrupted after it.
NOTHING, HOTFIX, LINE, BACK, FINISH = "nothing", "hotfix", "line", "back", "finish"
_ACCEPT = "engine_accept_downtime"

Item = t.Mapping[str, t.Any]
Version = tuple[int, int, int]


@dataclasses.dataclass(frozen=True)
class Upgrade(given.Returned):
    """What the run has to do. ``node`` migrates the database with ``command``; if it is empty, nothing is run."""

    kind: str = NOTHING
    problem: str = ""
    notice: str = ""
    before: str = ""
    target: str = ""
    back_up: bool = False
    # Id of the backup that an interrupted run has made.
    backup: str = ""
    stop: bool = False
    migrate: bool = False
    node: str = ""
    command: tuple[str, ...] = ()
    # Whether every application has to be deployed again.
    deploy: bool = False
    expected: int | None = None


@dataclasses.dataclass(frozen=True)
class State(given.Given):
    """The cluster as the run found it, and what the inventory asks for.

    ``findings`` are those of preflight, ``not_inspected`` the hosts that it could not inspect, ``limited`` the
    hosts that --limit leaves out, ``left_out`` the nodes in ivy_proceed_without, ``nodes`` those of the run that
    answered, and ``migration_command`` the option with that name.
    """

    record: Item
    record_problem: str
    target: str
    ranges: profiles.Ranges
    share_applications: bool
    findings: t.Sequence[Item]
    applications: t.Sequence[str]
    nodes: t.Sequence[str]
    all_nodes: t.Sequence[str]
    not_inspected: t.Sequence[str]
    limited: t.Sequence[str]
    left_out: t.Sequence[str]
    migration_command: str
    plan_digest: str
    accepted: bool
    check_mode: bool
    start_timeout: int

    @property
    def schema(self) -> Item:
        return t.cast("Item", self.record.get("schema") or {})

    @property
    def migrating(self) -> Item:
        return t.cast("Item", self.schema.get("migrating") or {})

    @property
    def operation(self) -> Item:
        return t.cast("Item", self.record.get("operation") or {})

    @property
    def current(self) -> str:
        """The version to which the system database belongs."""
        return str(self.schema.get("engine_version") or "")

    @property
    def is_open(self) -> bool:
        return self.operation.get("name") == OPERATION

    @property
    def backup(self) -> str:
        found = self.migrating.get("backup") or (self.operation.get("backup") if self.is_open else "")
        return str(found or "")


def plan(data: Item) -> Upgrade:
    """Everything that keeps the upgrade from being done is in one message."""
    state = State.from_dict(data)
    found = _chosen(state)
    problems = [str(Finding.from_dict(item)) for item in state.findings if item.get("severity") == ERROR]
    problems += _problems_of_run(state, found=bool(problems))
    # With an invalid inventory, no node was asked.
    if state.nodes:
        problems += _problems_of_cluster(state)
    if state.current and not state.record_problem:
        problems += _problems_of_path(state)
        problems += _problems_of_applications(state, found)
    if found.stop and not state.accepted and not state.check_mode:
        again = command(OPERATION, "-e", f"{_ACCEPT}=true")
        problems.append(f"{found.notice} {_ACCEPT} is not set. To accept this interruption: {again}")
    problem = ""
    if problems:
        heading = f"The engine cannot be upgraded: {count(len(problems), 'problem')}. Nothing was changed."
        problem = "\n".join([heading, *(f"- {one}" for one in problems)])
    return dataclasses.replace(found, problem=problem)


def path_problem(current: str, target: str, ranges: profiles.Ranges, own_command: str = "") -> str:
    """Why the vendor does not allow the way between two versions; empty if it does."""
    old, new = _version(current), _version(target)
    if new < old:
        return (
            f"The system database is that of engine {current}, and {target} is an earlier version, which cannot use "
            "it. There is no way back but a restore."
        )
    if old[:2] == new[:2]:
        return ""
    try:
        facts = profiles.resolve_profile(ranges, target)["upgrade"]
    except profiles.ProfileError as error:
        return str(error)
    if old < _version(str(facts["from"])):
        return (
            f"The vendor upgrades to {target} from {facts['from']} on, and the cluster has engine {current}. Upgrade "
            "to an earlier LTS version first."
        )
    if not facts["command"] and not own_command:
        return (
            f"Engine {target} migrates the database of another version by hand only, in its Cockpit. From engine "
            f"{current}, upgrade to an LTS version from 12.0 on, or to a hotfix of {old[0]}.{old[1]}."
        )
    if new[0] % 2 or new[1]:
        return (
            f"{target} is not a version of an LTS line (an even major version, and minor version 0). This playbook "
            f"upgrades to a hotfix of {old[0]}.{old[1]} or to a later LTS version."
        )
    return ""


def _version(text: str) -> Version:
    return profiles.parse_version(text)


def _unusable(state: State) -> str:
    """Why the two versions cannot be compared; empty if both are known."""
    try:
        _version(state.current)
        profiles.resolve_profile(state.ranges, state.target)
    except profiles.ProfileError as error:
        return str(error)
    return ""


def _chosen(state: State) -> Upgrade:
    if not state.current or _unusable(state):
        return Upgrade(before=state.current, target=state.target)
    migrate = bool(state.migrating) or _version(state.current) != _version(state.target)
    facts = profiles.resolve_profile(state.ranges, state.target, state.share_applications)
    words = (state.migration_command or str(facts["upgrade"]["command"])).split()
    found = Upgrade(
        kind=_kind(state, migrate),
        before=state.current if migrate else str(state.schema.get("migrated_from") or state.current),
        target=state.target,
        back_up=migrate and not state.backup,
        backup=state.backup,
        stop=migrate,
        migrate=migrate,
        node=str(state.migrating.get("node") or next(iter(state.nodes), "")),
        command=tuple(words) if migrate else (),
        deploy=migrate and _deploys_again(state, facts),
        expected=durations.typical(state.record, durations.STARTS) if migrate else None,
    )
    return dataclasses.replace(found, notice=_notice(state, found))


def _kind(state: State, migrate: bool) -> str:
    if migrate:
        return HOTFIX if _version(state.current)[:2] == _version(state.target)[:2] else LINE
    if not state.is_open:
        return NOTHING
    return FINISH if _migrated_in_this_upgrade(state) else BACK


def _migrated_in_this_upgrade(state: State) -> bool:
    """Whether the open upgrade has migrated the database. It does so after it was opened."""
    return str(state.schema.get("migrated_at") or "") >= str(state.operation.get("since") or "~")


def _deploys_again(state: State, facts: Item) -> bool:
    """Another line needs converted projects, and where the applications move to the share, they are not there yet."""
    if _version(state.current)[:2] != _version(state.target)[:2]:
        return True
    try:
        before = profiles.resolve_profile(state.ranges, state.current, state.share_applications)
    except profiles.ProfileError:
        return True
    return bool(before["applications_shared"] != facts["applications_shared"])


def _problems_of_run(state: State, *, found: bool) -> list[str]:
    problems = []
    if state.not_inspected and not found:
        problems.append(
            f"Not inspected: {listed(state.not_inspected)}. Run again with preflight_scope: all and without accepting "
            "that a host is away. Name an engine node that is to stay off in ivy_proceed_without."
        )
    if state.plan_digest:
        problems.append("ivy_plan: upgrade has no plan. Use --check to see what it would do.")
    if state.limited:
        problems.append(
            f"--limit leaves out {listed(state.limited)}. Versions must not mix, so an upgrade needs all hosts. Run "
            "without --limit. An engine node that is off can be named in ivy_proceed_without."
        )
    return problems


def _problems_of_cluster(state: State) -> list[str]:
    if state.record_problem:
        return [plain_text(state.record_problem)]
    if not state.record.get("desired_release") or not state.current:
        return [f"The cluster has no system database yet. This sets it up: {command('site')}"]
    problems = []
    name = str(state.operation.get("name") or "")
    if name and name != OPERATION:
        problems.append(
            f"The operation {plain_text(name)} of {plain_text(state.operation.get('owner') or 'unknown')} since "
            f"{plain_text(state.operation.get('since'))} has not been completed, so the nodes may differ. Complete it "
            f"first: {completing(name)}"
        )
    pin = state.record.get("pin") or {}
    if pin:
        problems.append(
            f"The cluster is pinned to release {plain_text(pin.get('release'))} ({plain_text(pin.get('reason'))}). "
            f"Lift the pin first: {command('unpin')}{REASON}"
        )
    node = str(state.migrating.get("node") or "")
    if node and node not in state.nodes:
        problems.append(
            f"{plain_text(node)} has begun to migrate the system database, perhaps still does, and is not in this run. "
            f"Bring it back, or restore backup {plain_text(state.backup or 'of before the upgrade')}."
        )
    return problems


def _problems_of_path(state: State) -> list[str]:
    unusable = _unusable(state)
    if unusable:
        return [unusable]
    to = str(state.migrating.get("to") or "")
    if to and _version(to) != _version(state.target):
        return [
            f"The migration of the system database from engine {state.current} to {to} was begun at "
            f"{plain_text(state.migrating.get('since'))}, and the inventory has {state.target}. Finish it with "
            f"ivy_engine_version: {to}, or go back. {_way_back(state, state.current, state.backup)}"
        ]
    problem = path_problem(state.current, state.target, state.ranges, state.migration_command)
    if not problem:
        return []
    if _version(state.target) < _version(state.current):
        problem = f"{problem} {_way_back(state, state.target, str(state.schema.get('backup') or ''))}"
    return [problem]


def _way_back(state: State, version: str, backup: str) -> str:
    which = plain_text(backup) if backup else "<id>"
    return (
        f"Set ivy_engine_version: {version}, with the source and the licence of that version, and restore the backup "
        f"of before the upgrade: {command('restore', '-e', f'restore_backup={which}')}. What was done since is lost. "
        "docs/runbooks/upgrade.md describes it."
    )


def _problems_of_applications(state: State, found: Upgrade) -> list[str]:
    """What is deployed and not declared would not be there after an upgrade that deploys everything again."""
    declared = set(state.applications)
    missing = [name for name in state.record.get("applications") or {} if name not in declared]
    if not missing or not found.migrate:
        return []
    facts = profiles.resolve_profile(state.ranges, state.target, state.share_applications)
    if facts["applications_shared"] and not found.deploy:
        return []
    return [
        f"Deployed, and not in engine_applications: {listed(map(plain_text, missing))}. Engine {state.target} has no "
        "application but those, because it is installed beside the earlier one. Add each version that is in use."
    ]


def _notice(state: State, found: Upgrade) -> str:
    if found.kind == NOTHING:
        return f"The cluster has engine {state.target} already. Only what differs is rolled out, as site does."
    if found.kind == BACK:
        return (
            f"The upgrade was not completed, and the system database still is that of engine {state.target}. Engines "
            "that were stopped start again with it. Nothing has to be restored."
        )
    if found.kind == FINISH:
        return (
            f"The system database was migrated to engine {state.target} already. The engines that do not serve start, "
            "one after another."
        )
    limit = f"at most {duration(state.start_timeout)} (engine_start_timeout)"
    start = f"about {duration(found.expected)}, as the last ones took" if found.expected is not None else limit
    words = [
        f"Engine {state.current} is replaced by {state.target}. Users notice: the service is unavailable from the stop "
        "of all engines until the first one has passed the gate, which is the time of the migration of the system "
        f"database and of one start, {start}. Then everybody logs in again.",
        "Until the migration begins, the upgrade can be undone by running it with the earlier ivy_engine_version; from "
        "then on, only by a restore of the backup that is made before.",
    ]
    if found.deploy:
        words.append(
            "Every application in engine_applications is deployed again."
            if found.kind == HOTFIX
            else "Every application in engine_applications is deployed again; its projects must have been converted "
            "for this version."
        )
    absent = [node for node in state.all_nodes if node in state.left_out]
    if absent:
        words.append(
            f"Not upgraded: {listed(absent)}. Make sure that its engine is off. It cannot start until a later run of "
            "site."
        )
    return " ".join(words)


def summary(data: Item) -> str:
    """The result, with the interruption that was measured beside the announced one."""
    plan_ = data["plan"]
    if data["check_mode"]:
        return str(plan_["notice"])
    lines = []
    if plan_["kind"] == NOTHING:
        lines.append(f"The cluster had engine {plan_['target']} already.")
    elif plan_["kind"] == BACK:
        lines.append(f"The upgrade is undone. The cluster has engine {plan_['target']}, as before.")
    else:
        lines.append(f"The cluster is upgraded from engine {plan_['before']} to {plan_['target']}.")
    ends = [
        float(marks["end"]) for found in data["times"].values() if "end" in (marks := (found or {}).get("marks") or {})
    ]
    if float(data["stopped_at"]) and ends:
        away = max(0, round(min(ends) - float(data["stopped_at"])))
        announced = f" (announced: about {duration(int(plan_['expected']))} for the start)" if plan_["expected"] else ""
        migrated = f", {duration(int(data['migration_seconds']))} of it for the migration" if plan_["command"] else ""
        lines.append(f"Users: the service was unavailable for {duration(away)}{announced}{migrated}.")
    if data["backup"] and plan_["kind"] not in (NOTHING, BACK):
        lines.append(
            "There is no rollback to the earlier version any more. The way back is to set the earlier "
            f"ivy_engine_version and to restore the backup of before: "
            f"{command('restore', '-e', 'restore_backup=' + plain_text(data['backup']))}"
        )
    return "\n".join(lines)
