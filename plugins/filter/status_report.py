# Copyright: the ivy.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
name: status_report
short_description: Show the state of a cluster on one screen
version_added: 0.1.0
author:
  - The ivy.cluster contributors (@ivy-cluster)
description:
  - Shows for each node its version, state, release, whether it needs a restart, its peers and its place in the
    balancer; and the cluster record, the licence, the certificates, the database and the search engine.
  - Judges nothing, see P(ivy.cluster.verify_report#filter) for that.
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
    msg: "{{ __verify_seen | ivy.cluster.status_report }}"
"""

RETURN = r"""
_value:
  description: The screen, several lines.
  type: str
"""

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.ivy.cluster.plugins.plugin_utils.node.snapshot import observed_from
from ansible_collections.ivy.cluster.plugins.plugin_utils.verify.status import render


def status_report(seen: t.Any) -> str:
    try:
        return render(observed_from(seen))
    except (AttributeError, KeyError, TypeError) as error:
        raise AnsibleFilterError(
            "ivy.cluster.status_report needs what the role ivy.cluster.verify puts together; it lacks or cannot read "
            f"{error}"
        ) from error


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"status_report": status_report}
