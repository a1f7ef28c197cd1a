# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The language of the repository: words and phrases that are not plain technical English appear in no file."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
# Files that are not written here, or that quote what is banned.
EXCLUDED = {
    "LICENSE": "the licence's own text",
    "docs/options.md": "generated from the argument specifications, which are checked",
    "tests/unit/repository/test_language.py": "this list",
}
SUFFIXES = {".cfg", ".html", ".in", ".j2", ".java", ".md", ".py", ".rst", ".sh", ".toml", ".txt", ".yaml", ".yml"}

# Pattern: what to write instead. A space also matches a line break, with the comment sign of the next line.
BANNED = {
    r"mend(s|ed|ing)?": "fix, restore",
    r"(have|has|takes?|for|after) a look": "inspect, probe, check",
    r"look(s|ed|ing)? (at|into|before|after|through)": "inspect, gather, probe, read",
    r"tell(s|ing)?(?! (\w+ )?apart| \w+ from)": "report, print, log; instruct",
    r"told": "reported, printed, logged; instructed",
    r"said": "reported, printed, stated",
    r"wish(es|ed|ful)?": "request, option",
    r"spoil(s|t|ed)?": "invalid, corrupt",
    r"strangers?": "unexpected file, unknown name",
    r"keepers?": "listener, guard, holder",
    r"kept code": "code cache",
    r"(un)?seal(s|ed|ing)?": "encrypt",
    r"put(s|ting)? (\w+ ){0,3}right": "fix, revert",
    r"put(s|ting)? (it|them|this|that|\w+s) back": "restore, revert",
    r"let(s|ting)? (\w+ ){0,2}go": "release",
    r"cannot work as (it is|they are)": "is invalid",
    r"some day": "the date, later",
    r"(stands?|stood|standing) (above|below|under|before|beside|there|at|on|with|(?<!stand )in(?! for))": "is",
    r"(lies|lay|lying) (above|below|under|before|beside|there|at|on|in)": "is",
    r"lives? in": "is in",
    r"in the way(?! (that|of|in which|\w+ (does|do)))": "blocking",
    r"(nobody|somebody|anybody)'s business": "to be ignored",
    r"affairs?": "task, responsibility; 'does not change'",
    r"(?<!there )is (?-i:none)": "is not a ...; does not exist",
    r"(that|which) there (is|are) not": "unknown, missing",
    r"(?<!there )(is|are|was|were) no(?! (longer|more|fewer|less))": "is not a",
    r"(no|one|is|are|was|were) whole(?! number)": "complete",
    r"kn(ows?|ew) of": "has, contains, supports",
    r"truths?(?<!source of truth)(?! value)": "change, conflict, value",
    r"anew": "again; rewrite, recreate, restart",
    r"sees? to": "ensure, list",
    r"(take|takes|taking|taken|took) back": "revert, reset, revoke",
    r"bit(e|es|ten)": "cause problems",
    r"(of|from) spaces only": "blank",
    r"holds what it cannot hold": "contains an invalid value",
    r"works as the user with": "runs as UID",
    r"in two ways": "mixes A and B",
    r"gives? it more": "increase",
    r"refus(e|es|ed|ing) (the )?options": "validate",
    r"begins like an option": "looks like an option",
}
# The verb that a task or play must not begin with.
NAME = re.compile(
    r"^\s*(?:- )?name: [\"']?((?:Refuse to|Know|Tell|Look(?! for)|See|Understand|Learn|Mend|Say)\b.*)", re.MULTILINE
)
# Parts of the names of functions, classes and variables.
IDENTIFIERS = re.compile(
    r"(?:^|_)(?:wish(?:es)?|told|said|spoilt|strangers?|keepers?|look_at|looks?_at|mend(?:ed)?|seal(?:ed|ing)?"
    r"|in_the_way|left_alone|kept_code|let_go)(?:_|$)"
)
RULES = {
    re.compile(rf"(?<![\w-])(?:{pattern})(?![\w-])".replace(" ", "[ \n]"), re.IGNORECASE): instead
    for pattern, instead in BANNED.items()
}
# Proper uses, by file: the exact words, and why.
EXCEPTIONS: dict[tuple[str, str], str] = {}


def tracked() -> dict[str, list[Path]]:
    """The text files of the repository by area, which is the first part of the path."""
    names = subprocess.run(
        ["git", "ls-files"], check=True, capture_output=True, text=True, cwd=ROOT
    ).stdout.splitlines()
    found: dict[str, list[Path]] = {}
    for name in names:
        path = ROOT / name
        text = path.suffix in SUFFIXES or path.name == "Makefile" or (not path.suffix and path.parent.name == "bin")
        if text and name not in EXCLUDED and path.is_file() and not path.is_symlink():
            found.setdefault(name.partition("/")[0] if "/" in name else ".", []).append(path)
    return found


