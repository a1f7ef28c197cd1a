# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The code blocks of a Markdown file: what a reader copies into a file or types at a shell."""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass

FENCE = re.compile(r"^( *)```([\w-]*)$")
# The text before a block names the file that the block is to be copied into: "... in `inventory/hosts.yml`:"
FILE = re.compile(r"`([^`\s]+\.[a-z]+)`[^`]*:$")


@dataclass(frozen=True)
class Block:
    """A fenced code block, without its indentation."""

    line: int
    language: str
    content: str
    heading: str
    # The paragraph before it, in one line.
    before: str

    @property
    def file(self) -> str | None:
        """The file that the text before the block names."""
        found = FILE.search(self.before)
        return found[1] if found and self.language != "sh" else None

    @property
    def commands(self) -> list[str]:
        """The lines of a block for a shell, without comments."""
        lines = [re.sub(r"(^|\s+)#\s.*$", "", line).rstrip() for line in self.content.splitlines()]
        return [line for line in lines if line]


def blocks(text: str) -> list[Block]:
    """All blocks in the order of the text."""
    found: list[Block] = []
    heading = ""
    paragraph: list[str] = []
    ended = False
    opened: tuple[int, str, str] | None = None
    content: list[str] = []
    for number, line in enumerate(text.splitlines(), 1):
        fence = FENCE.match(line)
        if opened is not None and fence and not fence[2]:
            inside = textwrap.dedent("".join(f"{line}\n" for line in content))
            found.append(Block(opened[0], opened[1], inside, heading, opened[2]))
            opened, content, paragraph = None, [], []
        elif opened is not None:
            content.append(line)
        elif fence:
            opened = (number, fence[2], " ".join(paragraph))
        elif line.startswith("#"):
            heading, paragraph = line.lstrip("# "), []
        elif line.strip():
            paragraph = [line.strip()] if ended else [*paragraph, line.strip()]
            ended = False
        else:
            ended = True
    if opened is not None:
        raise ValueError(f"the block that begins in line {opened[0]} does not end")
    return found
