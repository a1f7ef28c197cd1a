# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What keeps the speed of the machine out of every verdict."""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator

import hypothesis
import pytest

from ansible_collections.ivy.cluster.plugins.module_utils.haproxy import runtime_socket
from ansible_collections.ivy.cluster.plugins.module_utils.node.engine import health, unit
from ansible_collections.ivy.cluster.tests.timing import PATIENCE, Clock

# No database: a run leaves nothing in the checkout, and a failure prints what reproduces it.
hypothesis.settings.register_profile(
    "unit",
    database=None,
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
    max_examples=150,
    print_blob=True,
)
hypothesis.settings.load_profile("unit")


def pytest_collection_finish() -> None:
    """What is kept to the end need not be searched for garbage again and again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """The collection's own time limits, made for hosts, would end what is only slow."""
    for function in (runtime_socket.RuntimeSocket.__init__, health.check):
        monkeypatch.setattr(function, "__defaults__", (PATIENCE,))
    monkeypatch.setattr(unit._ask, "__kwdefaults__", {"seconds": PATIENCE})


@pytest.fixture
def clock() -> Iterator[Clock]:
    """Time passes only while the collection sleeps, so a test of a wait takes none."""
    made = Clock()
    # A patch of its own: what other fixtures do after the test takes real time again.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time, "monotonic", made.monotonic)
        patch.setattr(time, "sleep", made.sleep)
        yield made