AREAS = tracked()


def prose(text: str) -> str:
    """The same lines without indentation and without the sign that begins a comment."""
    return re.sub(r"(?m)^[ \t]*(?:(?:#+|//+|/\*+|\*)[ \t]+)?", "", text)


def findings(text: str) -> list[tuple[int, str, str]]:
    """Line, words and what to write instead, for all that is banned."""
    plain = prose(text)
    hits = [(match.start(), match[0], instead) for rule, instead in RULES.items() for match in rule.finditer(plain)]
    found = [(plain.count("\n", 0, start) + 1, " ".join(words.split()), instead) for start, words, instead in hits]
    names = [(text.count("\n", 0, match.start(1)) + 1, match[1], "another verb") for match in NAME.finditer(text)]
    return sorted([*found, *names])


def names_of(tree: ast.AST) -> set[tuple[int, str]]:
    """The names that a program defines."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            found.add((node.lineno, node.name))
        elif isinstance(node, ast.arg):
            found.add((node.lineno, node.arg))
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add((node.lineno, node.id))
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            found.add((node.lineno, node.attr))
    return found


def words_of(name: str) -> str:
    """A name in lower case with an underscore between its words."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def problems(path: Path) -> list[str]:
    name = str(path.relative_to(ROOT))
    text = path.read_text(encoding="utf-8")
    found = [
        f"{name}:{line}: {words!r} (write: {instead})"
        for line, words, instead in findings(text)
        if (name, words.lower()) not in EXCEPTIONS
    ]
    if path.suffix == ".py":
        for line, identifier in sorted(names_of(ast.parse(text))):
            if identifier.startswith("test_"):
                hits = [words for _line, words, _instead in findings(identifier.replace("_", " "))]
                found += [f"{name}:{line}: {words!r} in {identifier}" for words in hits]
            elif IDENTIFIERS.search(words_of(identifier)):
                found.append(f"{name}:{line}: the name {identifier}")
    return found


def test_each_area_is_read() -> None:
    assert {".", "docs", "inventories", "molecule", "playbooks", "plugins", "roles", "tests", "tools"} <= set(AREAS)
    assert len(AREAS["plugins"]) > 100


@pytest.mark.parametrize("area", sorted(AREAS))
def test_no_banned_word_appears(area: str) -> None:
    found = [problem for path in AREAS[area] for problem in problems(path)]
    assert not found, "\n".join([f"{len(found)} in {area}:", *found])


def test_every_exception_is_needed() -> None:
    for (name, words), reason in EXCEPTIONS.items():
        assert reason
        assert words in [
            found.lower() for _line, found, _instead in findings((ROOT / name).read_text(encoding="utf-8"))
        ]


@pytest.mark.parametrize(
    "text",
    [
        "To mend: add memory",
        "# The reason stands\n# above.",
        "- name: Refuse to go on\n",
        "  - name: Know the options\n",
        "It lets go within a minute",
        "x begins like an option of role y and is none",
        "a node that there is not",
        "# no whole zip file",
        "it is no plain relative path",
        "KEEP=1 leaves its hosts for a look",
        "the next rollout puts it right",
        "/** Looks\n * at the file. */",
        "Write requirements.txt anew",
    ],
)
def test_banned_words_are_found(text: str) -> None:
    assert findings(text) != []


@pytest.mark.parametrize(
    "text",
    [
        "Look up the name. It looks like an option. What a rule looks for.",
        "There is no node; it is no longer a member. There is none.",
        "A stand-in can stand in for the engine. V stands for value.",
        "The cluster as a whole, the whole cluster, a whole file system, and a whole number",
        "That is to say, see the log.",
        "Two values that nobody can tell apart",
        "It behaves in the way that the manual describes.",
        "a single source of truth",
        "recommend, amended, ZooKeeper",
        "- name: Check the options\n",
    ],
)
def test_ordinary_english_passes(text: str) -> None:
    assert findings(text) == []


@pytest.mark.parametrize("name", ["wish", "_told", "StrangerFile", "left_alone", "look_at_hosts", "port_keeper"])
def test_banned_names_are_found(name: str) -> None:
    assert IDENTIFIERS.search(words_of(name))


@pytest.mark.parametrize("name", ["recommended", "lookup", "look_ahead", "toldo", "housekeeping"])
def test_ordinary_names_pass(name: str) -> None:
    assert not IDENTIFIERS.search(words_of(name))
