# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.ivy.cluster.plugins.plugin_utils.release.file_checks import check_json, check_xml


def test_good_xml() -> None:
    assert check_xml("a.xml", b'<?xml version="1.0" encoding="ISO-8859-1"?>\n<a b="\xe9"><!-- c --><d/></a>') == []


@pytest.mark.parametrize(
    ("data", "line", "problem"),
    [
        (b"<a>\n<b>\n</a>", 3, "mismatched tag"),
        (b"", 1, "no element found"),
        (b"<a/>\n<b/>", 2, "junk after"),
        (b'<a b="1"\n b="2"/>', 2, "duplicate attribute"),
        (b'<?xml version="1.0"?>\n<!DOCTYPE a SYSTEM "file:///etc/passwd">\n<a/>', 2, "document type"),
        (b'<!DOCTYPE a [<!ENTITY x "y">]>\n<a>&x;</a>', 1, "document type"),
        (b"<a>\xff</a>", 1, "not well-formed"),
    ],
)
def test_bad_xml(data: bytes, line: int, problem: str) -> None:
    (finding,) = check_xml("a.xml", data)
    assert (finding.file, finding.line) == ("a.xml", line)
    assert problem in finding.message


def test_json() -> None:
    assert check_json("a.json", '{"a": [1, {"b": null}]}') == []
    (finding,) = check_json("a.json", '{\n"a": 1,\n}')
    assert finding.line == 3
    (finding,) = check_json("a.json", '{"a": 1, "a": 2}')
    assert "'a' is there twice" in finding.message
    (finding,) = check_json("a.json", "[" * 100000)
    assert "too deeply" in finding.message
