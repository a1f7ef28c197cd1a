# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long the database had no primary during a switchover, as its members answered."""

from __future__ import annotations

import threading
import time
import typing as t


class Answer(t.NamedTuple):
    """Whether a member was the primary, between two moments in seconds."""

    name: str
    asked: float
    answered: float
    leads: bool


def new_primary(answers: t.Iterable[Answer], former: str) -> str:
    """The first other member that answered that it is the primary; empty if none did."""
    found = sorted((answer.answered, answer.name) for answer in answers if answer.leads and answer.name != former)
    return found[0][1] if found else ""


def gap(answers: t.Sequence[Answer], former: str) -> float | None:
    """Seconds from the last answer of the former primary to the first one of another; at least what clients notice."""
    last = [answer.asked for answer in answers if answer.leads and answer.name == former]
    first = [answer.answered for answer in answers if answer.leads and answer.name != former]
    if not last or not first:
        return None
    return round(max(min(first) - max(last), 0.0), 2)


class Watch:
    """Asks every member in a thread of its own, from the beginning of a with statement to its end."""

    def __init__(
        self, ask: t.Callable[[str], bool], urls: t.Mapping[str, str], former: str, interval: float = 0.1
    ) -> None:
        self._ask, self._urls, self._former, self._interval = ask, dict(urls), former, interval
        self._answers: list[Answer] = []
        self._end = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=item, daemon=True) for item in self._urls.items()]

    def __enter__(self) -> Watch:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._end.set()
        for thread in self._threads:
            thread.join(timeout=10)

    def wait(self, seconds: float) -> str:
        """The new primary, once there is one; empty if there is none within these seconds."""
        end = time.monotonic() + seconds
        while not new_primary(list(self._answers), self._former) and time.monotonic() < end:
            time.sleep(self._interval)
        return new_primary(list(self._answers), self._former)

    def gap(self) -> float | None:
        return gap(list(self._answers), self._former)

    def _run(self, name: str, url: str) -> None:
        while not self._end.is_set():
            asked = time.monotonic()
            leads = self._ask(url)
            self._answers.append(Answer(name, asked, time.monotonic(), leads))
            self._end.wait(self._interval)
