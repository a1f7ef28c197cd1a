# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Grouping of changes, recommended steps, and that text from a node becomes neither markup nor leaks a secret."""

from __future__ import annotations

import fnmatch
import html.parser
import json
import re
import shlex
import typing as t
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.ivy.cluster.plugins.plugin_utils.common import files
from ansible_collections.ivy.cluster.plugins.plugin_utils.common.text import plain_text
from ansible_collections.ivy.cluster.plugins.plugin_utils.drift import changes
from ansible_collections.ivy.cluster.plugins.plugin_utils.drift.report import from_report
from ansible_collections.ivy.cluster.plugins.plugin_utils.drift.text import headline
from ansible_collections.ivy.cluster.plugins.plugin_utils.node import result
from ansible_collections.ivy.cluster.tests.limits import limited

TIME = "2026-01-31T12:00:00Z"
IVY = "configuration/ivy.yaml"
HOST = {"key": "EMail.Server.Host", "change": "changed", "before": "mail1", "after": "mail2", "wanted": "mail1"}


def item(path: str = IVY, **more: t.Any) -> dict[str, t.Any]:
    found = {
        "root": "engine",
        "path": path,
        "kind": "modified",
        "detail": "the content differs",
        "secret": False,
        "size": 10,
        "mode": "0640",
        "owner": "ivy",
        "modified": "2026-01-31T11:00:00Z",
        "comparable": "c1",
    }
    return {**found, **more}


def inspected(**more: t.Any) -> dict[str, t.Any]:
    answer = {
        "drift": [],
        "pending": [],
        "conflict": [],
        "engine_owned": [],
        "applied": "3f2a9c0d1e4b5a6978c0d1e2f3a4b5c6",
        "applied_time": TIME,
        "restart_required": False,
        "restart_reasons": [],
        "interrupted": False,
    }
    return {**answer, **more}


def build(**results: t.Any) -> changes.Report:
    return changes.build("demo", "11.3.0", TIME, "0123456789abcdef" * 2, "", "ansible-playbook -i hosts", results)


def test_the_commits_of_the_source_and_of_the_applied_releases_are_in_every_form() -> None:
    applied = inspected()["applied"]
    record = {"sources": {applied: {"commit": "1c9f2d7a4b8e" + "0" * 28, "clean": True}}}
    source = {"commit": "2d8e" * 10, "clean": False, "problem": ""}
    results = {"n1": inspected(record=None), "n2": inspected(record=record), "n3": inspected(record=[1])}
    report = changes.build(
        "demo", "11.3.0", TIME, "0123456789abcdef" * 2, "", "ansible-playbook", results, source_commit=source
    )
    for form in forms(report).values():
        assert "commit 1c9f2d7a4b8e" in form
        assert "commit 2d8e2d8e2d8e and changes that are not committed" in form
    assert "commit" not in forms(build(n1=inspected()))["txt"]


def forms(report: changes.Report) -> dict[str, str]:
    return from_report(report).forms()


def test_nodes_that_differ_in_the_same_way_are_one_change() -> None:
    report = build(
        engine1=inspected(drift=[item(keys=[HOST])]),
        engine2=inspected(drift=[item(keys=[HOST], modified="2026-01-31T09:00:00Z")]),
        engine3=inspected(drift=[item(keys=[HOST], comparable="c2")]),
    )
    assert [change.nodes for change in report.changes] == [["engine1", "engine2"], ["engine3"]]
    assert [file.modified for file in report.changes[0].files] == ["2026-01-31T11:00:00Z", "2026-01-31T09:00:00Z"]
    assert report.summary()["counts"]["drift"] == 2
    assert report.summary()["drifted"] == ["engine1", "engine2", "engine3"]


def test_without_a_comparable_each_node_is_its_own_change() -> None:
    report = build(engine1=inspected(drift=[item(comparable=None)]), engine2=inspected(drift=[item(comparable=None)]))
    assert [change.nodes for change in report.changes] == [["engine1"], ["engine2"]]


def test_a_node_that_was_not_inspected_is_listed_and_hides_nothing() -> None:
    report = build(
        engine1=inspected(drift=[item()]),
        engine2={"unreachable": True, "msg": "No route to host"},
        engine3={"failed": True, "msg": "The store is damaged."},
        engine4={},
    )
    assert report.summary()["unreachable"] == ["engine2"]
    assert report.summary()["failed"] == ["engine3", "engine4"]
    assert not report.ok
    for form, text in forms(report).items():
        assert "No route to host" in text, form
        assert "The store is damaged" in text, form
        assert "ivy.cluster.drift --limit engine2" in text, form
        assert IVY in text, form


