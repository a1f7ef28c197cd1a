# Copyright: the ivy.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
name: verify_report
short_description: Judge the vendor's restrictions on a cluster
version_added: 0.1.0
author:
  - The ivy.cluster contributors (@ivy-cluster)
description:
  - Judges each restriction on each node from what was seen, and makes a table that a person can read.
  - A fact that could not be had breaks the check that needs it, and hides no other check.
positional: _input
options:
  _input:
    description:
      - What a run saw of the cluster, as the role P(ivy.cluster.verify#role) puts it together.
      - A host that could not be reached, or a look that failed, is part of it.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Print the report
  ansible.builtin.debug:
    msg: "{{ (__verify_seen | ivy.cluster.verify_report).text }}"
"""

RETURN = r"""
_value:
  description:
    - C(ok) tells whether everything holds, C(text) is the table, C(broken) names in one line each what does not hold.
    - C(rows) has C(check), C(subject), C(verdict), C(seen) and C(advice) of each row.
      The verdict is one of V(holds), V(broken), V(left_out).
  type: dict
"""

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.ivy.cluster.plugins.plugin_utils.node.snapshot import observed_from
from ansible_collections.ivy.cluster.plugins.plugin_utils.verify.evaluate import report


def verify_report(seen: t.Any) -> dict[str, t.Any]:
    try:
        return report(observed_from(seen))
    except (AttributeError, KeyError, TypeError) as error:
        raise AnsibleFilterError(
            "ivy.cluster.verify_report needs what the role ivy.cluster.verify puts together; it lacks or cannot read "
            f"{error}"
        ) from error


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"verify_report": verify_report}
