# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t

from ansible_collections.ivy.cluster.plugins.module_utils.node.engine import run_state
from ansible_collections.ivy.cluster.plugins.module_utils.node.files.manifest import Restart
from ansible_collections.ivy.cluster.plugins.plugin_utils.operations.rotated_secrets import render


def plan(*reasons: str) -> dict[str, t.Any]:
    return {"activate": bool(reasons), "restart": bool(reasons), "reasons": list(reasons)}


def data(nodes: dict[str, t.Any], **more: t.Any) -> dict[str, t.Any]:
    return {"nodes": nodes, "new_key": False, "own_database": True, "check_mode": False, **more}


def reason(key: str, before: dict[str, str], after: dict[str, str]) -> str:
    """A reason as the node states it."""
    kind = "keys" if before else "always"
    then, now = Restart(kind, "1", before), Restart(kind, "2", after)
    return run_state._file_reason(key, "a", then, "b", now, {})


ENVIRONMENT = reason(
    "environment:shared.env",
    {"IVY_SYSTEMDB_PASSWORD": "1", "IVY_SEARCHENGINE_EXTERNALSERVER_PASSWORD": "1", "IVY_EMAIL_SERVER_PASSWORD": "1"},
    {"IVY_SYSTEMDB_PASSWORD": "2", "IVY_SEARCHENGINE_EXTERNALSERVER_PASSWORD": "2", "IVY_EMAIL_SERVER_PASSWORD": "1"},
)
ADMINISTRATOR = reason("secrets:ivy.Administrators.admin.Password", {}, {})
SOURCE = "configuration/ivy.yaml: SystemDb.UserName changed since the engine started"


def test_the_secrets_are_named_with_their_nodes() -> None:
    text = render(data({"engine1": plan(ENVIRONMENT, ADMINISTRATOR), "engine2": plan(ENVIRONMENT)}))
    assert text.splitlines() == [
        "database password: replaced on engine1, engine2",
        "password of the administrator admin: replaced on engine1",
        "search password: replaced on engine1, engine2",
    ]


def test_check_mode_is_a_prediction() -> None:
    found = data({"engine1": plan(ENVIRONMENT)}, check_mode=True, retired=["ivy"], sessions=3)
    assert render(found).splitlines() == [
        "database password: would be replaced on engine1",
        "search password: would be replaced on engine1",
        "former logins of the database: ivy would be locked",
    ]


def test_more_secrets_than_a_reason_names() -> None:
    before = {f"IVY_KEY{number:02}": "1" for number in range(11)}
    text = render(data({"engine1": plan(reason("environment:shared.env", before, dict.fromkeys(before, "2")))}))
    assert text.splitlines()[0] == "KEY00: replaced on engine1"
    assert len(text.splitlines()) == 8


def test_nothing_to_rotate_and_other_changes() -> None:
    assert render(data({"engine1": plan(), "engine2": None})) == "No secret differs from those that the engines use."
    assert "other reasons" in render(data({"engine1": plan(SOURCE)}))


def test_with_another_key_it_is_not_known_which_secrets_are_new() -> None:
    text = render(data({"engine1": plan(ENVIRONMENT, SOURCE)}, new_key=True))
    assert text.splitlines() == [
        "cluster key: replaced on engine1. Which other secrets are new is not known.",
        "Remove ivy_cluster_key_previous from the vault now.",
    ]
    assert render(data({"engine1": plan()}, new_key=True)) == "No secret differs from those that the engines use."


def test_locked_logins_and_ended_sessions() -> None:
    text = render(data({"engine1": plan()}, retired=["ivy", "ivy_0000000a"], sessions=1))
    assert text.splitlines()[1:] == [
        "former logins of the database: ivy, ivy_0000000a locked",
        "1 session with a former login ended by the run",
    ]


def test_a_database_of_others() -> None:
    assert "not set up by this collection" in render(data({"engine1": plan()}, own_database=False))


def test_while_a_rollout_waits_the_former_secrets_are_needed() -> None:
    text = render(data({"engine1": plan(ENVIRONMENT)}, new_key=True, waits=True))
    assert "The rollout waits for confirmation." in text
    assert "Remove ivy_cluster_key_previous" not in text
