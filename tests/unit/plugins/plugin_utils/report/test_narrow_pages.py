# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every report can be read on a phone: the rows of tables become blocks, in which each cell has its heading."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

TEMPLATES = Path(__file__).resolve().parents[5] / "plugins/plugin_utils/report"
# Of pages that are 40rem wide or narrower.
NARROW = re.compile(r"@media \(max-width: 40rem\) \{(.*?)\}\s*\}", re.DOTALL)


def narrow() -> str:
    found = NARROW.search((TEMPLATES / "base.html.j2").read_text(encoding="utf-8"))
    assert found is not None
    return " ".join(found[1].split()) + "}"


def unlabelled(template: str) -> list[str]:
    """The cells of tables with headings that have neither a heading of their own nor the width of the table."""
    found = []
    for table in re.findall(r"<table>.*?</table>", template, re.DOTALL):
        if "<thead>" in table:
            found += [
                cell
                for cell in re.findall(r"<td[^>]*>(?:</td>)?", table)
                if "data-label=" not in cell and "colspan=" not in cell and cell != "<td></td>"
            ]
    return found


@pytest.mark.parametrize("name", sorted(path.name for path in TEMPLATES.glob("*.j2")))
def test_each_cell_has_its_heading(name: str) -> None:
    text = (TEMPLATES / name).read_text(encoding="utf-8")
    assert unlabelled(text) == []
    # A fixed width could be wider than the screen.
    assert not re.search(r"min-width|width: *[0-9.]+(px|rem)", re.sub(r"max-width|minmax", "", text))


def test_a_cell_without_its_heading_is_found() -> None:
    rows = '<tr><td data-label="A">1</td><td></td><td class="short">2</td></tr>'
    assert unlabelled(f"<table><thead><tr><th>A</th></tr></thead>{rows}</table>") == ['<td class="short">']


def test_rows_become_blocks_and_nothing_stays_on_one_line() -> None:
    rules = narrow()
    assert "table, tbody, tr, td { display: block; }" in rules
    assert "thead { display: none; }" in rules
    assert "td[data-label]::before { content: attr(data-label)" in rules
    assert "td:empty { display: none; }" in rules
    wide = (TEMPLATES / "base.html.j2").read_text(encoding="utf-8")
    # Every selector that forbids a line break is repeated.
    for selectors in re.findall(r"([^{}]*)\{[^}]*white-space: nowrap", wide):
        for selector in selectors.split(","):
            assert re.search(rf"{re.escape(selector.split()[-1])}[, ][^{{}}]*\{{ white-space: normal", rules), selector
