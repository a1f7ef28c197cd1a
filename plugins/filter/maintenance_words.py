# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
name: maintenance_words
short_description: The maintenance of the whole service in words
version_added: 0.1.0
author:
  - The ivy.cluster contributors (@ivy-cluster)
description:
  - Reports since when the balancers answer users with the maintenance page, who gets through, balancers that do not,
    and the command that ends it.
positional: _input
options:
  _input:
    description: >-
      Results of M(ivy.cluster.balancer_info) or M(ivy.cluster.balancer_maintenance), of a loop over balancers.
    type: list
    elements: dict
    required: true
"""

EXAMPLES = r"""
- name: Print the state of the service
  ansible.builtin.debug:
    msg: "{{ balancers.results | ivy.cluster.maintenance_words }}"
"""

RETURN = r"""
_value:
  description: One line; empty if no balancer is in maintenance.
  type: str
"""

import typing as t

from ansible_collections.ivy.cluster.plugins.plugin_utils.common import maintenance


def maintenance_words(results: t.Iterable[t.Mapping[str, t.Any]]) -> str:
    return maintenance.of_loop(results)


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"maintenance_words": maintenance_words}
