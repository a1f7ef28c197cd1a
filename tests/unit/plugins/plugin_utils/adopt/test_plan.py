# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of a node's changes goes into the source, what is named instead, and that no secret is ever written."""

from __future__ import annotations

import base64
import re
import subprocess
import typing as t
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.ivy.cluster.plugins.plugin_utils.adopt import (
    bootstrap,
)
from ansible_collections.ivy.cluster.plugins.plugin_utils.adopt import (
    patch as adopt_patch,
)
from ansible_collections.ivy.cluster.plugins.plugin_utils.adopt import (
    plan as adopt,
)
from ansible_collections.ivy.cluster.plugins.plugin_utils.adopt import (
    write as adopt_write,
)
from ansible_collections.ivy.cluster.plugins.plugin_utils.adopt.patch import FileEdit
from ansible_collections.ivy.cluster.plugins.plugin_utils.adopt.plan import Context, NodeChange, Selection
from ansible_collections.ivy.cluster.plugins.plugin_utils.common.text import plain_text
from ansible_collections.ivy.cluster.plugins.plugin_utils.release import source as source_tree
from ansible_collections.ivy.cluster.plugins.plugin_utils.release import templates
from ansible_collections.ivy.cluster.plugins.plugin_utils.release.placement import NOTE
from ansible_collections.ivy.cluster.plugins.plugin_utils.release.source import SourceFile
from ansible_collections.ivy.cluster.plugins.plugin_utils.yaml.tree import parse
from ansible_collections.ivy.cluster.tests import canaries
from ansible_collections.ivy.cluster.tests.limits import limited

IVY = "configuration/ivy.yaml"
APP = "configuration/applications/demo/app.yaml"
WEB = "configuration/web.xml"
CANARY = "canary-7f3a"
JINJA = [
    "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
    "{{ shared.host }}",
    "{{ secret.mail }}",
    "{# gone #}",
    "{{{ shared.host }}}",
    "{{{% raw %}}",
    "a {{ '{{' }} {% endraw %} }} %} #}",
    "{{",
]
SHARED = {"host": "mail1"}
SECRET = {"mail": CANARY}

TEMPLATE = """\
# about mail
EMail:
  Server:
    Host: {{ shared.host }}   # from the inventory
    Port: 25                  # literal
    Password: "${encrypt:{{ secret.mail }}}"
"""
RENDERED = TEMPLATE.replace("{{ shared.host }}", "mail1").replace("{{ secret.mail }}", CANARY)
PLACED = RENDERED + "SystemDb:\n  Url: jdbc:a\n"


def render(path: str, text: str) -> str:
    rendered, findings = templates.Renderer(SHARED, SECRET).render(path, text)
    if rendered is None:
        raise ValueError("; ".join(map(str, findings)))
    return rendered.text


def context(secret_keys: dict[str, t.Any] | None = None, **files: bytes) -> Context:
    names = {"template": f"{IVY}.j2", "ivy": IVY, "app": APP, "web": WEB, "web_template": f"{WEB}.j2"}
    source = {names[name]: SourceFile(names[name], data) for name, data in files.items()}
    return Context(source, secret_keys or {IVY: ["EMail.Server.Password"]}, (CANARY,), render)


def modified(path: str, before: str | bytes, after: str | bytes, **more: t.Any) -> NodeChange:
    sides = [side.encode() if isinstance(side, str) else side for side in (before, after)]
    given_ = {"origin": "release", "yaml": path.endswith(".yaml"), **more}
    return NodeChange("engine", path, "modified", before=sides[0], after=sides[1], **given_)


def plan(*findings: NodeChange, what: Context, owned: t.Sequence[str] = (), **selection: t.Any) -> adopt.Plan:
    return adopt.plan(findings, owned, Selection(**selection), what)


def named(result: adopt.Plan) -> dict[str, str]:
    return {one.key or one.path: one.reason for one in result.named}


