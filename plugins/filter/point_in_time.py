# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
name: point_in_time
short_description: Choose the backup and the time that pgBackRest restores
version_added: 0.1.0
author:
  - The ivy.cluster contributors (@ivy-cluster)
description:
  - Returns the time in pgBackRest's form, the backup to start from, and what was done to the cluster since, or the
    reason why nothing can be restored as C(problem).
positional: _input
options:
  _input:
    description: A time with its time zone in the form of ISO 8601, or C(latest).
    type: str
    required: true
  info:
    description: The answer of C(pgbackrest info) as JSON.
    type: str
    required: true
  now:
    description: Time on the database server, in seconds since 1970.
    type: float
    required: true
  stanza:
    description: Name of pgBackRest's stanza.
    type: str
    required: true
  record:
    description: The cluster record.
    type: dict
"""

EXAMPLES = r"""
- name: Choose what is restored
  ansible.builtin.set_fact:
    choice: "{{ 'latest' | ivy.cluster.point_in_time(info=answer.stdout, now=1767225600, stanza='ivy') }}"
"""

RETURN = r"""
_value:
  description: The choice.
  type: dict
"""

import typing as t

from ansible_collections.ivy.cluster.plugins.plugin_utils.operations.point_in_time import choose


def point_in_time(
    target: object, info: object, now: object, stanza: str, record: t.Mapping[str, t.Any] | None = None
) -> dict[str, t.Any]:
    return choose(str(target), str(info), float(str(now)), stanza, record)


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"point_in_time": point_in_time}
