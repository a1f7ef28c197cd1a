# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/images/architecture.svg shows the imports and calls that exist."""

from __future__ import annotations

from pathlib import Path

import architecture

ROOT = Path(__file__).resolve().parents[3]
REPOSITORY = architecture.Repository(ROOT)


def test_the_picture_is_up_to_date() -> None:
    picture = (ROOT / architecture.PICTURE).read_text(encoding="utf-8")
    assert picture == architecture.draw(REPOSITORY), "run `make docs` and commit it"


def test_every_box_is_connected() -> None:
    boxes = architecture.boxes(REPOSITORY)
    edges = architecture.edges(REPOSITORY, boxes)
    connected = {(box.column, box.title) for edge in edges for box in edge}
    # plugin_utils/yaml is used by other packages of its column only.
    assert {(box.column, box.title) for box in boxes} - connected == {(3, "yaml")}


def test_known_calls_are_arrows() -> None:
    boxes = architecture.boxes(REPOSITORY)
    arrows = {(start.title, end.title) for start, end in architecture.edges(REPOSITORY, boxes)}
    assert ("change", "rollout") in arrows
    assert ("rollout", "shared configuration") in arrows
    assert ("node", "node.agent, node.probes") in arrows
    assert ("drift", "services") not in arrows
