# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values inside an engine that nobody can see from outside.

The stand-in tells them at an address that a real engine does not have. Of a real engine the answer is None, and the
test says that this could not be seen.
"""

from __future__ import annotations

import json
import typing as t

from engine import Engine


class Probe:
    """Looks into one engine with the account of an administrator."""

    def __init__(self, engine: Engine, account: str) -> None:
        self.engine = engine
        self.account = account

    def value(self, name: str) -> t.Any:
        """One value of the engine's state, or None where it cannot be seen."""
        if not self.engine.known.stand_in:
            return None
        answer = self.engine.ask("/system/api/stand-in/state", host="localhost", account=self.account)
        return json.loads(answer.text).get(name) if answer.status == 200 else None

    @property
    def sees(self) -> bool:
        return self.engine.known.stand_in
