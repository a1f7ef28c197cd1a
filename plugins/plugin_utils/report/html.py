# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The HTML form of a report: one self-contained page without scripts, fonts and images."""

from __future__ import annotations

import functools
import typing as t
from pathlib import Path

import jinja2
import markupsafe

from ansible_collections.ivy.cluster.plugins.plugin_utils.common.text import plain_text

TEMPLATES = Path(__file__).resolve().parent


def render(name: str, values: t.Mapping[str, t.Any]) -> str:
    return _environment().get_template(f"{name}.html.j2").render(values)


@functools.cache
def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_printable,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def _printable(value: t.Any) -> t.Any:
    """Every value of an expression; macros and blocks return markup, which is already escaped."""
    return value if isinstance(value, (markupsafe.Markup, jinja2.Undefined)) else plain_text(value)
