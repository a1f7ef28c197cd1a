# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.ivy.cluster.plugins.plugin_utils.common.masking import (
    MASK,
    is_secret_key,
    leaves,
    mask,
    must_be_secret,
    scrub,
)


@pytest.mark.parametrize(
    "key",
    [
        "SystemDb.Password", "Connector.HTTPS.KeystorePass", "X.client_secret", "X.Client-Secret", "X.apiKey",
        "X.API_KEY", "X.accessToken", "X.PrivateKey", "X.Credentials.User", "IVY_SYSTEMDB_PASSWORD", "X.pwd",
    ],
)  # fmt: skip
def test_secret_keys_are_hidden(key: str) -> None:
    assert is_secret_key(key)
    assert mask(key, "value") == MASK


@pytest.mark.parametrize("key", ["SystemDb.Url", "Connector.HTTP.Port", "EMail.Server.Host", "BaseUrl"])
def test_others_are_shown(key: str) -> None:
    assert not is_secret_key(key)
    assert mask(key, "value") == "value"


def test_an_absent_value_stays_absent() -> None:
    assert mask("Password", None) is None


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("${encrypt:x}", MASK),
        ("a ${decrypt:x} b", MASK),
        ("${hash:x}", MASK),
        ("${ivy.var.X}", "${ivy.var.X}"),
        ("http://user:pw@host/x", f"http://user:{MASK}@host/x"),
        # It may as well be a token.
        ("http://user@host/x", f"http://{MASK}@host/x"),
        ("jdbc:x://h/d?user=a&password=pw&ssl=1", f"jdbc:x://h/d?user=a&password={MASK}&ssl=1"),
    ],
)
def test_secrets_inside_values(value: str, shown: str) -> None:
    assert mask("X.Url", value) == shown


def test_named_keys_are_hidden() -> None:
    assert mask("X.Plain", "value", secret_keys=["X.Plain"]) == MASK


@pytest.mark.parametrize(
    "key",
    [
        "X.Password",
        "X.client_secret",
        "A.Token",
        "A.api_key",
        "A.B.KeystorePass",
        "P.token[2]",
        "X.CertificateKeyPassword",
    ],
)
def test_keys_that_refuse_clear_text(key: str) -> None:
    assert must_be_secret(key)


@pytest.mark.parametrize("key", ["X.PasswordPolicy", "X.TokenUrl", "Secrets.Enabled", "X.Tokens", "Password.Length"])
def test_keys_that_only_sound_like_a_secret(key: str) -> None:
    assert not must_be_secret(key)


@given(st.lists(st.text(min_size=3, max_size=8), min_size=1, max_size=4), st.text(max_size=10))
def test_scrub_lets_nothing_through(secrets: list[str], around: str) -> None:
    text = around + around.join(secrets) + around
    cleaned = scrub(text, secrets)
    # What is left may only contain a secret that is itself part of the mask.
    assert all(secret not in cleaned.replace(MASK, "\0") for secret in secrets)


def test_leaves() -> None:
    assert list(leaves({"a": "x", "b": [1, {"c": "y"}], "d": None, "e": True})) == ["x", "1", "y"]
