# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A plan is what would be done, in order. Its digest changes with that and with nothing else."""

from __future__ import annotations

import copy
import json
import typing as t

import pytest

from ansible_collections.ivy.cluster.plugins.plugin_utils.operations import plan, plan_report
from ansible_collections.ivy.cluster.plugins.plugin_utils.report.document import Document

OLD, NEW = "a" * 32, "b" * 32
IVY = "configuration/ivy.yaml"
CANARY = "canary-7f3a"


def node(**more: t.Any) -> dict[str, t.Any]:
    """A node that has to be restarted for a key of the source."""
    needs = {"activate": True, "start": False, "restart": True, "first": False, "gate": False, "taken_out": ""}
    pending = {
        "root": "engine",
        "path": IVY,
        "change": "update",
        "secret": True,
        "keys": [
            {"key": "SystemDb.Url", "change": "changed", "before": "jdbc:a", "after": "jdbc:a", "wanted": "jdbc:b"},
            {"key": "EMail.Password", "change": "changed", "before": "********", "wanted": "********"},
        ],
        "comparable": "p1",
    }
    return {
        "plan": {**needs, "reasons": [f"{IVY}: SystemDb.Url changed"], **more.pop("plan", {})},
        "foreseen": {
            "actions": [{"root": "engine", "path": IVY, "action": "update"}],
            "node_files": "f1",
            "required": True,
            "applications": {},
            "start_timeout": 300,
            **more.pop("foreseen", {}),
        },
        "configuration": {"drift": [], "pending": [pending], "conflict": [], **more.pop("configuration", {})},
    }


def unchanged() -> dict[str, t.Any]:
    return node(
        plan={"activate": False, "restart": False, "reasons": []},
        foreseen={"actions": [], "required": False},
        configuration={"pending": []},
    )


def drifted(**more: t.Any) -> dict[str, t.Any]:
    return {
        "root": "engine",
        "path": "configuration/web.xml",
        "kind": "modified",
        "detail": "the content differs",
        "comparable": "c1",
        "owner": "ivy",
        "modified": "2026-01-31T11:00:00Z",
        **more,
    }


def params(**more: t.Any) -> dict[str, t.Any]:
    return {
        "cluster": "demo",
        "operation": "site",
        "engine_version": "11.3.0",
        "release": NEW,
        "source": {"commit": "1c9f2d7a4b8e" + "0" * 28, "clean": True, "problem": ""},
        "record": {"desired_release": OLD, "operation": None, "schema": {"node": "engine1"}, "history": []},
        "nodes": {"engine1": node(), "engine2": node()},
        "others": [],
        "left_out": [],
        "services": {},
        "approved": "",
        "command": "ansible-playbook -i hosts.yml",
        **more,
    }


def digest(**more: t.Any) -> str:
    return plan.Plan(params(**more)).digest


def report(**more: t.Any) -> Document:
    return plan_report.document(params(**more))


def steps(**nodes: t.Any) -> list[tuple[str, str]]:
    return [(step.node, step.action) for step in plan.Plan(params(nodes=nodes)).steps]


def test_the_order_is_that_of_the_run() -> None:
    found = steps(
        engine1=node(),
        engine2=node(plan={"restart": False}),
        engine3=node(plan={"restart": False, "start": True, "first": True}),
        engine4=node(plan={"first": True}),
        engine5=node(plan={"activate": False, "restart": False, "gate": True}),
        engine6=unchanged(),
        # No balancer uses it, and its engine needs nothing.
        engine7={**unchanged(), "plan": {**unchanged()["plan"], "first": True}},
        engine8={},
    )
    assert found == [
        ("engine2", "change without a restart"),
        ("engine3", "start"),
        ("engine4", "restart"),
        ("engine5", "pass the gate"),
        ("engine1", "restart"),
    ]