def test_a_source_that_cannot_be_built_hides_no_drift() -> None:
    problem = "The shared configuration cannot be built, 1 problem:\n  - ivy.yaml: line 3: <b>"
    answers = {"engine1": inspected(drift=[item()])}
    report = changes.build("demo", "11.3.0", TIME, "", problem, "ansible-playbook", answers)
    assert "    - ivy.yaml: line 3: <b>" in forms(report)["txt"].splitlines()
    assert "- ivy.yaml: line 3: &lt;b&gt;" in forms(report)["html"]
    for form, text in forms(report).items():
        assert "cannot be built" in text, form
        assert IVY in text, form


def test_pending_changes_alone_are_not_drift() -> None:
    report = build(engine1=inspected(pending=[item(kind=None, change="update")]), engine2=inspected())
    assert (report.ok, report.drift_found) == (True, False)
    assert "1 pending change in the source" in headline(report)


def test_conflicts_come_first_and_have_all_three_values() -> None:
    conflict = item(change="update", keys=[{**HOST, "wanted": "mail3"}])
    report = build(engine1=inspected(drift=[item("configuration/a.xml")], conflict=[conflict]))
    assert [change.side for change in report.changes] == ["conflict", "drift"]
    for form, text in forms(report).items():
        assert {"mail1", "mail2", "mail3"} <= set(re.findall(r"mail\d", text)), form


@pytest.mark.parametrize(
    ("difference", "command"),
    [
        (item(), "ivy.cluster.adopt -e adopt_node=engine1 -e adopt_files=configuration/ivy.yaml"),
        (item(kind="extra"), "ivy.cluster.adopt"),
        (item("/etc/systemd/system/x.service", root="node"), ""),
        (item("shared.env", root="environment", secret=True), ""),
        (item(kind="attributes"), ""),
        (item("configuration/new\nline"), ""),
    ],
)
def test_recommended_steps(difference: dict[str, t.Any], command: str) -> None:
    report = build(engine1=inspected(drift=[difference]))
    found = changes.steps(report, report.changes[0])
    assert found[0].command == "ansible-playbook -i hosts ivy.cluster.site"
    commands = [step.command for step in found[1:] if step.command]
    assert [command in text for text in commands] == [True] * bool(command)


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20))
def test_a_command_survives_any_name(name: str) -> None:
    report = build(engine1=inspected(drift=[item(f"configuration/{name}")]))
    for step in changes.steps(report, report.changes[0]):
        words = shlex.split(step.command)
        if "ivy.cluster.adopt" in words:
            argument = words[-1]
            plain = argument.removeprefix("adopt_files=")
            (pattern,) = [plain] if plain != argument else json.loads(argument)["adopt_files"]
            assert fnmatch.fnmatchcase(f"configuration/{name}", pattern)


def test_a_changed_secret_is_shown_as_changed() -> None:
    key = {"key": "A.Password", "change": "changed", "before": "********", "after": "********", "wanted": "********"}
    report = build(engine1=inspected(drift=[item(keys=[key])]))
    for form, text in forms(report).items():
        if form != "json":
            assert "******** (changed)" in text, form


# --- hostile names and values

HOSTILE = (
    st.lists(
        st.one_of(
            st.sampled_from(
                [
                    *(
                        "<script>alert(1)</script>",
                        '"><img src=x onerror=alert(1)>',
                        "</style><b>",
                        "<!--",
                        "&lt;",
                        "a</td>",
                    ),
                    *(
                        "| a | b |",
                        "\\|",
                        "``",
                        "`",
                        "![x](http://h/y.png)",
                        "[a](javascript:b)",
                        "<a href=b>",
                        "# x",
                        "\n| engine1 |",
                    ),
                    *(
                        "\x1b[2J",
                        "\r",
                        "\x00",
                        "\x9b",
                        "\u202e",
                        "\u2066",
                        "\u200b",
                        "{{ lookup('pipe', 'id') }}",
                        "$(id)",
                    ),
                ]
            ),
            st.text(st.characters(exclude_categories=["Cs"]), max_size=5),
        ),
        min_size=1,
        max_size=5,
    )
    .map("".join)
    .filter(bool)
)


