# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import types
import typing as t

import pytest
from ansible.plugins.action import ActionBase

from ansible_collections.ivy.cluster.plugins.action import host_state
from ansible_collections.ivy.cluster.plugins.plugin_utils.host_state import expected

ABSENT = {"paths": [{"path": "/etc/gone", "state": "absent"}]}


class Descriptions:
    """What the roles describe; a text is the reason why a description cannot be evaluated."""

    roles: t.ClassVar[dict[str, t.Any]] = {}

    def __init__(self, *_arguments: t.Any) -> None:
        self.observed: list[t.Any] = []

    def state_or_reason(self, name: str, observed: t.Any) -> tuple[t.Any, str]:
        self.observed.append(observed)
        state = self.roles[name](observed) if callable(self.roles[name]) else self.roles[name]
        return (None, state) if isinstance(state, str) else (expected.validated(state), "")


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> t.Callable[..., dict[str, t.Any]]:
    monkeypatch.setattr(host_state, "Descriptions", Descriptions)

    def call(answer: t.Any, variables: t.Any = None, **roles: t.Any) -> dict[str, t.Any]:
        monkeypatch.setattr(Descriptions, "roles", roles)
        task = types.SimpleNamespace(args={"roles": list(roles)}, async_val=0, check_mode=False)
        action = host_state.ActionModule(t.cast(t.Any, task), *[t.cast(t.Any, None)] * 5)
        action._templar = t.cast(t.Any, types.SimpleNamespace(template=lambda value: value))
        monkeypatch.setattr(action, "_execute_module", lambda **_arguments: answer)
        monkeypatch.setattr(ActionBase, "run", lambda *_arguments: {})
        monkeypatch.setattr(
            action,
            "validate_argument_spec",
            lambda **_arguments: (None, {"roles": list(roles), "store": ""}),
            raising=False,
        )
        return action.run(task_vars=variables or {})

    return call


def observed(**paths: str) -> dict[str, t.Any]:
    return {"observed": {"paths": {"/etc/gone": {"state": paths.get("gone", "absent")}}}}


def test_no_role_runs_on_a_host_in_the_expected_state(run: t.Callable[..., dict[str, t.Any]]) -> None:
    result = run(observed(), certificates=ABSENT, haproxy={})

    assert (result["changed"], result["roles"], result["differences"]) == (False, [], {})


def test_the_state_that_a_role_would_set_has_a_keyed_digest(run: t.Callable[..., dict[str, t.Any]]) -> None:
    def wanted(key: str, content: str) -> str:
        state = {"paths": [{"path": "/etc/gone", "state": "file", "content": content}]}
        result = run(observed(), {"ivy_cluster_key": key}, engine=state, config_guard={})
        assert set(result["wanted"]) == {"engine"}
        assert content not in str(result)
        return str(result["wanted"]["engine"])

    assert wanted("k" * 32, "canary") == wanted("k" * 32, "canary")
    assert len({wanted("k" * 32, "canary"), wanted("k" * 32, "other"), wanted("l" * 32, "canary")}) == 3


def test_the_order_of_a_description_does_not_change_its_digest(run: t.Callable[..., dict[str, t.Any]]) -> None:
    # An option of the user may be the result of a filter on sets, which returns another order in each run.
    packages: list[dict[str, t.Any]] = [
        {"name": "nftables"},
        {"name": "openjdk-17-jre-headless", "held": True},
        {"name": "zip"},
    ]

    def wanted(*names: dict[str, t.Any]) -> str:
        state = {"packages": list(names), **ABSENT}
        result = run(observed(gone="file"), {"ivy_cluster_key": "k" * 32}, engine=state)
        return str(result["wanted"]["engine"])

    assert wanted(*packages) == wanted(*packages[::-1])
    assert wanted(*packages) != wanted(*packages[:2])


def test_all_roles_from_the_first_that_differs_run(run: t.Callable[..., dict[str, t.Any]]) -> None:
    result = run(observed(gone="file"), file_share={}, engine=ABSENT, config_guard={})

    assert result["roles"] == ["engine", "config_guard"]
    assert result["differences"] == {"engine": ["/etc/gone: present"]}


def test_a_description_that_cannot_be_evaluated_is_a_difference(run: t.Callable[..., dict[str, t.Any]]) -> None:
    result = run(observed(), postgres="postgres_version is undefined")

    assert result["roles"] == ["postgres"]
    assert "postgres_version is undefined" in result["differences"]["postgres"][0]


def test_a_description_that_depends_on_the_host_is_evaluated_again(run: t.Callable[..., dict[str, t.Any]]) -> None:
    def modules(found: t.Any) -> dict[str, t.Any]:
        wanted = ABSENT if "paths" in found else {"paths": [{"path": "/etc/gone"}]}
        return {**wanted, "listings": ["/opt/modules"]}

    assert run(observed(), elasticsearch=modules)["roles"] == []


def test_the_description_of_a_balancer_is_evaluated_again_with_the_headers_that_it_removes(
    run: t.Callable[..., dict[str, t.Any]],
) -> None:
    def headers(found: t.Any) -> dict[str, t.Any]:
        wanted = ABSENT if "balancer" in found else {"paths": [{"path": "/etc/gone"}]}
        return {**wanted, "services": {"balancer": {"gather": {}, "expect": {}}}}

    answer = observed()
    answer["observed"]["balancer"] = {"reload_required": False, "sso_headers": ["x-old"]}
    assert run(answer, haproxy=headers)["roles"] == []


def test_a_host_that_cannot_be_inspected_fails_the_task(run: t.Callable[..., dict[str, t.Any]]) -> None:
    assert run({"failed": True, "msg": "no Python"}, engine=ABSENT)["failed"]
