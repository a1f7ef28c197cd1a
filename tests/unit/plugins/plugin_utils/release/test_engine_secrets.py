# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path

import jinja2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.ivy.cluster.plugins.plugin_utils.release.engine_secrets import (
    SecretError,
    check_value,
    file_name,
    problem_of,
    quote,
    render,
    split,
    variable_name,
)

NODE_ENV = Path(__file__).resolve().parents[5] / "roles/engine/templates/node.env.j2"


def systemd_reads(text: str) -> dict[str, str]:
    """systemd's reading of an ``EnvironmentFile=``, after its documentation and the states of its parser."""
    result: dict[str, str] = {}
    key = value = blank = ""
    state = "before key"

    def push() -> None:
        if key.strip():
            result[key.strip()] = value

    for character in text:
        if state == "before key":
            if character in "#;":
                state = "comment"
            elif not character.isspace():
                key, value, blank, state = character, "", "", "key"
        elif state == "key":
            if character == "\n":
                state = "before key"
            elif character == "=":
                state = "before value"
            else:
                key += character
        elif state == "before value":
            if character == "\n":
                push()
                state = "before key"
            elif character == '"':
                state = "double"
            elif character == "'":
                state = "single"
            elif character == "\\":
                state = "escape"
            elif character not in " \t":
                value += character
                state = "value"
        elif state == "value":
            if character == "\n":
                push()
                state = "before key"
            elif character == "\\":
                value, blank, state = value + blank, "", "escape"
            elif character in " \t":
                blank += character
            else:
                value, blank = value + blank + character, ""
        elif state == "escape":
            value, state = value + ("" if character == "\n" else character), "value"
        elif state == "single":
            if character == "'":
                state = "before value"
            else:
                value += character
        elif state == "double":
            if character == '"':
                state = "before value"
            elif character == "\\":
                state = "double escape"
            else:
                value += character
        elif state == "double escape":
            if character in '"\\`$':
                value += character
            elif character != "\n":
                value += "\\" + character
            state = "double"
        elif state == "comment" and character == "\n":
            state = "before key"
    if state in ("before value", "value"):
        push()
    return result


NASTY = [
    "",
    "plain",
    " leading and trailing ",
    "quote\"quote'quote",
    "dollar $HOME ${HOME} $$ $(id) `id`",
    "percent %h %% %s",
    'back\\slash \\n \\\\ \\" end\\',
    "hash # semicolon ; equals = tab\there",
    "ünïcödé 漢字 🔑",
    "'single'",
    '"double"',
    "\\",
    "$",
    '"',
    "a=b",
    "!bang ~ * ? [x] {a,b} <>|&",
]


@pytest.mark.parametrize("value", NASTY)
def test_what_systemd_reads_is_what_was_meant(value: str) -> None:
    assert systemd_reads(render({"IVY_X": value, "IVY_Y": "after"})) == {"IVY_X": value, "IVY_Y": "after"}


@given(
    st.dictionaries(
        st.from_regex(r"IVY_[A-Z0-9_]{1,6}", fullmatch=True),
        st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc"), include_characters="\t")),
        max_size=4,
    )
)
def test_any_value_survives(variables: dict[str, str]) -> None:
    assert systemd_reads(render(variables)) == variables


@given(st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc"), include_characters="\t")))
def test_any_value_of_engine_environment_survives(value: str) -> None:
    environment = jinja2.Environment(trim_blocks=True, keep_trailing_newline=True)
    template = environment.from_string(NODE_ENV.read_text(encoding="utf-8"))
    text = template.render(
        engine_environment={"ODD": value, "THEN": "after"}, engine_selected_java_home="/j", ivy_time_zone="UTC"
    )
    read = systemd_reads(text)
    assert (read["ODD"], read["THEN"], read["LANG"]) == (value, "after", "C.UTF-8")


@pytest.mark.parametrize("value", ["a\nb", "a\r", "\x00", "a\x1bb", "\x7f", "\ud800"])
def test_what_systemd_would_drop_is_refused(value: str) -> None:
    with pytest.raises(SecretError) as caught:
        quote(value)
    assert value not in str(caught.value)
    with pytest.raises(SecretError):
        check_value(value)


def test_the_order_does_not_depend_on_the_input() -> None:
    assert render({"IVY_B": "1", "IVY_A": "2"}) == render({"IVY_A": "2", "IVY_B": "1"})


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("SystemDb.Password", "IVY_SYSTEMDB_PASSWORD"),
        ("SearchEngine.ExternalServer.Password", "IVY_SEARCHENGINE_EXTERNALSERVER_PASSWORD"),
        ("Administrators.admin.Password", None),
        ("Administrators.Admin.Password", None),
        ("Administrators.my-admin.Password", None),
        ("Administrators.my admin.Password", None),
        ("Administrators.my_admin.Password", None),
        ("Administrators.ädmin.Password", None),
        ("SecuritySystems.MyContext.X.Password", None),
    ],
)
def test_names_of_variables(key: str, name: str | None) -> None:
    assert variable_name(key) == name


def test_keys_that_share_a_variable_become_files() -> None:
    variables, files = split(["A.B", "A.b", "C.d", "E-f.g"])
    assert variables == {"C.d": "IVY_C_D"}
    assert files == ["A.B", "A.b", "E-f.g"]


def test_names_of_files() -> None:
    assert file_name("Administrators.my-admin.Password") == "ivy.Administrators.my-admin.Password"
    for key in ("a/../../b-c", "a-\x00", "x-" + "é" * 200):
        with pytest.raises(SecretError):
            file_name(key)
    assert problem_of("a-/b", "x") is not None
    assert problem_of("a.b", "x") is None
    assert "x\ny" not in (problem_of("a.b", "x\ny") or "x\ny")