# What would be done, and the part of the digest that it changes.
DIFFERENT: dict[str, tuple[dict[str, t.Any], str]] = {
    "operation": ({"operation": "rollout"}, "run"),
    "release": ({"release": "c" * 32}, "run"),
    "desired already": ({"record": {**params()["record"], "desired_release": NEW}}, "run"),
    "cluster": ({"cluster": "other"}, "run"),
    "version": ({"engine_version": "11.3.1"}, "run"),
    "open rollout": ({"record": {**params()["record"], "operation": {"name": "rollback"}}}, "run"),
    "tables": ({"record": {**params()["record"], "schema": None}}, "run"),
    "left out": ({"left_out": ["engine3"]}, "nodes"),
    "order": ({"nodes": {"engine2": node(), "engine1": node()}}, "nodes steps"),
    "one node less": ({"nodes": {"engine1": node()}}, "nodes steps configuration"),
    "no restart": (
        {"nodes": {"engine1": node(), "engine2": node(plan={"restart": False, "reasons": []})}},
        "steps configuration",
    ),
    "another reason": ({"nodes": {"engine1": node(), "engine2": node(plan={"reasons": ["x"]})}}, "configuration"),
    "another file": (
        {"nodes": {"engine1": node(), "engine2": node(foreseen={"actions": [{"root": "node", "path": "/u"}]})}},
        "configuration",
    ),
    "another unit": ({"nodes": {"engine1": node(), "engine2": node(foreseen={"node_files": "f2"})}}, "configuration"),
    "application": (
        {"nodes": {name: node(foreseen={"applications": {"a.zip": "1"}}) for name in ("engine1", "engine2")}},
        "applications",
    ),
    "service": ({"services": {"lb1": {"differences": {"haproxy": ["x"]}, "wanted": {"haproxy": "w"}}}}, "services"),
}


def changed_parts(before: str, after: str) -> str:
    pairs = zip(plan.PARTS, before.split("-")[1:], after.split("-")[1:])
    return " ".join(name for name, old, new in pairs if old != new)


@pytest.mark.parametrize("name", DIFFERENT)
def test_the_digest_changes_with_what_would_be_done_and_names_the_part(name: str) -> None:
    change, parts = DIFFERENT[name]
    before, after = digest(), digest(**change)
    assert before.partition("-")[0] != after.partition("-")[0]
    assert changed_parts(before, after) == parts
    assert plan.differences(before, after) == [plan.PARTS[part] for part in parts.split()]


def test_the_digest_changes_with_the_content_that_a_role_would_write_and_that_a_local_change_has() -> None:
    def service(wanted: str) -> dict[str, t.Any]:
        return {"lb1": {"differences": {"haproxy": ["another content"]}, "wanted": {"haproxy": wanted}}}

    def local(comparable: str) -> dict[str, t.Any]:
        actions = [{"root": "engine", "path": "configuration/web.xml", "action": "update"}]
        found = drifted(comparable=comparable)
        return {"engine1": node(foreseen={"actions": actions}, configuration={"drift": [found]})}

    assert changed_parts(digest(services=service("1")), digest(services=service("2"))) == "services"
    assert changed_parts(digest(nodes=local("1")), digest(nodes=local("2"))) == "configuration"


LEASE = dict.fromkeys(("run_id", "owner", "operation", "started", "renewed", "step", "node"), "x")
# What a run does not decide.
EQUAL: dict[str, dict[str, t.Any]] = {
    "commit": {"source": None},
    "history": {"record": {**params()["record"], "history": [{"operation": "site done", "seconds": 75}]}},
    "durations": {
        "record": {**params()["record"], "durations": [{"kind": "restart", "node": "engine1", "seconds": 75}]}
    },
    "lease": {"record": {**params()["record"], "lease": LEASE}},
    "command": {"command": "ansible-playbook"},
    "users kept out": {"nodes": {"engine1": node(plan={"taken_out": "drain on lb1"}), "engine2": node()}},
    "a difference that is kept": {
        "nodes": {"engine1": node(configuration={"drift": [drifted()]}), "engine2": node()},
    },
}


