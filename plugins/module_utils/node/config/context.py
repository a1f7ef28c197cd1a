# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The input of every step of a call: the request, the open store and node, and what the store has recorded."""

from __future__ import annotations

import typing as t

from ..engine.unit import Unit
from ..store.store import Store
from .request import Request
from .view import View


class Recorded(t.NamedTuple):
    """What the store recorded about this node before the call."""

    applied: dict[str, t.Any]
    # The goal of an activation that was interrupted; empty if none was.
    intent: dict[str, t.Any]
    accepted: dict[str, dict[str, list[str]]]

    @property
    def release(self) -> str:
        return str(self.applied.get("release") or "")

    @property
    def node_files(self) -> dict[str, dict[str, t.Any]]:
        return dict(self.applied.get("node_files") or {})

    @property
    def previous_node_files(self) -> dict[str, dict[str, t.Any]]:
        return dict(self.applied.get("previous_node_files") or {})


class Context(t.NamedTuple):
    """One call on one node. No step changes it."""

    request: Request
    store: Store
    view: View
    unit: Unit
    recorded: Recorded

    @property
    def interrupted(self) -> bool:
        return bool(self.recorded.intent)

    def blob_names(self) -> frozenset[str]:
        return self.store.blob_names() if self.store.tree.exists else frozenset()


def open_context(request: Request, store: Store, view: View, unit: Unit) -> Context:
    return Context(request, store, view, unit, Recorded(store.applied(), store.intent(), store.accepted()))
