# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""No secret of any kind is left in a masked text, and everything else stays readable."""

from __future__ import annotations

import base64
import string

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ansible_collections.ivy.cluster.plugins.module_utils.node.masking.names import is_secret_key, must_be_secret
from ansible_collections.ivy.cluster.plugins.module_utils.node.masking.spans import secret_spans
from ansible_collections.ivy.cluster.plugins.module_utils.node.masking.text import (
    LONGEST,
    MASK,
    masked,
    masked_lines,
    scrub,
)
from ansible_collections.ivy.cluster.tests import canaries
from ansible_collections.ivy.cluster.tests.timing import in_proportion

CANARY = "cAnary7f3aB"


@pytest.mark.parametrize("around", canaries.AROUND)
@pytest.mark.parametrize("kind", canaries.ALL)
def test_a_secret_of_any_kind_is_masked_wherever_it_is(kind: str, around: str) -> None:
    text = canaries.AROUND[around].format(canaries.ALL[kind].format(CANARY))
    shown = masked(text)
    assert CANARY not in shown
    assert MASK in shown
    assert masked(shown) == shown


@pytest.mark.parametrize("kind", canaries.CERTAIN)
def test_what_can_only_be_a_secret_is_certain(kind: str) -> None:
    text = canaries.CERTAIN[kind].format(CANARY)
    at = text.index(CANARY)
    assert any(span.certain and span.start <= at < span.end for span in secret_spans(text))


@pytest.mark.parametrize("text", canaries.HARMLESS)
def test_everything_else_stays_readable(text: str) -> None:
    assert masked(text) == text
    assert masked(f"before\n{text}\nafter") == f"before\n{text}\nafter"


VISIBLE = st.text(st.sampled_from([c for c in string.printable if not c.isspace()]), min_size=8, max_size=30)


@given(VISIBLE)
@example("pa/ss@w:rd")
@example("8080/a@b.c")
@example("://x:y@")
@example("%40a%2Fb@@")
@example("\"'<>`{}[]|")
def test_any_password_in_a_url(password: str) -> None:
    """Whatever ends the host in a well-formed URL may be a part of a password in a malformed one."""
    shown = masked(f"cannot connect to https://me:{password}@host/path: refused")
    assert password not in shown
    assert shown.startswith("cannot connect to https://me:")


@given(VISIBLE, st.sampled_from(["api_key", "sig", "password", "access_token"]))
def test_any_value_of_a_parameter(value: str, name: str) -> None:
    # An ampersand at the beginning ends an empty value.
    value = value.lstrip("&") or "x"
    assert f"={value}" not in masked(f"GET https://host/x?{name}={value} 403")


@given(st.text(string.ascii_letters + string.digits + "+/=-_", min_size=8, max_size=40))
def test_any_token_in_a_url(token: str) -> None:
    token = token.lstrip("/") or "x"
    assert f"//{token}@" not in masked(f"clone https://{token}@git.acme.ch/x.git")


@given(st.text(max_size=300))
@example("<" * 200)
@example("password:" * 30)
@example("password: [" * 30)
@example("-----BEGIN PRIVATE KEY-----" * 3)
@example("://:@" * 20)
def test_any_text_gives_an_answer(text: str) -> None:
    for span in secret_spans(text):
        assert 0 <= span.start <= span.end <= len(text)
    spans = secret_spans(text)
    assert all(one.end <= other.start for one, other in zip(spans, spans[1:]))
    masked(text)


def test_an_exact_end_stays_exact_where_two_steps_find_the_same() -> None:
    (span,) = secret_spans('{"keyStore password": "x", "a": 1}')
    assert (span.exact, span.certain) == (True, True)


def body(lines: int) -> list[str]:
    data = base64.b64encode(bytes(range(1, 256)) * 20).decode()
    return [data[start : start + 64] for start in range(0, 64 * lines, 64)]


def test_the_middle_of_a_key_is_masked_when_the_tail_of_a_log_begins_and_ends_in_it() -> None:
    for prefix in ("", "Nov 28 engine1 java[7]: "):
        lines = [prefix + line for line in body(20)]
        shown = masked_lines(lines)
        assert not any(line in "\n".join(shown) for line in body(20))