@pytest.mark.parametrize("name", EQUAL)
def test_the_digest_depends_on_nothing_else(name: str) -> None:
    assert digest(**EQUAL[name]) == digest()


def test_the_order_of_files_and_reasons_does_not_count() -> None:
    files = [{"root": "engine", "path": path, "action": "update"} for path in ("b", "a")]
    one = digest(nodes={"engine1": node(foreseen={"actions": files}, plan={"reasons": ["2", "1"]})})
    assert digest(nodes={"engine1": node(foreseen={"actions": files[::-1]}, plan={"reasons": ["1", "2"]})}) == one


def test_an_approved_plan_passes_as_it_is_pasted() -> None:
    assert plan.differences(f" {digest().upper()} \n", digest()) == []
    found = report(approved=digest())
    assert (found.ok, found.summary["differs"]) == (True, [])


@pytest.mark.parametrize("text", ["yes", "3f2a", "\x1b[2J", digest()[:-1], digest().partition("-")[0], "x" * 5000])
def test_a_text_that_is_not_a_digest_is_refused(text: str) -> None:
    (found,) = plan.differences(text, digest())
    assert found.startswith("ivy_plan is not the digest of a plan: ")
    assert "\x1b" not in found
    assert len(found) < 200
    assert not report(approved=text).ok


def test_another_plan_than_the_approved_one_is_refused_with_what_differs() -> None:
    found = report(approved=digest(nodes={"engine1": node()}))
    assert not found.ok
    assert "not the approved plan" in found.headline
    for part in ("nodes", "steps", "configuration"):
        assert f"  - {plan.PARTS[part]}" in found.text
        assert plan.PARTS[part] in found.forms()["html"]
    assert plan.PARTS["services"] not in found.text
    # A plan that differs only beside the short digests of its parts is another one, too.
    first, *rest = digest().split("-")
    assert plan.differences("-".join(["0" * len(first), *rest]), digest())


def test_one_page_shows_keys_reasons_order_and_the_next_command() -> None:
    actions = [
        {"root": "engine", "path": IVY, "action": "update"},
        {"root": "engine", "path": "configuration/web.xml", "action": "update"},
        {"root": "node", "path": "/etc/systemd/system/axonivy-engine.service", "action": "update"},
    ]
    nodes = {
        "engine1": node(foreseen={"actions": actions}, configuration={"drift": [drifted()]}),
        "engine2": node(),
        "engine3": unchanged(),
    }
    services = {"lb1": {"differences": {"haproxy": ["/etc/haproxy/haproxy.cfg: another content"]}, "wanted": {}}}
    found = report(nodes=nodes, services=services)
    assert found.headline == "site would restart 2 of 3 nodes, set up 1 host."
    for line in (
        "  release    bbbbbbbbbbbb, instead of aaaaaaaaaaaa",
        "  source     commit 1c9f2d7a4b8e",
        "  1. engine1: restart",
        "  2. engine2: restart",
        f"  engine1: {IVY}: SystemDb.Url changed",
        f"  {IVY} on engine1, engine2: the source changes it",
        "    SystemDb.Url: jdbc:a -> jdbc:b",
        "    EMail.Password: ******** -> ******** (changed)",
        "  configuration/web.xml on engine1: changed on the node (the content differs)",
        "  /etc/systemd/system/axonivy-engine.service: update on engine1",
        "  lb1, role haproxy: /etc/haproxy/haproxy.cfg: another content",
        "  - HAProxy on lb1 may reload: open connections stay.",
        f"  ansible-playbook -i hosts.yml ivy.cluster.site -e ivy_plan={found.summary['digest']}",
    ):
        assert line in found.text.splitlines(), found.text
    assert found.summary["counts"] == {
        "nodes": 3,
        "restarts": 2,
        "starts": 0,
        "pending": 2,
        "reverted": 1,
        "services": 1,
    }
    data = json.loads(found.forms()["json"])
    assert data["nodes"]["engine1"]["reverted"][0]["path"] == "configuration/web.xml"
    assert data["nodes"]["engine3"] == {
        "actions": [],
        "reasons": [],
        "pending": [],
        "reverted": [],
        "files": [],
        "taken_out": "",
    }
    page = found.forms()["html"]
    for words in ("SystemDb.Url", "jdbc:b", "Would be reverted", "restart", found.summary["digest"]):
        assert words in page


