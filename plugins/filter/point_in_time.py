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
  - Returns the time in pgBackRest's form, the backup to start from, the timeline to follow, and what was done to the
    cluster since, or the reason why nothing can be restored as C(problem).
  - C(done) says that an interrupted run has restored the database, so that only engines are left to start.
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
  current:
    description: Timeline of the database server; V(0) if it does not answer.
    type: int
    default: 0
  timelines:
    description:
      - The files in which PostgreSQL describes its timelines, from the archive. Before each of them a line with C(==)
        and its name.
    type: str
    default: ""
  databases:
    description:
      - The other databases of the server with their C(name) and C(clients), as JSON. Empty if it does not say that.
    type: str
    default: ""
  timeline:
    description: The timeline to follow. Empty follows the one of the database server.
    type: str
    default: ""
  repeat:
    description:
      - When the database was restored for the last time. What users did since is thrown away. Without it, the same
        restore is not made twice.
    type: str
    default: ""
  others:
    description: Whether the other databases of the server may be restored as well.
    type: bool
    default: false
  backup:
    description: The backup to start from. Empty chooses the newest one that ended before the time.
    type: str
    default: ""
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

from ansible_collections.ivy.cluster.plugins.plugin_utils.operations.point_in_time import Archive, Request, choose


def point_in_time(
    target: object,
    info: object,
    now: object,
    stanza: str,
    current: object = 0,
    timelines: object = "",
    databases: object = "",
    timeline: object = "",
    repeat: object = "",
    others: bool = False,
    backup: object = "",
    record: t.Mapping[str, t.Any] | None = None,
) -> dict[str, t.Any]:
    archive = Archive(str(info), float(str(now)), stanza, int(str(current or 0)), str(timelines), str(databases))
    return choose(Request(str(target), str(timeline), str(repeat), others, str(backup)), archive, record)


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"point_in_time": point_in_time}
