# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
name: database_switchover
short_description: Which member of the database becomes the primary, and why none can
version_added: 0.1.0
author:
  - The ivy.cluster contributors (@ivy-cluster)
description:
  - Chooses a synchronous standby that runs, the one that is least behind. Any replica may be chosen if no synchronous
    one is configured.
positional: _input
options:
  _input:
    description: The members as M(ivy.cluster.patroni) returns them.
    type: list
    elements: dict
    required: true
  candidate:
    description: Name of the member that is to become the primary. Empty chooses one.
    type: str
    default: ""
  reached:
    description: Names of the members whose host this run reaches.
    type: list
    elements: str
    required: true
  synchronous:
    description: How many standbys have to be synchronous.
    type: int
    default: 1
"""

EXAMPLES = r"""
- name: Print which member would become the primary
  ansible.builtin.debug:
    msg: "{{ (found.member.members | ivy.cluster.database_switchover(reached=['db1', 'db2'])).candidate }}"
"""

RETURN = r"""
_value:
  description:
    - C(primary) is the member that leads now, C(candidate) the one that becomes the primary, and C(problems) are the
      reasons why none can.
    - C(candidate) is C(primary) if there is nothing to do.
  type: dict
  sample: {primary: db1, candidate: db2, problems: []}
"""

import typing as t

from ansible_collections.ivy.cluster.plugins.plugin_utils.operations import database_members


def database_switchover(
    members: t.Iterable[t.Mapping[str, t.Any]], candidate: str = "", *, reached: t.Iterable[str], synchronous: int = 1
) -> dict[str, t.Any]:
    return database_members.switchover(
        list(members), str(candidate or "").strip(), [str(name) for name in reached], int(synchronous)
    )


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"database_switchover": database_switchover}