def test_the_command_repeats_what_the_plan_depends_on() -> None:
    found = report(operation="rollback", limit="engine1,lb1", left_out=["engine3"])
    assert found.text.splitlines()[-1].strip() == (
        "ansible-playbook -i hosts.yml ivy.cluster.rollback --limit engine1,lb1 "
        """-e '{"ivy_proceed_without": ["engine3"]}' -e "rollback_reason='<why>'" """
        f"-e rollback_release={NEW} -e ivy_plan={found.summary['digest']}"
    )


def test_a_local_change_that_is_kept_is_not_reverted() -> None:
    found = report(nodes={"engine1": node(configuration={"drift": [drifted()]})})
    assert found.summary["counts"]["reverted"] == 0
    assert "web.xml" not in found.text


def test_a_change_of_the_working_copy_is_reverted_by_a_restart_only() -> None:
    local = {"drift": [drifted(root="copy")]}
    assert report(nodes={"engine1": node(configuration=local)}).summary["counts"]["reverted"] == 1
    kept = {"engine1": node(plan={"restart": False}, configuration=local)}
    assert report(nodes=kept).summary["counts"]["reverted"] == 0


def test_without_a_change_there_is_nothing_to_approve() -> None:
    found = report(release=OLD, nodes={"engine1": unchanged(), "engine2": unchanged()})
    assert found.headline == "site would change nothing."
    assert not found.summary["changes"]
    assert "  - Nothing." in found.text.splitlines()
    assert "To do exactly this" not in found.text


@pytest.mark.parametrize("what", ["a step", "a service", "the record"])
def test_any_change_of_one_kind_is_a_change(what: str) -> None:
    second = unchanged()
    services = {"db1": {"differences": {"postgres": ["file /x"]} if what == "a service" else {}}}
    if what == "a step":
        second["plan"]["gate"] = True
    if what == "the record":
        second["foreseen"]["required"] = True
    nodes = {"engine1": unchanged(), "engine2": second}
    assert not plan.Plan(params(release=OLD, nodes=nodes, services=services)).changes_nothing
    nothing: dict[str, t.Any] = {"db1": {"differences": {}}}
    assert plan.Plan(params(release=OLD, nodes={"engine1": unchanged()}, services=nothing)).changes_nothing


def test_reasons_count_for_nodes_that_restart_only() -> None:
    one, other = (
        {"engine1": node(plan={"restart": False, "start": True, "first": True, "reasons": [reason]})}
        for reason in ("a", "b")
    )
    assert digest(nodes=one) == digest(nodes=other)


def test_what_users_notice() -> None:
    def notice(**more: t.Any) -> str:
        return " ".join(plan_report.users_notice(plan.Plan(params(**more))))

    assert "log in again there" in notice()
    assert "service is interrupted while engine1" in notice(nodes={"engine1": node()})
    assert "log in again there" in notice(nodes={"engine1": node()}, others=["engine2"]), "with --limit"
    alone = {"engine1": node(), "engine2": node(plan={"restart": False, "start": True, "first": True})}
    assert "service is interrupted while engine1" in notice(nodes=alone), "the other one does not serve yet"
    assert notice(nodes={"engine1": node(plan={"restart": False})}) == (
        "Running engines reload the changed files. No session ends."
    )
    kept_out = {"engine1": node(plan={"restart": False, "activate": False, "taken_out": "drain on lb1"})}
    assert "engine1 stays without users" in notice(nodes=kept_out)


def timed(*seconds: int, name: str = "engine1", kind: str = "restart") -> list[dict[str, t.Any]]:
    return [{"kind": kind, "node": name, "seconds": one} for one in seconds]


