# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which names belong to secrets."""

from __future__ import annotations

import re

# Wide on purpose: masking one value too many costs a line of a diff, one too few costs a secret.
_HIDDEN = re.compile(
    r"passw|passphrase|pwd|kennwort|secret|token|credential|signature|keypass|storepass|salt|licen[cs]e|cookie|"
    r"authorization|bearer|"
    r"(?:access|account|api|auth|client|cluster|encryption|function|host|master|private|shared|signing|storage|"
    r"subscription)key",
    re.IGNORECASE,
)
# Narrow on purpose: this one refuses a source, so it names only keys that can hardly mean anything else.
_MUST_BE_SECRET = re.compile(
    r".*password|.*passwd|.*passphrase|pwd|.*kennwort|.*secret|.*(?:access|account|api|master|private|secret|shared)key|"
    r"(?:access|api|auth|bearer|refresh)?token|credentials?|keypass|.*storepass",
    re.IGNORECASE,
)
_WORD_BREAKS = re.compile(r"[-_\s]")
_INDEX = re.compile(r"\[\d*\]")
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
# Short words for secrets, at the end of a name only.
_SHORT = ("pass", "pw", "pwd", "psk", "otp", "jwt", "sas", "sig", "creds", "cred")
_SHORT_AND_CERTAIN = ("pass", "pw", "pwd", "psk")
_OTHER_PASSES = (
    *("allpass", "bandpass", "bypass", "compass", "encompass", "highpass", "lowpass", "multipass", "onepass"),
    *("overpass", "singlepass", "surpass", "trespass", "underpass"),
)


def is_secret_key(key: str) -> bool:
    """Whether the value of a key path is hidden in every output."""
    if _HIDDEN.search(_WORD_BREAKS.sub("", key)) is not None:
        return True
    return any(_is_short(part, _SHORT) for part in key.split("."))


def must_be_secret(key: str) -> bool:
    """Whether the last part of a key path can only name a secret."""
    last = _INDEX.sub("", key).rsplit(".", 1)[-1]
    if _MUST_BE_SECRET.fullmatch(_WORD_BREAKS.sub("", last)) is not None:
        return True
    return _is_short(last, _SHORT_AND_CERTAIN)


def _is_short(name: str, short: tuple[str, ...]) -> bool:
    words = [word.lower() for word in _WORD.findall(name)][-2:]
    if not words or words[-1] in _OTHER_PASSES or "".join(words) in _OTHER_PASSES:
        return False
    return words[-1] in short or words[-1].endswith(("pass", "pw"))