class Page(html.parser.HTMLParser):
    """What a browser would make of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, tuple[tuple[str, str | None], ...]]] = []
        self.shown = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, tuple(attrs)))

    def handle_data(self, data: str) -> None:
        self.shown += data


def with_text(text: str) -> changes.Report:
    keys = [{"key": text, "change": "changed", "before": text, "after": text, "wanted": text}]
    hostile = item(text, keys=keys, detail=text, owner=text)
    return changes.build(
        "demo",
        "11.3.0",
        TIME,
        "",
        text,
        "ansible-playbook",
        {
            "engine1": inspected(
                drift=[hostile],
                conflict=[{**hostile, "change": "update"}],
                engine_owned=[text],
                restart_required=True,
                restart_reasons=[text],
            ),
            "engine2": {"unreachable": True, "msg": text},
        },
    )


def tags(text: str, *names: str) -> int:
    return sum(tag in names for tag, _attributes in Page(forms(with_text(text))["html"]).tags)


def lines(text: str) -> int:
    """The lines of the terminal, without the reason that the release could not be built, which has its own lines."""
    return len(forms(with_text(text))["txt"].split("\n")) - len(text.splitlines())


HARMLESS = {tag for tag, _attributes in Page(forms(with_text("harmless"))["html"]).tags}


@given(HOSTILE)
@settings(max_examples=60, deadline=None)
def test_text_from_a_node_becomes_no_markup(text: str) -> None:
    report = with_text(text)
    page = forms(report)["html"]
    tags = [tag for tag, _attributes in Page(page).tags]
    assert set(tags) <= HARMLESS
    assert not {"script", "img", "a", "link", "iframe", "svg", "object"} & set(tags)
    assert plain_text(text).strip() in Page(page).shown
    for form, shown in forms(report).items():
        assert all(character.isprintable() or character == "\n" for character in shown), form


@given(HOSTILE)
@settings(max_examples=60, deadline=None)
def test_text_from_a_node_adds_no_row_and_no_line(text: str) -> None:
    assert tags(text, "tr", "td") == tags("harmless", "tr", "td")
    assert tags(text, "section", "div", "p") == tags("harmless", "section", "div", "p")
    # A name with control characters cannot be part of a command, so that step has none.
    assert lines(text) - tags(text, "pre") == lines("harmless") - tags("harmless", "pre")
    data = json.loads(forms(with_text(text))["json"])
    assert {change["path"] for change in data["changes"]} == {text}
    assert [node["name"] for node in data["nodes"]] == ["engine1", "engine2"]


def test_the_page_loads_nothing() -> None:
    page = forms(build(engine1=inspected(drift=[item(keys=[HOST])]), engine2={"unreachable": True}))["html"]
    parsed = Page(page)
    assert not [attributes for _tag, attributes in parsed.tags if {"src", "href", "onload"} & set(dict(attributes))]
    assert "url(" not in page
    assert "@import" not in page
    assert "default-src 'none'" in page


def test_the_same_input_gives_the_same_report() -> None:
    answers = {"engine1": inspected(drift=[item(keys=[HOST])]), "engine2": inspected(drift=[item(keys=[HOST])])}
    assert forms(build(**answers)) == forms(build(**dict(reversed(answers.items()))))


# --- no secret in any form

SECRETS = st.text("GHJKQXZ", min_size=8, max_size=12)


@given(SECRETS, SECRETS, SECRETS, st.sampled_from(["Plain.Name", "Mail.Password", "List"]))
@settings(max_examples=60, deadline=None)
def test_no_secret_gets_into_any_form(applied: str, actual: str, wanted: str, key: str) -> None:
    """A secret of the release, whatever its key is called and wherever on the node somebody copied it to."""

    def text(secret: str, **more: t.Any) -> bytes:
        value: t.Any = [secret, "x"] if key == "List" else secret
        return yaml.safe_dump({key: value, "Url": f"http://u:{secret}@h/", **more}).encode()

    keys = {"secret": True, "secret_keys": ["List[0]", "Plain.Name", "Url"]}
    question = {
        "key": f"engine:{IVY}",
        "applied": _encoded(text(applied)),
        "actual": _encoded(text(actual, Copy=f"see {applied}", Other=actual)),
        **keys,
    }
    entry = {"root": "engine", "path": IVY, "sha256": "0" * 64, **keys}
    lists = result.Lists(
        {"drift": [item()], "comparisons": [question], "digests": {f"engine:{IVY}": "0" * 64}},
        lambda _entry: text(wanted),
        {("engine", IVY): entry},
        [],
        result.Comparable(b"k" * 32),
    ).made()
    shown = [*forms(build(engine1=inspected(**lists))).values(), json.dumps(lists)]
    verdict, differences = result.judge(question)
    shown.append(json.dumps(differences))
    mask = result.mask_of((text(applied), text(actual)), (question,), [])
    shown += result.yaml_lines(text(applied), text(actual), mask) or ()
    assert verdict == "different"
    for one in shown:
        for secret in (applied, actual, wanted):
            assert secret not in one


def _encoded(data: bytes) -> str:
    import base64

    return base64.b64encode(data).decode()


# --- files


def test_files_are_written_atomically_and_not_for_others(tmp_path: Path) -> None:
    path = tmp_path / "made" / "drift.md"
    assert files.write_files({path: "one\n"}, check=True) == [path]
    assert not path.parent.exists()
    assert files.write_files({path: "one\n"}, check=False)
    assert (path.read_text(), path.stat().st_mode & 0o777) == ("one\n", 0o640)
    assert not files.write_files({path: "one\n"}, check=False)
    path.chmod(0o666)
    assert files.write_files({path: "one\n"}, check=True)
    outside = tmp_path / "outside"
    outside.write_text("kept")
    path.unlink()
    path.symlink_to(outside)
    assert files.write_files({path: "two\n"}, check=False)
    assert (path.read_text(), path.is_symlink(), outside.read_text()) == ("two\n", False, "kept")
    assert [one.name for one in path.parent.iterdir()] == ["drift.md"]


PIN = {"release": "3f2a9c0d1e4b5a6978c0d1e2f3a4b5c6", "time": TIME, "owner": "anna", "reason": "mails are lost"}


def test_steps_on_a_pinned_cluster_are_allowed_there() -> None:
    results = {
        "engine1": inspected(
            drift=[item(keys=[HOST])],
            pending=[item("configuration/web.xml", kind="", change="update")],
            conflict=[item("configuration/log4j2.xml", change="update")],
        )
    }
    report = changes.build("demo", "11.3.0", TIME, "", "", "ansible-playbook", results, PIN)
    commands = {change.side: [step.command for step in changes.steps(report, change)] for change in report.changes}

    assert "ansible-playbook ivy.cluster.rollback" in commands["drift"]
    assert "ansible-playbook ivy.cluster.rollback" in commands["conflict"]
    assert commands["pending"] == ["ansible-playbook ivy.cluster.unpin -e \"rollback_reason='<why>'\""]
    for text in forms(report).values():
        assert "3f2a9c0d1e4b" in text
        assert "mails are lost" in text
        assert "ivy.cluster.site" not in text


def test_adopt_is_not_recommended_for_a_conflict() -> None:
    report = build(engine1=inspected(conflict=[item(keys=[HOST], change="update")]))
    (change,) = report.changes
    texts = [f"{step.text} {step.command}" for step in changes.steps(report, change)]
    assert not any("adopt" in text for text in texts)
    assert any("by hand" in text for text in texts)


@pytest.mark.parametrize("path", ["configuration/.git/config", "configuration/HEAD", "configuration/ivy.yaml~"])
def test_a_file_that_adopt_never_takes_is_reported_without_that_advice(path: str) -> None:
    report = build(engine1=inspected(drift=[item(path, kind="extra")]))
    (change,) = report.changes
    texts = [f"{step.text} {step.command}" for step in changes.steps(report, change)]
    assert change.path == path
    assert not any("ivy.cluster.adopt" in text for text in texts)
    assert "engine_drift_ignore" in texts[-1]


def test_a_missing_file_is_not_to_be_adopted() -> None:
    """Adopt refuses to remove what the vendor delivers or the inventory makes, so the advice led nowhere."""
    report = build(engine1=inspected(drift=[item("configuration/web.xml", kind="missing")]))
    (change,) = report.changes
    texts = [f"{step.text} {step.command}" for step in changes.steps(report, change)]
    assert not any("ivy.cluster.adopt" in text for text in texts)
    assert "remove it from the source" in texts[-1]


@pytest.mark.parametrize(("key", "restart"), [("EMail.Server.Host", False), ("SystemDb.Url", True)])
@pytest.mark.parametrize("side", ["drift", "conflict"])
def test_a_local_change_of_a_key_that_the_engine_reloads_needs_no_restart(side: str, key: str, restart: bool) -> None:
    reason = "configuration/ivy.yaml changed since the engine started"
    found = item(keys=[{**HOST, "key": key}], **({"change": "update"} if side == "conflict" else {}))
    node = inspected(
        **{side: [found]},
        restart_required=True,
        restart_reasons=[reason],
        restart_undecided={"configuration/ivy.yaml": reason},
    )
    report = changes.build("demo", "11.3.0", TIME, "", "", "ansible-playbook", {"engine1": node}, None, ["EMail"])
    assert ("needs a restart" in forms(report)["txt"]) == restart
    assert report.to_dict()["nodes"][0]["restart_required"] == restart


def test_any_number_of_secrets_in_a_file_of_a_node_is_compared() -> None:
    many = "".join(f"K{number}Password: secret-{number}\n" for number in range(20_000)).encode()

    def compared() -> tuple[str, ...]:
        mask = result.mask_of((b"A: 1\n", many), ({},), ["known"])
        few = result.yaml_lines(many, many + b"A: 2\n", mask) or ()
        return (*few, *(result.yaml_lines(b"A: 1\n", many, mask) or ()))

    assert limited(compared, memory=1 << 30, seconds=60) == ("", "A: ********\n", "", "(more than 1000 keys differ)\n")