class TestKeys:
    what = context(template=TEMPLATE.encode())

    def taken(self, after: str, **selection: t.Any) -> adopt.Plan:
        return plan(modified(IVY, PLACED, after, secret=True), what=self.what, **selection)

    def test_a_literal_key_of_a_template_is_edited_in_its_line(self) -> None:
        result = self.taken(PLACED.replace("Port: 25 ", "Port: 587"))
        [one] = result.taken
        assert (one.source, one.how, one.keys) == (f"{IVY}.j2", "edited", ("EMail.Server.Port",))
        text = (one.edit.after or b"").decode()
        assert [line for line in text.splitlines() if line not in TEMPLATE.splitlines()] == [
            "    Port: 587                 # literal"
        ]
        assert result.named == []
        assert render("x", text) == render("x", TEMPLATE).replace("Port: 25 ", "Port: 587")

    def test_an_expression_is_named_and_not_overwritten(self) -> None:
        result = self.taken(PLACED.replace("mail1", "mail2"))
        assert result.taken == []
        assert "{{ shared.host }}" in named(result)["EMail.Server.Host"]
        assert "ivy_shared_values" in result.named[0].advice

    @pytest.mark.parametrize("value", JINJA)
    def test_what_a_node_has_is_never_jinja(self, value: str) -> None:
        # A loop of Jinja that is rendered would not end.
        limited(lambda: self.check_no_jinja(value))

    def check_no_jinja(self, value: str) -> None:
        quoted = "'" + value.replace("'", "''") + "'"
        after = PLACED.replace("Port: 25 ", f"Port: {quoted}") + f"New: {quoted}\nEMailMore:\n  {quoted}: 1\n"
        after += f"Block: |\n  a\n  {value}\n"
        result = self.taken(after)
        [one] = result.taken
        left = {"SystemDb.Url", *named(result)}
        assert left <= {"SystemDb.Url", f"EMailMore.{value}"}
        rendered = parse(render("x", (one.edit.after or b"").decode())).tree()
        assert rendered == {key: each for key, each in parse(after).tree().items() if key not in left}
        assert [rendered[key].text for key in ("EMail.Server.Port", "New")] == [value, value]

    @pytest.mark.parametrize("word", ["IvyJinja0End", "IvyJinja99End"])
    def test_a_node_cannot_place_what_the_template_has(self, word: str) -> None:
        result = self.taken(PLACED.replace("Port: 25 ", f"Port: {word}").replace("Host: mail1", "Host: x"))
        assert result.taken == []
        assert "cannot be edited" in result.named[0].reason

    @pytest.mark.parametrize("kind", ["modified", "extra", "missing"])
    @pytest.mark.parametrize("path", [f"{IVY}.j2", "configuration/new.yaml.j2"])
    def test_a_node_has_no_templates(self, path: str, kind: str) -> None:
        sides: dict[str, t.Any] = {"before": b"A: 1\n", "after": b"A: '{{ secret.mail }}'\n"}
        finding = NodeChange("engine", path, kind, origin="release", yaml=True, **sides)
        result = plan(finding, what=self.what)
        assert result.taken == []
        assert "template" in result.named[0].reason

    def test_what_the_inventory_places_is_named(self) -> None:
        result = self.taken(PLACED.replace("jdbc:a", "jdbc:b"))
        assert result.taken == []
        assert named(result) == {"SystemDb.Url": "the inventory places this key"}

    @pytest.mark.parametrize(
        "change",
        [
            (f"${{encrypt:{CANARY}}}", "another clear one"),
            ("  Port: 25 ", "  ApiToken: hunter2\n    Port: 25 "),
            ("  Port: 25 ", "  Note: ${decrypt:x}\n    Port: 25 "),
            ("  Port: 25 ", f"  Note: see {CANARY}\n    Port: 25 "),
            ("  Port: 25 ", "  Note: ldap://me:hunter2@host\n    Port: 25 "),
            ("  Port: 25 ", "  Proxy:\n      Password: hunter2\n    Port: 25 "),
        ],
    )
    def test_secrets_are_named_and_never_written(self, change: tuple[str, str]) -> None:
        assert change[0] in PLACED
        result = self.taken(PLACED.replace(*change))
        assert result.taken == []
        assert [reason for reason in named(result).values() if "secret" in reason]
        assert "hunter2" not in str(result.named)
        assert CANARY not in str(result.named)

    def test_a_name_that_may_be_secret_is_taken_only_where_the_source_says_it_in_clear_text(self) -> None:
        before = "Login.Salt: a\n"
        result = plan(modified(IVY, before, before + "Other.Salt: b\n"), what=context(ivy=before.encode()))
        assert (result.taken, list(named(result))) == ([], ["Other.Salt"])
        result = plan(modified(IVY, before, "Login.Salt: b\n"), what=context(ivy=before.encode()))
        assert [one.keys for one in result.taken] == [("Login.Salt",)]

    def test_the_engines_own_rewriting_is_not_a_change(self) -> None:
        result = self.taken(
            PLACED.replace(f"${{encrypt:{CANARY}}}", "${decrypt:xyz}").replace("Port: 25 ", "Port: 587")
        )
        assert [one.keys for one in result.taken] == [("EMail.Server.Port",)]
        assert result.named == []

    def test_new_and_removed_keys(self) -> None:
        after = PLACED.replace("    Port: 25                  # literal\n", "    User: ivy\n")
        [one] = self.taken(after).taken
        assert one.keys == ("EMail.Server.Port", "EMail.Server.User")
        assert "Port" not in (one.edit.after or b"").decode()

    def test_a_file_rewritten_by_the_cockpit_still_has_one_changed_key(self) -> None:
        cockpit = (
            "EMail.Server.Host: mail1\nEMail.Server.Port: 587\nEMail.Server.Password: ${decrypt:a}\n"
            "SystemDb: {Url: 'jdbc:a'}\n"
        )
        [one] = self.taken(cockpit).taken
        assert one.keys == ("EMail.Server.Port",)
        assert b"# about mail" in (one.edit.after or b"")

    def test_filters(self) -> None:
        after = PLACED.replace("Port: 25 ", "Port: 587") + "New: 1\nMore:\n  Keys: 2\n"
        assert self.taken(after, keys=("More",)).taken[0].keys == ("More.Keys",)
        assert self.taken(after, keys=("*.Port",)).taken[0].keys == ("EMail.Server.Port",)
        assert self.taken(after, files=("configuration/*.xml",)).taken == []

    def test_a_tab_on_the_node_or_in_the_source_is_named_with_its_line(self) -> None:
        tabs = "A: 1\nB:\t2\n"
        result = plan(modified(APP, "A: 1\nB: 2\n", tabs), what=context(app=b"A: 1\nB: 2\n"))
        assert named(result) == {APP: "it is not YAML on the node: line 2: a tab; use spaces"}
        result = plan(modified(APP, "A: 1\nB: 2\n", "A: 3\nB: 2\n"), what=context(app=tabs.encode()))
        assert named(result) == {APP: "its source cannot be edited: line 2: a tab; use spaces"}
        template = b"A: {{ shared.host }}\nB:\t2\n"
        result = plan(modified(IVY, "A: 1\nB: 2\n", "A: 1\nB: 3\n"), what=context(template=template))
        assert named(result) == {IVY: "its source cannot be edited: line 2: a tab; use spaces"}

    def test_a_key_that_would_cost_a_comment_is_named_and_the_others_are_taken(self) -> None:
        text = "A: {x: 1,  # about x\n  y: 2}\n# about B\nB: 1\nC: 1\n"
        result = plan(modified(IVY, text, "A: {y: 2}\nC: 2\n"), what=context(ivy=text.encode()))
        [one] = result.taken
        assert one.keys == ("B", "C")
        assert one.edit.after == b"A: {x: 1,  # about x\n  y: 2}\nC: 2\n"
        assert "line 1 cannot be edited without losing comments" in named(result)["A.x"]
        assert result.named[0].advice == f"Make the change in {IVY} by hand."

    def test_a_key_of_a_template_goes_and_what_surrounds_it_stays(self) -> None:
        text = "{% if true %}\n# about A\nA: 1\n{% endif %}\n# about B\nB: {{ shared.host }}\n"
        before = render(IVY, text)
        result = plan(modified(IVY, before, "B: mail1\n"), what=context(template=text.encode()))
        [one] = result.taken
        assert one.edit.after == text.replace("# about A\nA: 1\n", "").encode()

    def test_a_key_that_the_source_changed_too_is_named_and_an_adopted_one_is_not_taken_again(self) -> None:
        what = context(ivy=b"A: source\nB: node\n")
        result = plan(modified(IVY, "A: old\nB: old\n", "A: node\nB: node\n"), what=what)
        assert result.taken == []
        assert list(named(result)) == ["A"]
        assert "in the source too" in named(result)["A"]

    def test_a_file_that_the_inventory_alone_makes_becomes_one_of_the_source(self) -> None:
        path = "configuration/ivy.webserver.yaml"
        result = plan(modified(path, "C.Port: 1\n", "C.Port: 1\nWebServer:\n  X: 1\n"), what=context())
        [one] = result.taken
        assert (one.source, one.how, one.edit.after) == (path, "created", b"WebServer:\n  X: 1\n")
        header = "# yaml-language-server: $schema=https://json-schema.axonivy.com/ivy/11.3.0/ivy.json\n"
        [made] = plan(modified(IVY, f"{header}C: 1\n", f"{header}C: 1\nX: 1\n"), what=context()).taken
        assert made.edit.after == f"{header}X: 1\n".encode()

    def test_a_key_in_a_loop_is_named(self) -> None:
        text = b"{% for n in ['A', 'B'] %}\n{{ n }}: 1\n{% endfor %}\nC: 1\n"
        result = plan(modified(IVY, "A: 1\nB: 1\nC: 1\n", "A: 2\nB: 1\nC: 2\n"), what=context(template=text))
        assert [one.keys for one in result.taken] == [("C",)]
        assert "makes this key" in named(result)["A"]

    def test_a_key_in_a_false_condition_proves_nothing(self) -> None:
        text = b"{% if false %}\nA: 1\n{% endif %}\nC: 1\n"
        result = plan(modified(IVY, "C: 1\n", "A: 2\nC: 1\n"), what=context(template=text))
        assert result.taken == []
        assert "would not have what the node has" in named(result)["A"]


