# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one dialect of path patterns, for every option that takes some.

``*`` and ``?`` match within one component of a path, ``**`` matches across components, and ``[...]`` is a set of
characters as in a shell (``[!...]`` excludes them). Upper and lower case differ. A pattern matches the entire path; one
without a slash matches the last component in any directory. ``[*]`` and the like match the character itself.
"""

from __future__ import annotations

import fnmatch
import re
import typing as t


def pattern(glob: str) -> re.Pattern[str]:
    """The regular expression of a pattern."""
    out = [] if "/" in glob else ["(?:.*/)?"]
    index = 0
    while index < len(glob):
        if glob.startswith("**/", index):
            out.append("(?:.*/)?")
            index += 3
        elif glob.startswith("**", index):
            out.append(".*")
            index += 2
        elif glob[index] == "*":
            out.append("[^/]*")
            index += 1
        elif glob[index] == "?":
            out.append("[^/]")
            index += 1
        elif glob[index] == "[" and "]" in glob[index + 1 :]:
            end = glob.index("]", index + 1)
            out.append(
                fnmatch.translate(glob[index : end + 1]).replace("(?s:", "(?:").replace("\\Z", "").replace("\\z", "")
            )
            index = end + 1
        else:
            out.append(re.escape(glob[index]))
            index += 1
    return re.compile("".join(out) + r"\Z", re.DOTALL)


class Patterns:
    """A list of patterns, compiled once."""

    def __init__(self, globs: t.Iterable[str]) -> None:
        self._compiled = [pattern(glob) for glob in globs]

    def match(self, path: str) -> bool:
        return any(one.match(path) for one in self._compiled)
