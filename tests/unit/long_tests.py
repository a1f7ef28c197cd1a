# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which tests of plays and roles `make test` leaves to `make test-all` (docs/long-tests.md)."""

from __future__ import annotations

import os
import typing as t

import pytest

# Each run of a playbook takes some seconds of the processor.
EVERY_CASE = os.environ.get("IVY_LOST_HOST_CASES") == "all"
long = pytest.mark.skipif(not EVERY_CASE, reason="make test-all runs it")


def cases(*values: t.Any, more: tuple[t.Any, ...]) -> list[t.Any]:
    """One case for each way through the plays and, in the long tests, the others."""
    return [*values, *(more if EVERY_CASE else ())]