def test_a_public_certificate_stays_readable() -> None:
    text = "\n".join(["-----BEGIN CERTIFICATE-----", *body(5), "-----END CERTIFICATE-----"])
    assert masked(text) == text


def test_a_key_that_is_encoded_is_recognized() -> None:
    pem = f"-----BEGIN PRIVATE KEY-----\n{CANARY * 3}\n-----END PRIVATE KEY-----"
    encoded = base64.b64encode(pem.encode()).decode()
    assert encoded[60:] not in masked(f"tls.key: {encoded}")
    other = base64.b64encode(b"-----BEGIN CERTIFICATE-----\n" + b"a" * 90).decode()
    assert masked(f"tls.crt: {other}") == f"tls.crt: {other}"


def test_known_secrets_are_found_in_the_forms_that_programs_write() -> None:
    secret = 'pa ss"w/ö&'
    for text in (secret, "pa%20ss%22w%2F%C3%B6%26", "pa+ss%22w%2F%C3%B6%26", "pa ss&quot;w/ö&amp;", 'pa ss\\"w/ö&'):
        assert masked(f"x {text} y", [secret]) == f"x {MASK} y"
    key = "\n".join(body(4))
    assert scrub(f"java: {body(4)[2]}", [key]) == f"java: {MASK}"


@pytest.mark.parametrize(
    "key",
    ["Pass", "Pw", "BindPw", "bindpw", "X.UserPass", "DB_PASS", "ldap.bind-pw", "AccountKey", "SharedAccessKey", "psk"],
)
def test_short_names_of_secrets(key: str) -> None:
    assert is_secret_key(key)
    assert must_be_secret(key)


@pytest.mark.parametrize(
    "key", ["Bypass", "X.ByPass", "compass", "PassThrough", "Passive", "pwa", "X.Keys", "highPass"]
)
def test_names_that_contain_such_a_word(key: str) -> None:
    assert not is_secret_key(key)
    assert not must_be_secret(key)


# Each is repeated. A step that begins again where it was begun before, and then goes on to the end of the text, takes
# many times as long as it should.
REPEATED = (
    *("-", "- ", "--BEGIN ", "--END ", "-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY-----", "--BEGIN PRIVATE "),
    *("-----BEGIN CERTIFICATE-----", "-----BEGIN CERTIFICATE ", "-----END CERTIFICATE-----", "CERTIFICATE ", "A" * 64),
    *("A" * 64 + "\n", "A" * 64 + "\n-----END PRIVATE KEY-----\n", "PuTTY-User-Key-File-3", "LS0tLS1CRUdJTi"),
    *(
        "://",
        "://a",
        "://a:b@",
        "%3a%2f%2f",
        "@",
        ":",
        "/",
        "jdbc:a:",
        "jdbc:",
        "jdbc:a:b/",
        "jdbc:a:b/c@",
        'jdbc:a:b/"',
    ),
    *(
        "a:bcd@",
        "a.",
        "a-",
        "a:",
        "<",
        ">",
        "<a",
        "<a ",
        "<a>",
        "</a>",
        "<password>",
        "<token>",
        "<token><a>",
        "</token",
    ),
    *("<password><![CDATA[", "<token><![CDATA[", "<token><![CDATA[]]>", '<a name="token"><![CDATA[', "<password><a>"),
    *("<key>token</key><value><![CDATA[", "<name>", "<key>a</key>", '<a name="', "name='' ", '<a value="" ', "value='"),
    *("pw=", "pw:", "pw=[", "pw=[\n", "pw={", "pw=[]", "pw=['", 'pw=["', 'pw=["\\"', "pw='", 'pw="', 'pw="\\', "pw=\\"),
    *(
        "pw:\n",
        "pw:\n  ",
        "pw: |\n",
        "pw: |\n a\n",
        "token:\n- ",
        "token=pw=",
        "?key=",
        "&key=",
        "?a&",
        ";pw=a",
        ";pw=; ",
    ),
    *(
        "pw=<",
        "pw=<a",
        "pw=&",
        "&a",
        "a ",
        "a\n",
        "\n",
        " ",
        "\t",
        "\r",
        "\\",
        "'",
        '"',
        "''",
        "\\'",
        "]",
        "[",
        "{{",
        "}",
    ),
    *("--pw ", "--pw '", "-a ", "pw a\n", "a.pw ", "password '", "password ", "identified ", "identified by ", "user "),
    *("user a password ", "auth a:", "bearer ", "bearer a", "basic =", "${encrypt:", "eyJ", "eyJaaaaa", "eyJaaaaa-"),
    *(
        "//",
        "//a:",
        "//a:b@",
        ":/",
        ":/a:b",
        ":/:b@",
        "https:",
        "https:a:",
        "\\\\:",
        "name:",
        "name:pw\n",
        "value:",
        "value:\n",
    ),
    *(
        "name=pw value=a ",
        "value=a name=pw ",
        "- name: pw\n  value: a\n",
        "<pw value=",
        "<pw value='",
        "<a a ",
        "<pw  ",
    ),
    *(
        "'pw',",
        "'pw','",
        "'--",
        "login a ",
        "login a password ",
        "-u a",
        "-u a:",
        "-u ",
        "mysql ",
        "mysql -p",
        "mysql -",
        "zip ",
    ),
    *(
        "with ",
        "password to ",
        "password is ",
        "password for ",
        "password for a ",
        "secret  ",
        "identified by a ",
        "sqlplus a/",
    ),
    *(
        "a/b@",
        "a/",
        "MA",
        "MII" + "a" * 50,
        "MII" + "a" * 50 + "\n",
        "private key ",
        "private key a1",
        "login with a/",
        "login with ",
    ),
    *("password $a$", "password $$", "password E'", 'a("', "a.", "setpassword(", "jsessionid=", "sshpass -p"),
    *("-eyJaaaaa.", "eyJaaaaa.aaaaa", "ghp_", "$1$", "$argon2", "$pbkdf2-", "SCRAM-SHA-1$", "md5", "AGE-SECRET-KEY-1"),
)


