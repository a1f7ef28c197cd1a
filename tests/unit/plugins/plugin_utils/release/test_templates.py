# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.ivy.cluster.plugins.plugin_utils.common.findings import Finding
from ansible_collections.ivy.cluster.plugins.plugin_utils.release.templates import Renderer

SHARED: dict[str, t.Any] = {"mail": {"host": "mail.example.com", "ports": [25, 465]}, "items": "mine", "on": True}
SECRET: dict[str, t.Any] = {"password": "s3cret-canary", "pin": 1234, "nested": {"token": "canary-token"}}


def text_of(source: str) -> str:
    rendered, findings = Renderer(SHARED, SECRET).render("x.j2", source)
    assert findings == []
    assert rendered is not None
    return rendered.text


def findings_of(source: str) -> list[Finding]:
    rendered, findings = Renderer(SHARED, SECRET).render("x.j2", source)
    assert rendered is None
    assert findings
    return findings


def test_what_a_template_sees() -> None:
    assert text_of("{{ shared.mail.host }}:{{ shared.mail.ports[1] }} {{ secret.pin }}\n\n") == (
        "mail.example.com:465 1234\n\n"
    )


def test_a_value_may_have_the_name_of_a_method() -> None:
    assert text_of("{{ shared.items }}") == "mine"
    assert text_of("{% for k, v in shared.mail.items() %}{{ k }} {% endfor %}") == "host ports "


def test_filters() -> None:
    assert text_of("{{ ('${encrypt:' ~ 'a\"b' ~ '}') | to_json }}") == '"${encrypt:a\\"b}"'
    assert text_of("{{ 'é' | to_json }} {{ 'é' | b64encode }} {{ shared.on | to_json }}") == '"é" w6k= true'
    assert text_of("{{ {'b': 1, 'a': 2} | to_json }}") == '{"a": 2, "b": 1}'


def test_every_missing_name_is_reported_with_its_line() -> None:
    findings = findings_of(
        "a: {{ shared.mail.hots }}\n"
        "b: {{ secret.none.deeper['x'] }}\n"
        "c: {{ inventory_hostname }}\n"
        "{% if false %}{{ lookup('env', 'HOME') }}{% endif %}\n"
        "{{ ansible_facts.x }}{{ hostvars['a'] }}{{ mail }}\n"
        "{% for x in shared.list %}{{ x }}{% endfor %}\n"
    )
    assert [(finding.line, finding.message) for finding in findings] == [
        (1, "'shared.mail.hots' is not defined"),
        (2, "'secret.none' is not defined"),
        (3, "'inventory_hostname' is not known in a template"),
        (4, "'lookup' is not known in a template"),
        (5, "'ansible_facts' is not known in a template"),
        (5, "'hostvars' is not known in a template"),
        (5, "'mail' is not known in a template"),
        (6, "'shared.list' is not defined"),
    ]
    advice = {finding.message.split("'")[1]: finding.fix for finding in findings}
    assert "did you mean 'shared.mail.host'" in advice["shared.mail.hots"]
    assert "ivy_shared_secrets" in advice["secret.none"]
    assert "same on every node" in advice["inventory_hostname"]
    assert "same on every node" in advice["ansible_facts"]
    assert "look-ups" in advice["lookup"]
    assert "did you mean 'shared.mail'" in advice["mail"]


@pytest.mark.parametrize(
    "use",
    [
        "{{ shared.no }}", "{{ shared.no + 1 }}", "{{ 1 - shared.no }}", "{{ shared.no() }}", "{{ shared.no.x.y }}",
        "{{ shared.no | upper }}", "{{ shared.no == 1 }}", "{{ shared.no < 1 }}", "{% if shared.no %}{% endif %}",
        "{{ shared.no | length }}", "{{ shared.no | int }}", "{{ 'x' ~ shared.no }}", "{{ shared['no'] }}",
        "{{ {shared.no: 1} }}", "{{ shared.no | to_json }}", "{{ -shared.no }}", "{{ shared.no | join(',') }}",
    ],
)  # fmt: skip
def test_no_use_of_a_missing_name_passes(use: str) -> None:
    assert "'shared.no' is not defined" in [finding.message for finding in findings_of(use)]


def test_asking_whether_something_is_defined_is_fine() -> None:
    assert text_of("{{ shared.no is defined }} {{ shared.no | default('x') }}") == "False x"


@pytest.mark.parametrize(
    ("source", "line", "problem"),
    [
        ("a\n{{ shared.mail", 2, "not valid"),
        ("a\n{{ 1 | to_nice_yaml }}", 2, "to_nice_yaml"),
        ("{{ 1 | random }}", 1, "random"),
        ("{{ lipsum() }}", 1, "'lipsum' is not known"),
        ("a\n{% include 'other' %}", 2, "cannot include"),
        ("{{ ''.__class__.__mro__ }}", 1, "sandbox"),
        ("{{ shared.update({'a': 1}) }}", 1, "sandbox"),
        ("{{ shared.mail.__class__ }}", 1, "sandbox"),
        ("a\nb\n{{ secret.password + 1 }}", 3, "TypeError"),
        ("{{ 1 / 0 }}", 1, "ZeroDivisionError"),
        ("{{ range(10 ** 9) | list }}", 1, "OverflowError"),
    ],
)
def test_what_else_can_go_wrong(source: str, line: int, problem: str) -> None:
    (finding,) = findings_of(source)
    assert finding.line == line
    assert problem in finding.message
    assert "canary" not in str(finding)


