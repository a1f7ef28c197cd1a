# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module host_state_facts, without Ansible."""

from __future__ import annotations

import typing as t

from . import gather


def host_state_facts(params: t.Mapping[str, t.Any], check_mode: bool) -> dict[str, t.Any]:
    passwords: dict[str, str] = params["passwords"]
    observed = gather.gather(params["subjects"], passwords, check_mode)
    return {"changed": False, "observed": _without(observed, [text for text in passwords.values() if text])}


def _without(value: t.Any, secrets: t.Sequence[str]) -> t.Any:
    """The value without the passwords, which a service may repeat in what it reports."""
    if isinstance(value, str):
        for secret in secrets:
            value = value.replace(secret, "********")
        return value
    if isinstance(value, dict):
        return {key: _without(item, secrets) for key, item in value.items()}
    return [_without(item, secrets) for item in value] if isinstance(value, (list, tuple)) else value