class TestFiles:
    def test_a_plain_file_is_replaced(self) -> None:
        result = plan(modified(WEB, "<a/>", "<b/>"), what=context(web=b"<a/>"))
        assert [(one.how, one.edit.after) for one in result.taken] == [("replaced", b"<b/>")]

    def test_a_template_is_not_overwritten(self) -> None:
        result = plan(modified(WEB, "<a/>", "<b/>"), what=context(web_template=b"<{{ shared.host }}/>"))
        assert result.taken == []
        assert f"{WEB}.j2" in named(result)[WEB]

    @pytest.mark.parametrize("after", ['<a password="hunter2"/>', f"<a b='{CANARY}'/>", "<token>hunter2</token>"])
    def test_a_secret_in_a_file_is_not_written(self, after: str) -> None:
        result = plan(modified(WEB, "<a/>", after), what=context(web=b"<a/>"))
        assert result.taken == []
        assert "hunter2" not in str(result.named)
        assert CANARY not in str(result.named)

    @pytest.mark.parametrize("kind", canaries.ALL)
    def test_a_secret_of_any_kind_is_not_written(self, kind: str) -> None:
        text = canaries.ALL[kind].format("cAnary7f3aB")
        for path in (WEB, "configuration/a.properties", "configuration/a.pem", "configuration/other.yaml"):
            for finding in (
                modified(path, "before\n", f"before\n{text}\n", yaml=False),
                NodeChange("engine", path, "extra", after=f"before\n{text}\n".encode()),
            ):
                result = plan(finding, what=Context({path: SourceFile(path, b"before\n")}, {}, (), render))
                assert result.taken == [], (kind, path)
                assert "cAnary" not in str(result.named)

    def test_a_changed_line_in_the_middle_of_a_private_key_is_one(self) -> None:
        lines = ["-----BEGIN PRIVATE KEY-----", *(f"line{n}" for n in range(20)), "-----END PRIVATE KEY-----", ""]
        before = "\n".join(lines)
        finding = modified(WEB, before, before.replace("line10", "cAnary"))
        assert named(plan(finding, what=context(web=before.encode()))) == {
            WEB: "line 12 contains what looks like a secret in clear text"
        }
        taken = adopt.Taken(WEB, WEB, "replaced", (), FileEdit(WEB, before.encode(), finding.after))
        assert "line" not in adopt_write.shown([taken], ()).replace("(only secrets differ)", "")

    def test_a_line_that_is_already_in_the_source_is_not_a_new_secret(self) -> None:
        old, new = '<a token="x"/>\n<b/>', '<a token="x"/>\n<c/>'
        assert len(plan(modified(WEB, old, new), what=context(web=old.encode())).taken) == 1

    def test_missing_extra_and_binary_files(self) -> None:
        gone = NodeChange("engine", WEB, "missing", "release", b"<a/>", None)
        fresh = NodeChange("engine", "configuration/logo.png", "extra", after=b"\0\1binary")
        vendor = NodeChange("engine", "configuration/log4j2.xml", "modified", "baseline", b"<old/>", b"<new/>")
        result = plan(gone, fresh, vendor, what=context(web=b"<a/>"))
        assert [(one.source, one.how) for one in result.taken] == [
            ("configuration/log4j2.xml", "created"),
            ("configuration/logo.png", "created"),
            (WEB, "deleted"),
        ]

    @pytest.mark.parametrize("kind", ["extra", "modified"])
    @pytest.mark.parametrize(
        "path",
        ["patches/new.jar", "dropins/x", "system/lib/agent/a.jar", "configuration/a.JAR", "configuration/b.class"],
    )
    def test_a_program_is_taken_only_if_it_is_named(self, path: str, kind: str) -> None:
        """Somebody who has taken over one node would bring it to all."""
        found = NodeChange("engine", path, kind, after=b"\0\1binary")
        for selection in (Selection(), Selection(keys=("EMail",)), Selection(files=("configuration/web.xml",))):
            result = adopt.plan([found], [], selection, context())
            assert result.taken == []
        (one,) = adopt.plan([found], [], Selection(), context()).named
        assert (one.path, one.reason) == (path, "it is a program, which every engine would run from then on")
        assert f"adopt_files: ['{path}']" in one.advice
        for pattern in (path, f"**/{path.rpartition('/')[2]}"):
            result = adopt.plan([found], [], Selection(files=(pattern,)), context())
            assert [(taken.source, taken.how) for taken in result.taken] == [(path, "created")]

    @pytest.mark.parametrize(
        ("finding", "advice"),
        [
            (NodeChange("node", "/etc/systemd/system/a.service", "modified"), "role engine"),
            (NodeChange("environment", "shared.env", "modified"), "ivy_shared_secrets"),
            (NodeChange("secrets", "ivy.a", "missing"), "ivy_shared_secrets"),
            (NodeChange("engine", WEB, "attributes", "release", detail="mode 0600"), "ivy.cluster.site"),
            (NodeChange("engine", WEB, "modified", "release", irregular=True), "ivy.cluster.site"),
            (NodeChange("engine", WEB, "extra", too_long=True), "by hand"),
            (NodeChange("engine", "configuration/x.j2", "extra", after=b"x"), "Rename"),
            (NodeChange("engine", "configuration/jgroups.xml", "modified", "release", b"a", b"b"), "ivy_jgroups_"),
            (NodeChange("engine", "configuration/a.lic", "modified", "release", b"a", b"b"), "ivy_licence_file"),
            (NodeChange("engine", "configuration/log4j2.xml", "missing", "baseline"), "ivy.cluster.site"),
            (NodeChange("engine", WEB, "missing", "release", b"<a/>"), "Remove the template"),
        ],
    )
    def test_changes_that_do_not_belong_to_the_source_are_listed(self, finding: NodeChange, advice: str) -> None:
        result = plan(finding, what=context(web_template=b"<a/>"))
        assert result.taken == []
        assert advice in result.named[0].advice

    def test_what_the_vault_encrypts_is_not_overwritten(self) -> None:
        what = Context({WEB: SourceFile(WEB, b"<a/>", True)}, {}, (), render)
        for finding in (modified(WEB, "<a/>", "<b/>"), NodeChange("engine", WEB, "missing", "release", b"<a/>")):
            assert plan(finding, what=what).taken == []

    def test_the_engines_own_files_are_named_until_they_are_asked_for(self) -> None:
        result = plan(what=context(), owned=["configuration/keystore.p12"])
        assert "adopt_files: ['configuration/keystore.p12']" in result.named[0].advice

    def test_findings_come_as_the_node_sends_them(self) -> None:
        item = {
            "root": "engine",
            "path": WEB,
            "kind": "extra",
            "after": base64.b64encode(b"x").decode(),
            "before": None,
        }
        assert adopt.node_change_from({**item, "size": 1}) == NodeChange("engine", WEB, "extra", after=b"x")


