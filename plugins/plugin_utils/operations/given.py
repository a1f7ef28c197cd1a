# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Dataclasses whose fields a playbook gives as a dictionary, and those that it gets back as one."""

from __future__ import annotations

import dataclasses
import typing as t


class Given:
    """A dataclass of what is known when an operation is planned."""

    @classmethod
    def from_dict(cls, data: t.Mapping[str, t.Any]) -> t.Self:
        return cls(**{field.name: data[field.name] for field in dataclasses.fields(t.cast(t.Any, cls))})


class Returned:
    """A dataclass that becomes a fact."""

    def to_dict(self) -> dict[str, t.Any]:
        found = dataclasses.asdict(t.cast(t.Any, self))
        return {name: list(value) if isinstance(value, tuple) else value for name, value in found.items()}
