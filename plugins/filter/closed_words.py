# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
name: closed_words
short_description: What the balancers closed at the beginning of a maintenance, in words
version_added: 0.1.0
author:
  - The ivy.cluster contributors (@ivy-cluster)
description:
  - Adds up the requests and WebSockets that M(ivy.cluster.balancer_maintenance) closed on each balancer.
positional: _input
options:
  _input:
    description: The values C(closed) of the results.
    type: list
    elements: dict
    required: true
"""

EXAMPLES = r"""
- name: Print what was closed
  ansible.builtin.debug:
    msg: "{{ [result.closed] | ivy.cluster.closed_words }}"
"""

RETURN = r"""
_value:
  description: Such as C(1 request and 2 WebSockets); empty if nothing was closed.
  type: str
"""

import typing as t

from ansible_collections.ivy.cluster.plugins.plugin_utils.common import maintenance


def closed_words(closed: t.Iterable[t.Mapping[str, t.Any]]) -> str:
    return maintenance.counted(closed)


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"closed_words": closed_words}
