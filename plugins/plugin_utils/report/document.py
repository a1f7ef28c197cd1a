# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A report in its three forms. Text from nodes is escaped here, so that no report can omit it."""

from __future__ import annotations

import dataclasses
import json
import typing as t

from ansible_collections.ivy.cluster.plugins.plugin_utils.common.text import plain_text
from ansible_collections.ivy.cluster.plugins.plugin_utils.report import html

FORMAT = 1


@dataclasses.dataclass(frozen=True)
class Document:
    """One report. The same input gives the same bytes in every form."""

    # One of preflight, drift, verify, status, history, plan; also the name of the HTML template.
    name: str
    cluster: str
    headline: str
    # For workflows (set_stats): at least "ok" and "counts".
    summary: t.Mapping[str, t.Any]
    # The rest of the JSON form.
    content: t.Mapping[str, t.Any]
    lines: t.Sequence[str]
    # Objects for the HTML template that the JSON form does not have.
    page: t.Mapping[str, t.Any] = dataclasses.field(default_factory=dict)

    @property
    def ok(self) -> bool:
        return bool(self.summary["ok"])

    @property
    def text(self) -> str:
        return text_of(self.lines)

    @property
    def data(self) -> dict[str, t.Any]:
        return {
            "format": FORMAT,
            "report": self.name,
            "cluster": self.cluster,
            "headline": self.headline,
            "summary": dict(self.summary),
            **self.content,
        }

    def forms(self) -> dict[str, str]:
        """The content of each file by its suffix."""
        return {
            "txt": self.text + "\n",
            "json": json.dumps(self.data, indent=2, sort_keys=True) + "\n",
            "html": html.render(self.name, {**self.data, **self.page}),
        }


def text_of(lines: t.Iterable[str]) -> str:
    """Lines for a terminal."""
    return "\n".join(plain_text(line).rstrip() for line in lines)
