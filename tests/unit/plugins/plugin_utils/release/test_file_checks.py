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


@pytest.mark.parametrize(
    "encoding",
    [
        *("UFT-8", "GB2312", "Shift_JIS", "Big5", "EUC-JP", "UTF-7", "UTF-32", "cp037", "rot13", "hex", "idna"),
        *("punycode", "undefined", "unicode_escape", "raw_unicode_escape", "mbcs", "iso-8859-99", "x" * 5000),
    ],
)
def test_an_encoding_that_the_parser_cannot_read_is_a_finding(encoding: str) -> None:
    for content in (b"x", "é".encode()):
        data = b'<?xml version="1.0" encoding="' + encoding.encode() + b'"?>\n<a>' + content + b"</a>"
        (finding,) = check_xml("a.xml", data)
        assert (finding.file, finding.line) == ("a.xml", 1)
        assert "encoding" in finding.message
        assert len(finding.message) < 200


@pytest.mark.parametrize("encoding", ["UTF-8", "utf-16", "US-ASCII", "ISO-8859-15", "windows-1252", "Windows-1250"])
def test_an_encoding_that_everybody_reads(encoding: str) -> None:
    assert check_xml("a.xml", f'<?xml version="1.0" encoding="{encoding}"?><a>x</a>'.encode(encoding)) == []


def test_json() -> None:
    assert check_json("a.json", '{"a": [1, {"b": null}]}') == []
    (finding,) = check_json("a.json", '{\n"a": 1,\n}')
    assert finding.line == 3
    (finding,) = check_json("a.json", '{"a": 1, "a": 2}')
    assert "'a' is there twice" in finding.message
    (finding,) = check_json("a.json", "[" * 100000)
    assert "too deeply" in finding.message
    assert check_json("a.json", '{"a": ' + "1" * 10000 + ', "b": 1e999}') == []


@pytest.mark.parametrize(
    "text", ['{"a": "\\Hunter2x"}', '{"a": Hunter2x}', '{"a": "Hunter2x\n"}', '{"Hunter2x" 1}', "Hunter2x"]
)
def test_no_message_about_json_quotes_the_text(text: str) -> None:
    (finding,) = check_json("a.json", text)
    assert "Hunter2x" not in str(finding)


@pytest.mark.parametrize(
    "text", ["<a>&Hunter2x;</a>", "<a></Hunter2x>", "<Hunter2x:a/>", "<a Hunter2x/>", "<a>&#Hunter2x;</a>"]
)
def test_no_message_about_xml_quotes_the_text(text: str) -> None:
    assert "Hunter2x" not in str(check_xml("a.xml", text.encode()))
