# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
name: database_reinitialization
short_description: Why the files of a member of the database cannot be removed and copied again
version_added: 0.1.0
author:
  - The ivy.cluster contributors (@ivy-cluster)
description:
  - Returns all problems, and what else there is to know.
positional: _input
options:
  _input:
    description: The members as M(ivy.cluster.patroni) returns them.
    type: list
    elements: dict
    required: true
  member:
    description: Name of the member.
    type: str
    required: true
  answers:
    description: Whether Patroni on its host answers.
    type: bool
    required: true
  strict:
    description: Whether the primary accepts no changes without a synchronous standby.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Print why the files of db3 cannot be removed
  ansible.builtin.debug:
    msg: "{{ (found.member.members | ivy.cluster.database_reinitialization('db3', answers=true)).problems }}"
"""

RETURN = r"""
_value:
  description: C(primary) is the member that leads, C(problems) are reasons to stop, and C(warnings) are not.
  type: dict
  sample: {primary: db1, problems: [], warnings: []}
"""

import typing as t

from ansible_collections.ivy.cluster.plugins.plugin_utils.operations import database_members


def database_reinitialization(
    members: t.Iterable[t.Mapping[str, t.Any]], member: str, *, answers: bool, strict: bool = False
) -> dict[str, t.Any]:
    return database_members.reinitialization(list(members), str(member).strip(), bool(answers), bool(strict))


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"database_reinitialization": database_reinitialization}