# Texts that take more time at their beginning than later are compared at a greater length.
UNITS = [*dict.fromkeys((*REPEATED, *(text[:40] for text in canaries.ALL.values())))]
LENGTH = 8192


@pytest.mark.parametrize("unit", UNITS)
def test_no_text_takes_more_time_than_in_proportion_to_its_length(unit: str) -> None:
    assert in_proportion(secret_spans, unit, LENGTH) or in_proportion(secret_spans, unit, 8 * LENGTH)


@pytest.mark.parametrize("unit", [";pw=; ", "a=1 ", "&a", "<a", "'"])
def test_no_value_takes_more_time_than_in_proportion_to_its_length(unit: str) -> None:
    assert in_proportion(lambda text: secret_spans(f";pw=a;{text}"), unit, LENGTH)


def test_a_text_that_is_too_long_is_replaced_by_words_that_say_so() -> None:
    assert masked("a" * LONGEST) == "a" * LONGEST
    assert masked("a" * LONGEST + "b") == (
        f"(a text of {LONGEST + 1} characters is not shown: it is too long to be searched for secrets)"
    )


@pytest.mark.parametrize("unit", ["\x1b[", "\x1b]", "\x1b[0m", "^[[1", "\\u001b[", "#033[1;"])
def test_colours_take_no_more_time_than_in_proportion(unit: str) -> None:
    assert in_proportion(masked, unit, LENGTH)


def test_colours_are_removed_also_from_known_secrets() -> None:
    assert masked("\x1b[1;31mlost a\x1b[0m horse\x1b]0;title\x07", ["a horse"]) == f"lost {MASK}"


def test_brackets_that_nothing_closes_hide_no_secret() -> None:
    assert CANARY not in masked("pw=[\n" * 60_000 + f"password: [\n{CANARY}\n]")


@pytest.mark.parametrize(
    "begin", ["<password><![CDATA[", "<param name='password'><![CDATA[", "<key>pw</key><value><![CDATA["]
)
def test_a_section_without_end_is_masked_to_the_end(begin: str) -> None:
    assert masked(f"<a>{begin}{CANARY}\n{CANARY}") == f"<a>{begin.removesuffix('<![CDATA[')}{MASK}"


def test_a_web_token_within_words() -> None:
    for text in ("session-{}", "x.{}", "{}", "a-b.c.{}."):
        token = f"eyJ{CANARY}.eyJ{CANARY}.{CANARY}"
        assert CANARY not in masked(text.format(token))