def test_the_duration_comes_from_the_clusters_own_history() -> None:
    known = [*timed(9000, 60, 62, 64, 66, 68), *timed(100, name="engine2"), *timed(5, kind="start")]
    history = [{"operation": "site done", "seconds": one} for one in (240, 300)]
    history += [{"operation": "rollback done", "seconds": 90}, {"operation": "site done"}]
    found = report(record={**params()["record"], "durations": known, "history": history})
    # Of each node the median of the recent ones.
    assert "  1. engine1: restart, about 1 min 4 s" in found.text.splitlines()
    assert "  2. engine2: restart, about 1 min 40 s" in found.text.splitlines()
    assert found.data["duration"] == {
        "nodes_seconds": 164,
        "runs_seconds": [240, 300],
        "words": [
            "About 2 min 44 s for 2 nodes, as their last starts took.",
            "The last 2 rollouts by site took 4 min to 5 min in all.",
        ],
    }


def test_a_new_node_is_expected_to_take_as_long_as_the_others() -> None:
    found = plan.Plan(params(record={**params()["record"], "durations": timed(60)}))
    assert [found.seconds(step) for step in found.steps] == [60, 60]


def test_without_a_history_the_limit_is_stated() -> None:
    words = report().data["duration"]["words"]
    assert words == [
        "The cluster record has no start of an engine yet; each may take up to engine_start_timeout, 5 min."
    ]


def test_a_new_cluster_has_a_plan() -> None:
    new = node(plan={"restart": False, "start": True, "first": True, "reasons": []})
    found = report(record=None, source=None, nodes={"engine1": new, "engine2": copy.deepcopy(new)})
    assert found.headline == "site would start 2 of 2 nodes."
    assert "  release    bbbbbbbbbbbb, the first one" in found.text.splitlines()
    assert "  source     no commit recorded" in found.text.splitlines()


def test_many_files_and_differences_of_a_kind_are_few_lines() -> None:
    helper = [{"root": "node", "path": f"/usr/local/lib/ivy-cluster/{one}.py", "action": "create"} for one in range(80)]
    new = {name: node(foreseen={"actions": helper}) for name in ("engine1", "engine2")}
    services = {"lb1": {"differences": {"haproxy": [f"difference {one}" for one in range(9)]}, "wanted": {}}}
    lines = report(nodes=new, services=services).text.splitlines()
    assert [line.strip() for line in lines if "/usr/local/lib" in line] == [
        "/usr/local/lib/ivy-cluster/ (the collection's node helper): create on engine1, engine2"
    ]
    assert [line for line in lines if "difference" in line][-1] == "  lb1, role haproxy: and 4 more differences"


def test_text_of_a_node_is_escaped_and_a_page_stays_short() -> None:
    keys = [{"key": f"K{number}", "change": "changed", "before": "1", "wanted": "2"} for number in range(40)]
    pending = [
        {"root": "engine", "path": f"configuration/{number}\x1b[2J", "change": "update", "keys": keys}
        for number in range(500)
    ]
    actions = [{"root": "node", "path": "\udc80<script>", "action": "create"}]
    found = report(nodes={"engine1": node(foreseen={"actions": actions}, configuration={"pending": pending})})
    assert "\x1b" not in found.text
    assert len(found.text.splitlines()) < 1200
    assert "<script>" not in found.forms()["html"]
    assert "and 460 more files" in found.text


@pytest.mark.parametrize(
    "wrong",
    [
        {"durations": [{"kind": "restart", "node": "engine1", "seconds": "x"}]},
        {"durations": [1]},
        {"sources": {NEW: "x"}},
        {"operation": "x"},
        {"history": [{"seconds": None}]},
    ],
)
def test_a_malformed_record_of_a_node_is_an_error(wrong: t.Any) -> None:
    with pytest.raises(TypeError, match="cluster record: its answer cannot be used: "):
        report(record={**params()["record"], **wrong})