def git(directory: Path, *arguments: str) -> str:
    command = ["git", "-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "core.autocrlf=false", *arguments]
    done = subprocess.run(command, cwd=directory, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


CONTENTS = st.one_of(
    st.none(), st.binary(max_size=200), st.text(st.sampled_from("ab\n\r\f ü\u2028"), max_size=40).map(str.encode)
)


class TestPatch:
    EDITS: t.ClassVar = [
        FileEdit("configuration/a.yaml", b"1\n2\n3\n4\n5\n6\n7\n8\n", b"1\n2\n3\n4\n5\n6\n7\nnew"),
        FileEdit("configuration/with space.xml", b"<a/>\r\n", b"<b/>\r\n"),
        FileEdit("configuration/\u00fcber.xml", b"x", None),
        FileEdit("configuration/empty", None, b""),
        FileEdit("patches/new.jar", None, bytes(range(256)) * 9),
        FileEdit("patches/old.jar", b"\0\1\2", b"\0\3"),
    ]

    def tree(self, base: Path, edits: t.Iterable[FileEdit]) -> None:
        for edit in edits:
            if edit.before is not None:
                path = base / edit.path
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(edit.before)

    def holds(self, base: Path, edits: t.Iterable[FileEdit]) -> bool:
        sides = [
            ((base / edit.path).read_bytes() if (base / edit.path).exists() else None, edit.after) for edit in edits
        ]
        return all(found == wanted for found, wanted in sides)

    def test_git_applies_it(self, tmp_path: Path) -> None:
        self.tree(tmp_path, self.EDITS)
        git(tmp_path, "init", "-q")
        patch = tmp_path / "adopt.patch"
        patch.write_text(adopt_patch.render(self.EDITS), encoding="utf-8", newline="")
        git(tmp_path, "apply", "adopt.patch")
        assert self.holds(tmp_path, self.EDITS)

    def test_git_applies_it_to_a_directory_of_a_repository(self, tmp_path: Path) -> None:
        source = tmp_path / "inventory/shared_config"
        self.tree(source, self.EDITS)
        git(tmp_path, "init", "-q")
        (tmp_path / "adopt.patch").write_text(adopt_patch.render(self.EDITS), encoding="utf-8", newline="")
        git(tmp_path, "apply", "--directory=inventory/shared_config", "adopt.patch")
        assert self.holds(source, self.EDITS)

    def test_patch_applies_the_text_files(self, tmp_path: Path) -> None:
        edits = [edit for edit in self.EDITS if edit.path.startswith("configuration/") and edit.after != b""]
        self.tree(tmp_path, edits)
        command = ["patch", "-p1", "--binary"]
        text = adopt_patch.render(edits).encode()
        subprocess.run(command, cwd=tmp_path, input=text, check=True, capture_output=True)
        assert self.holds(tmp_path, edits)

    @given(st.lists(st.tuples(CONTENTS, CONTENTS), min_size=1, max_size=3))
    def test_any_contents(self, tmp_path_factory: pytest.TempPathFactory, sides: t.Any) -> None:
        base = tmp_path_factory.mktemp("patch")
        edits = [FileEdit(f"configuration/{number}", *pair) for number, pair in enumerate(sides)]
        text = adopt_patch.render(edits)
        if not text:
            return
        self.tree(base, edits)
        (base / "p").write_text(text, encoding="utf-8", newline="")
        git(base, "apply", "p")
        assert self.holds(base, edits)


class TestWriting:
    def test_files_are_written_as_a_whole_and_check_mode_writes_none(self, tmp_path: Path) -> None:
        edits = TestPatch.EDITS
        TestPatch().tree(tmp_path, edits)
        (tmp_path / "configuration/a.yaml").chmod(0o600)
        adopt_write.write(tmp_path, edits, check=True)
        assert not TestPatch().holds(tmp_path, edits)
        adopt_write.write(tmp_path, edits, check=False)
        assert TestPatch().holds(tmp_path, edits)
        assert (tmp_path / "configuration/a.yaml").stat().st_mode & 0o777 == 0o600

    def test_nothing_is_written_over_what_changed_meanwhile_or_through_a_link(self, tmp_path: Path) -> None:
        edits = [FileEdit("configuration/new", None, b"x"), FileEdit("configuration/a", b"old", b"new")]
        (tmp_path / "configuration").mkdir()
        (tmp_path / "configuration/a").write_bytes(b"other")
        with pytest.raises(adopt_write.WriteError, match="has changed"):
            adopt_write.write(tmp_path, edits, check=False)
        (tmp_path / "configuration/a").unlink()
        (tmp_path / "old").write_bytes(b"old")
        (tmp_path / "configuration/a").symlink_to(tmp_path / "old")
        with pytest.raises(adopt_write.WriteError, match="symbolic link"):
            adopt_write.write(tmp_path, edits, check=False)
        assert not (tmp_path / "configuration/new").exists()

    @pytest.mark.parametrize("form", ["NFC", "NFD"])
    def test_the_file_that_is_there_is_edited_however_its_name_is_spelled(self, tmp_path: Path, form: t.Any) -> None:
        """A release has composed names; a source that came from macOS has decomposed ones on disk."""
        directory = tmp_path / "source"
        apps = "configuration/applications/Bücher"
        names = {name: unicodedata.normalize(form, f"{apps}/{name}") for name in ("app.yaml", "é.xml", "ö.jar")}
        contents = {"app.yaml": b"A: 1  # kept\n", "é.xml": b"<a/>", "ö.jar": b"\0"}
        for name, place in names.items():
            (directory / place).parent.mkdir(parents=True, exist_ok=True)
            (directory / place).write_bytes(contents[name])
        git(directory, "init", "-q")
        source = source_tree.read_source(directory)
        assert source.findings == ()
        result = plan(
            modified(f"{apps}/app.yaml", contents["app.yaml"], "A: 2\n"),
            modified(f"{apps}/é.xml", contents["é.xml"], "<b/>"),
            NodeChange("engine", f"{apps}/ö.jar", "missing", origin="release"),
            NodeChange("engine", f"{apps}/new.txt", "extra", after=b"new"),
            what=Context({file.path: file for file in source.files}, {}, (), render),
        )
        assert result.named == []
        edits = [one.edit for one in result.taken]
        (directory / "p").write_text(adopt_patch.render(edits), encoding="utf-8", newline="")
        git(directory, "apply", "--check", "p")
        (directory / "p").unlink()
        adopt_write.write(directory, edits, check=False)
        expected = {names["app.yaml"]: b"A: 2  # kept\n", names["é.xml"]: b"<b/>"}
        expected[unicodedata.normalize(form, f"{apps}/new.txt")] = b"new"
        found = {
            path.relative_to(directory).as_posix(): path.read_bytes()
            for path in (directory / "configuration").rglob("*")
            if path.is_file()
        }
        assert found == expected
        assert source_tree.read_source(directory).findings == ()

    def test_a_patch_is_written_once_and_for_its_owner_only(self, tmp_path: Path) -> None:
        file = tmp_path / "p"
        assert adopt_write.write_patch(file, "x", check=True)
        assert not file.exists()
        assert adopt_write.write_patch(file, "x", check=False)
        assert not adopt_write.write_patch(file, "x", check=False)
        assert file.stat().st_mode & 0o777 == 0o600

    def test_what_is_shown_holds_no_secret(self) -> None:
        edit = FileEdit(IVY, b"A: 1\nPassword: hunter2\n", f"A: 2 {CANARY}\nPassword: hunter2\n".encode())
        text = adopt_write.shown([adopt.Taken(IVY, IVY, "edited", ("A",), edit)], [CANARY])
        assert "-A: 1" in text
        assert CANARY not in text
        assert "hunter2" not in text

    def test_an_empty_directory_is_not_a_source(self, tmp_path: Path) -> None:
        (tmp_path / "configuration").mkdir()
        assert not adopt_write.has_files(tmp_path)
        assert not adopt_write.has_files(tmp_path / "none")
        for name in ("README.md", ".gitignore", "configuration/.gitkeep"):
            (tmp_path / name).touch()
        assert not adopt_write.has_files(tmp_path)
        (tmp_path / "configuration/a").touch()
        assert adopt_write.has_files(tmp_path)


class TestFirstSource:
    PROFILE: t.ClassVar = {
        "settings": {
            "database_url": {"file": IVY, "key": "SystemDb.Url"},
            "database_password": {"file": "environment", "key": "SystemDb.Password"},
            "maintenance_mode": {"file": IVY, "key": "Boot.MaintenanceMode"},
        }
    }
    IVY_TEXT = (
        "# kept\nSystemDb:\n  Url: jdbc:a\n  Password: hunter1\n"
        "EMail:\n  # who\n  User: ivy\n  Password: '${decrypt:x}'\n"
        "Administrators:\n  admin:\n    Password: hunter2-hash-of-it\n"
        "Ldap.Url: ldap://me:hunter3@host\nNote: '{{ x }}'\n"
    )

    def first(self, **files: bytes) -> tuple[dict[str, bytes], adopt.Plan, list[str]]:
        names = {"ivy": IVY, "app": APP, "web": WEB, "key": "configuration/a.p12", "jar": "patches/a.jar"}
        found = [NodeChange("engine", names[name], "extra", after=data) for name, data in files.items()]
        result, secrets = bootstrap.first_source(found, [APP], Selection(), self.PROFILE)
        return {one.source: one.edit.after or b"" for one in result.taken}, result, secrets

    @pytest.mark.parametrize("value", JINJA)
    def test_what_a_node_has_is_never_jinja(self, value: str) -> None:
        # A loop of Jinja that is rendered would not end.
        limited(lambda: self.check_no_jinja(value))

    def check_no_jinja(self, value: str) -> None:
        line = "Note: '" + value.replace("'", "''") + "'\n"
        text = f"{line}# Password: hunter1\n"
        files, _result, _secrets = self.first(ivy=text.encode())
        assert files == {IVY: f"{line}# Password: ********\n".encode()}
        text = f"SystemDb.Url: jdbc:a\n{line}"
        files, _result, _secrets = self.first(ivy=text.encode())
        assert files == {IVY: line.encode()}
        files, _result, secrets = self.first(ivy=f"{line}EMail.Password: hunter1\n".encode())
        made = templates.Renderer({}, dict.fromkeys(secrets, "x")).render("x", files[f"{IVY}.j2"].decode())[0]
        assert made is not None
        assert made.text.startswith(line)

    @pytest.mark.parametrize("word", ["IvySecret0End", "IvySecret99End"])
    def test_a_node_cannot_place_a_secret(self, word: str) -> None:
        files, result, _secrets = self.first(ivy=f"A: {word}\nEMail.Password: hunter1\n".encode())
        assert files == {}
        assert "a word that is needed" in named(result)[IVY]

    def test_no_secret_of_the_node_is_written(self) -> None:
        xml = b'<a user="b" password="hunter4"><keypass>hunter5</keypass></a>\n'
        files, result, secrets = self.first(ivy=self.IVY_TEXT.encode(), web=xml, key=b"hunter6", jar=b"\0x")
        assert set(files) == {f"{IVY}.j2", f"{WEB}.j2", "patches/a.jar"}
        assert b"hunter" not in b"".join(files.values())
        assert "hunter" not in str(result.named)
        text = files[f"{IVY}.j2"].decode()
        assert "  Password: {{ ('${encrypt:' ~ secret.ivy_email_password ~ '}') | to_json }}" in text
        assert "{{ ('${hash:' ~ secret.ivy_administrators_admin_password ~ '}') | to_json }}" in text
        assert "# kept" in text
        assert "  # who" in text
        assert "SystemDb" not in text
        assert sorted(secrets) == [
            "ivy_administrators_admin_password",
            "ivy_email_password",
            "ivy_ldap_url",
            "web_keypass",
            "web_password",
        ]
        values = {name: f"value of {name}" for name in secrets}
        rendered, findings = templates.Renderer({}, values).render("x", text)
        assert findings == []
        assert rendered is not None
        assert "Note: '{{ x }}'" in rendered.text
        assert named(result)["SystemDb.Url"] == "the inventory places this key"
        assert "configuration/a.p12" in named(result)
        assert "adopt_files" in next(one.advice for one in result.named if one.path == APP)
        web = templates.Renderer({}, values).render("x", files[f"{WEB}.j2"].decode())[0]
        assert web is not None
        assert 'password="value of web_password"' in web.text

    @pytest.mark.parametrize(
        "text",
        [
            "url=jdbc:postgresql://db/ivy?user=ivy&password=hunter&ssl=true\n",
            "url=jdbc:postgresql://ivy:hunter@db/ivy\n",
            "password = correct horse hunter\n",
            '<Resource password="correct horse hunter"/>\n',
            '<Resource url="jdbc:x?password=hunter" password="x"/>\n',
            '<Parameter name="db.password" value="hunter"/>\n',
            "<password><![CDATA[hunter]]></password>\n",
            "password=${encrypt:hunter}\n",
        ],
    )
    @pytest.mark.parametrize("encoding", ["utf-8", "latin-1", "utf-16"])
    def test_secrets_of_a_node_are_never_written(self, text: str, encoding: str) -> None:
        files, result, secrets = self.first(web=f"{text}\u00fc\n".encode(encoding))
        assert b"hunter" not in b"".join(files.values()).replace(b"\0", b"")
        assert named(result)
        for source, data in files.items():
            values = dict.fromkeys(secrets, "value")
            rendered = templates.Renderer({}, values).render(source, data.decode())[0]
            assert rendered is not None
            assert "value" in rendered.text
        later = plan(NodeChange("engine", WEB, "extra", after=f"{text}\u00fc\n".encode(encoding)), what=context())
        assert later.taken == []
        assert WEB in named(later)

    @pytest.mark.parametrize("kind", canaries.ALL)
    def test_a_secret_of_any_kind_is_not_in_the_first_source(self, kind: str) -> None:
        text = f"first\n{canaries.ALL[kind].format('cAnary7f3aB')}\nlast\n".encode()
        paths = (WEB, "configuration/a.properties", "configuration/other.txt", "configuration/a")
        found = [NodeChange("engine", path, "extra", after=text) for path in paths]
        result, _secrets = bootstrap.first_source(found, [], Selection(), self.PROFILE)
        assert b"cAnary" not in b"".join(one.edit.after or b"" for one in result.taken)
        assert "cAnary" not in str(result.named)

    def test_comments_keep_no_secret(self) -> None:
        text = b'# about\n# Password: hunter1\n# Token: ""\nA: "1 # 2"\nB: 2 # token=hunter2\n'
        files, result, _secrets = self.first(ivy=text)
        assert files == {IVY: b'# about\n# Password: ********\n# Token: ""\nA: "1 # 2"\nB: 2 # token=********\n'}
        assert "is masked" in named(result)[IVY]
        files, result, _secrets = self.first(ivy=b"A: |\n  # Password: hunter3\nB: 1\n")
        assert files == {}
        assert "number sign" in named(result)[IVY]

    def test_what_holds_no_secret_is_taken_as_it_is(self) -> None:
        files, _result, secrets = self.first(web=b"<a b='{{ c }}'/>", ivy=b"# x\nA:   1\n")
        assert files == {WEB: b"<a b='{{ c }}'/>", IVY: b"# x\nA:   1\n"}
        assert secrets == []

    def test_what_the_inventory_makes_is_left_out(self) -> None:
        found = [
            NodeChange("engine", "configuration/jgroups.xml", "extra", after=b"<config/>"),
            NodeChange(
                "engine",
                IVY,
                "extra",
                after=f"SystemDb:\n  Url: jdbc:a\n{NOTE}\nBoot:\n  MaintenanceMode: DISABLED\n".encode(),
            ),
        ]
        result, _secrets = bootstrap.first_source(found, [], Selection(), self.PROFILE)
        assert result.taken == []
        assert set(named(result)) == {"configuration/jgroups.xml", "SystemDb.Url"}
        selection = Selection(files=("configuration/jgroups.xml",))
        [one] = bootstrap.first_source(found, [], selection, self.PROFILE)[0].taken
        assert one.source == "configuration/jgroups.xml"

    def test_how_the_nodes_differ(self) -> None:
        def node(ivy: bytes, **more: bytes) -> dict[str, t.Any]:
            files = {IVY: ivy, **{f"patches/{name}": data for name, data in more.items()}}
            return bootstrap.fingerprint(
                [NodeChange("engine", path, "extra", after=data) for path, data in files.items()], "key"
            )

        seen = {
            "n1": node(b"A: 1\nPassword: hunter2\nC: 1\nE: ${decrypt:a}\n", jar=b"x"),
            "n2": node(b"A: 2\nPassword: hunter3\nC: '1'\nE: ${decrypt:b}\n", jar=b"x"),
            "n3": node(b"A: 1\nPassword: hunter2\nC: 1\nD: 1\nE: ${decrypt:c}\n"),
        }
        assert "hunter" not in str(seen)
        text = "\n".join(bootstrap.lines(bootstrap.differences(seen)))
        assert f"{IVY}: A\n    1  on n1, n3\n    2  on n2" in text
        assert f"{IVY}: Password\n    ********  on n1, n3\n    ********  on n2" in text
        assert f"{IVY}: D\n    not there  on n1, n2\n    1  on n3" in text
        assert "patches/jar\n    1 bytes  on n1, n2\n    not there  on n3" in text
        assert f"{IVY}: C" not in text
        assert f"{IVY}: E" not in text


# Mostly pieces that mean something to a file system or to git, so that the paths reach deep.
_PIECES = st.sampled_from(
    (
        *(*source_tree.MANAGED_DIRECTORIES, "..", ".", "", ".git", ".GIT", "\u200c.git", "HEAD", "ivy.yaml", "x"),
        *("a.j2", ".git.j2", ".j2", "x~", "._x", "/etc", "\0", "\udcff", "n" * 300, "link"),
    )
)
_PATHS = st.lists(_PIECES | st.text(max_size=5), min_size=1, max_size=5).map("/".join)


class TestPathsOfANode:
    """A node may report any path. Only paths in the managed directories without hidden components are written."""

    @staticmethod
    def findings(paths: t.Iterable[str]) -> list[NodeChange]:
        return [NodeChange("engine", path, "extra", after=b"planted\n") for path in paths]

    @staticmethod
    def check(base: Path, outside: Path, result: adopt.Plan) -> None:
        adopt_write.write(base, [one.edit for one in result.taken], check=False)
        assert list(outside.iterdir()) == []
        assert {entry.name for entry in base.parent.iterdir()} == {base.name, outside.name}
        for path in base.rglob("*"):
            parts = path.relative_to(base).parts
            assert parts[0] in source_tree.MANAGED_DIRECTORIES
            assert not any(part.lstrip("\u200c").startswith(".") for part in parts)
        assert adopt_patch.render(one.edit for one in result.taken).count("diff --git") == len(result.taken)
        if result.taken:
            assert source_tree.read_source(base).findings == ()

    @pytest.mark.parametrize("first", [True, False])
    @given(paths=st.lists(_PATHS, min_size=1, max_size=4, unique=True))
    def test_whatever_the_path(self, tmp_path_factory: pytest.TempPathFactory, first: bool, paths: list[str]) -> None:
        top = tmp_path_factory.mktemp("controller")
        base, outside = top / "source", top / "outside"
        base.mkdir()
        outside.mkdir()
        if first:
            result = bootstrap.first_source(self.findings(paths), [], Selection(), {})[0]
        else:
            result = plan(*self.findings(paths), what=context())
        mentioned = {plain_text(one.path) for one in result.taken} | {one.path for one in result.named}
        assert {plain_text(path) for path in paths} == mentioned
        self.check(base, outside, result)

    @pytest.mark.parametrize("path", ["configuration/.git/config", "configuration/a/../../x", "configuration/HEAD"])
    def test_the_writer_itself_refuses_them(self, tmp_path: Path, path: str) -> None:
        with pytest.raises(adopt_write.WriteError, match="Nothing was written"):
            adopt_write.write(tmp_path, [FileEdit("configuration/a", None, b"x"), FileEdit(path, None, b"x")], False)
        assert list(tmp_path.iterdir()) == []

    def test_no_directory_above_may_be_a_link(self, tmp_path: Path) -> None:
        base, outside = tmp_path / "source", tmp_path / "outside"
        (base / "configuration").mkdir(parents=True)
        outside.mkdir()
        (base / "configuration/link").symlink_to(outside)
        with pytest.raises(adopt_write.WriteError, match="symbolic link"):
            adopt_write.write(base, [FileEdit("configuration/link/a/b/x", None, b"x")], False)
        assert list(outside.iterdir()) == []

    @pytest.mark.parametrize(
        ("paths", "left"),
        [
            (["configuration/ivy.yaml/x"], []),
            (["configuration"], []),
            (["configuration/a/b", "configuration/a"], ["configuration/a/b"]),
        ],
    )
    def test_a_file_where_the_source_has_a_directory_is_named(self, paths: list[str], left: list[str]) -> None:
        result = plan(*self.findings(paths), what=context(template=TEMPLATE.encode()))
        assert [one.path for one in result.taken] in (left, [])
        assert result.named

    def test_the_source_must_not_be_read_as_inventory(self, tmp_path: Path) -> None:
        base = tmp_path / "inventory/shared_config"
        base.mkdir(parents=True)
        (tmp_path / "hosts.yml").write_text("all: {}\n", encoding="utf-8")
        sources = [str(tmp_path / "hosts.yml"), str(tmp_path / "inventory"), "host,"]
        adopt_write.refuse_inventory(base, sources, re.compile(b"^shared_config$"))
        adopt_write.refuse_inventory(tmp_path / "elsewhere", sources, re.compile(rb"^\."))
        with pytest.raises(adopt_write.WriteError, match="ignore_patterns"):
            adopt_write.refuse_inventory(base, sources, re.compile(rb"^\."))
