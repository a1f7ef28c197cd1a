# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Users at the virtual address while a part of the cluster is lost: clients that read, write or search.

Every request has a connection of its own, and is sent once. What was acknowledged is remembered.
"""

from __future__ import annotations

import http.client
import json
import threading
import time
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conftest import Browser

KINDS = ("read", "write", "search")
# Several of each kind, so that one that waits for an answer does not stop the others.
CLIENTS = 3
# Of each client, in seconds.
PAUSE = 0.3
# A user waits longer. It limits how long a client is bound to a connection that leads nowhere.
PATIENCE = 10.0


def now() -> float:
    """The clock that paces the requests and measures the gaps."""
    return time.monotonic()


@dataclass
class Record:
    """What the clients of one kind noticed."""

    sent: int = 0
    answered: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


class FaultLoad:
    """Runs until the end of the context, or at most ten minutes."""

    def __init__(self, browser: Browser) -> None:
        self.browser = browser
        self.mark = uuid.uuid4().hex
        self.records = {kind: Record() for kind in KINDS}
        # The notes that were acknowledged, by their id.
        self.written: dict[int, str] = {}
        self.ended = threading.Event()
        self.last = now() + 600
        self.lock = threading.Lock()
        self.threads = [
            threading.Thread(target=self._work, args=(kind, number), daemon=True)
            for kind in KINDS
            for number in range(CLIENTS)
        ]

    def __enter__(self) -> FaultLoad:
        self.begin = now()
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self.ended.set()
        for thread in self.threads:
            thread.join(60)

    def serves(self, since: float, answers: int = 3) -> bool:
        """Whether each kind has had several answers to requests since that moment."""
        return all(sum(moment > since for moment in list(one.answered)) >= answers for one in self.records.values())

    def gap(self, kind: str) -> float:
        """The longest time without an answer."""
        moments = sorted([self.begin, *self.records[kind].answered])
        return max((after - before for before, after in zip(moments, moments[1:])), default=0.0)

    def row(self) -> list[str]:
        """The figures of each kind: the longest gap, and how many requests failed."""
        return [
            f"{self.gap(kind):.1f} s, {len(one.failures)} of {one.sent} failed" for kind, one in self.records.items()
        ]

    def _work(self, kind: str, number: int) -> None:
        self.ended.wait(PAUSE * number / CLIENTS)
        count, record = 0, self.records[kind]
        while not self.ended.is_set() and now() < self.last:
            begin = now()
            count += 1
            try:
                with self.lock:
                    record.sent += 1
                getattr(self, f"_{kind}")(f"{self.mark} {number} {count}")
                record.answered.append(now())
            except (OSError, http.client.HTTPException, ValueError, KeyError) as error:
                record.failures.append(f"{now() - self.begin:.1f} s: {error!r}")
            self.ended.wait(max(0.0, PAUSE - (now() - begin)))

    def _read(self, _text: str) -> None:
        if self.browser.get("/demo/api/info", timeout=PATIENCE).status != 200:
            raise ValueError("not served")

    def _write(self, text: str) -> None:
        body = json.dumps({"text": text}).encode()
        response = self.browser.request("POST", "/demo/api/notes", None, PATIENCE, body)
        if response.status != 201:
            raise ValueError(f"status {response.status}")
        with self.lock:
            self.written[int(response.data["id"])] = text

    def _search(self, _text: str) -> None:
        response = self.browser.get(f"/demo/api/search?q={self.mark}", timeout=PATIENCE)
        if response.status != 200:
            raise ValueError(f"status {response.status}")