def test_it_is_known_where_secrets_went() -> None:
    renderer = Renderer(SHARED, SECRET)

    def holds(source: str) -> bool:
        rendered, _findings = renderer.render("x.j2", source)
        assert rendered is not None
        return rendered.holds_secrets

    assert not holds("{{ shared.mail.host }} {{ secret.nested is mapping }}")
    assert holds("{{ secret.password }}")
    assert holds("{{ secret.nested.token | b64encode }}")
    assert holds("{{ secret.pin + 1 }}")
    assert holds("{% if secret.pin > 1235 %}x{% endif %}")


def test_a_template_that_works_with_real_secrets_only_counts_as_one_that_holds_them() -> None:
    rendered, findings = Renderer({}, {"list": "a,b"}).render("x.j2", "{{ secret.list.split(',')[1] }}")
    assert findings == []
    assert rendered is not None
    assert rendered.text == "b"
    assert rendered.holds_secrets
    assert rendered.disguised is None


def test_the_input_is_not_changed() -> None:
    before = repr((SHARED, SECRET))
    text_of("{% set x = shared.mail %}{{ x.host }}")
    assert repr((SHARED, SECRET)) == before


@pytest.mark.parametrize(
    ("source", "line", "kind"),
    [
        ("a\n{{ shared.mail.ports | map('string') }}", 2, "generator"),
        ("{{ [shared.mail.ports | select] }}", 1, "generator"),
        ("{{ {'a': shared.mail.ports | batch(2)} }}", 1, "generator"),
        ("\n\n{{ shared.mail.items }}", 3, "builtin_function_or_method"),
        ("{{ shared.mail.items() }}", 1, "dict_items"),
        ("{{ 'x' ~ (shared.mail.ports | map('string')) }}", 0, "object"),
        ("{{ cycler('a') }}", 1, "Cycler"),
        ("{% macro m() %}{% endmacro %}{{ m }}", 1, "Macro"),
        ("{% for x in [1] %}{{ loop }}{% endfor %}", 1, "LoopContext"),
    ],
)
def test_what_differs_from_run_to_run_is_refused(source: str, line: int, kind: str) -> None:
    (finding,) = findings_of(source)
    assert finding.line == line
    assert f"writes a '{kind}'" in finding.message


def test_plain_values_are_written_as_ever() -> None:
    assert (
        text_of("{{ [1, 'a', {'b': ''}] }} {{ 1.5 }} {{ true }} {{ (1, 2) }}") == "[1, 'a', {'b': ''}] 1.5 True (1, 2)"
    )
    assert text_of("<x at 0x7f0000000000> {{ 1 }}") == "<x at 0x7f0000000000> 1"


@pytest.mark.parametrize(
    "expression",
    [
        *("null", "none", "nested.get('nothing')", "[null]", "{'a': [{'b': null}]}"),
        *("'Host: ' ~ null", "'${encrypt:' ~ null ~ '}'", "'a' ~ nested.get('nothing')", "'%s' % null"),
        *("null | upper", "null | string", "null | to_json", "null | b64encode", "null | trim | length"),
        *("null | default('x')", "null if true else ''", "(null | default(none, true)) ~ ''"),
    ],
)
def test_a_null_is_never_written(expression: str) -> None:
    source = "first\n{% set null = none %}{% set nested = {} %}\n{{ " + expression + " }}"
    _rendered, findings = Renderer({}, {}).render("x.j2", source)
    assert findings, expression
    assert all(finding.line == 3 and "null" in finding.message for finding in findings), findings
    assert all("None" not in finding.fix for finding in findings)


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        *(("null | default('x', true)", "x"), ("null | d('', true) ~ 'y'", "y"), ("null or 'x'", "x")),
        *(("'a' if not null else 'b'", "a"), ("{'a': null} | to_json", '{"a": null}')),
    ],
)
def test_a_null_that_is_dealt_with(expression: str, text: str) -> None:
    assert text_of("{% set null = none %}{{ " + expression + " }}") == text


@pytest.mark.parametrize(
    "use",
    [
        "{{ secret.a Hunter2x }}",
        "{{ 'a' | Hunter2x }}",
        "{% Hunter2x %}",
        "{{ 1 is Hunter2x }}",
        "{% block a %}{% Hunter2x %}",
    ],
)
def test_no_message_about_syntax_quotes_the_text(use: str) -> None:
    rendered, findings = Renderer({}, {"a": "x"}).render("a.yaml", use)
    assert rendered is None
    assert findings
    assert "Hunter2x" not in str(findings)


def test_what_jinja_expected_is_named() -> None:
    _rendered, (finding,) = Renderer({}, {}).render("a.yaml", "{% if true %}")
    assert "'endif'" in finding.message
