# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which secrets a rollout has replaced, from the reasons why it restarted the engines."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.ivy.cluster.plugins.plugin_utils.common.text import count, listed, plain_text
from ansible_collections.ivy.cluster.plugins.plugin_utils.release.engine_secrets import FILE_PREFIX, PREFIX

_MOST_NODES = 20
# The reasons of module_utils/node/engine/run_state.py.
_KEYS = re.compile(r"shared\.env: (?P<names>.+?)(?: and \d+ more)? changed since the engine started\Z")
_FILE = re.compile(rf"{re.escape(FILE_PREFIX)}(?P<key>.+) (?:changed|was added|was removed) since the engine started\Z")
_ADMINISTRATOR = re.compile(r"Administrators\.(?P<name>.+)\.Password\Z")
_SEARCH = re.compile(r"IVY_(?:ELASTICSEARCH|SEARCHENGINE)_EXTERNALSERVER_PASSWORD\Z")


def name_of(secret: str) -> str:
    """A secret in words. ``secret`` is a variable of the environment or a key of the engine."""
    if secret == "IVY_SYSTEMDB_PASSWORD":
        return "database password"
    if _SEARCH.match(secret):
        return "search password"
    found = _ADMINISTRATOR.match(secret)
    if found:
        return f"password of the administrator {found['name']}"
    return secret.removeprefix(PREFIX)


def secrets_of(reasons: t.Iterable[str]) -> set[str]:
    found: set[str] = set()
    for reason in reasons:
        keys, file = _KEYS.match(reason), _FILE.match(reason)
        if keys:
            found.update(name_of(name) for name in keys["names"].split(", "))
        elif file:
            found.add(name_of(file["key"]))
    return found


def others_of(reasons: t.Iterable[str]) -> list[str]:
    return [reason for reason in reasons if not _KEYS.match(reason) and not _FILE.match(reason)]


def render(data: t.Mapping[str, t.Any]) -> str:
    """``nodes`` contains the plan of each node; ``new_key`` says whether the cluster's key was replaced."""
    check = bool(data["check_mode"])
    plans: t.Mapping[str, t.Mapping[str, t.Any]] = {
        name: plan for name, plan in data["nodes"].items() if isinstance(plan, t.Mapping)
    }
    by_secret: dict[str, list[str]] = {}
    for node, plan in plans.items():
        for secret in secrets_of(plan.get("reasons") or []):
            by_secret.setdefault(secret, []).append(node)
    changed = [node for node, plan in plans.items() if plan.get("activate")]
    done = "would be replaced" if check else "replaced"
    lines = []
    if data["new_key"] and changed:
        # Every digest is keyed, so with another key none is the same.
        nodes = listed(sorted(changed), _MOST_NODES)
        lines.append(plain_text(f"cluster key: {done} on {nodes}. Which other secrets are new is not known."))
        if not check and not data.get("waits"):
            lines.append("Remove ivy_cluster_key_previous from the vault now.")
    else:
        lines += [
            plain_text(f"{secret}: {done} on {listed(sorted(nodes), _MOST_NODES)}")
            for secret, nodes in sorted(by_secret.items())
        ]
        if not lines:
            lines.append("No secret differs from those that the engines use.")
        if any(others_of(plan.get("reasons") or []) for plan in plans.values()):
            lines.append("There were other reasons for a restart as well; status and plan name them before a run.")
    if data.get("waits"):
        lines.append(
            "The rollout waits for confirmation. Until it is completed, former logins stay valid, and "
            "ivy_cluster_key_previous stays in the vault."
        )
    locked = [str(name) for name in data.get("retired") or []]
    if locked:
        names = listed(locked)
        lines.append(plain_text(f"former logins of the database: {names} {'would be ' if check else ''}locked"))
    if data.get("sessions") and not check:
        lines.append(f"{count(int(data['sessions']), 'session')} with a former login ended by the run")
    if not data["own_database"]:
        lines.append(
            "The database is not set up by this collection. Lock the former login there when it has no session."
        )
    return "\n".join(lines)
