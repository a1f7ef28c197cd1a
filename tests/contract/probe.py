# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Internal values of an engine that are not visible from outside.

The stand-in exposes them at an address that a real engine does not have. For a real engine the value is None, and the
test reports that it could not be seen.
"""

from __future__ import annotations

import json
import typing as t

from engine import Engine


class Probe:
    """Reads the state of one engine with an administrator's account."""

    def __init__(self, engine: Engine, account: str) -> None:
        self.engine = engine
        self.account = account

    def value(self, name: str) -> t.Any:
        """One value of the engine's state, or None if it is not visible."""
        if not self.engine.known.stand_in:
            return None
        response = self.engine.ask("/system/api/stand-in/state", host="localhost", account=self.account)
        return json.loads(response.text).get(name) if response.status == 200 else None

    @property
    def sees(self) -> bool:
        return self.engine.known.stand_in
