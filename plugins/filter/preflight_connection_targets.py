# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
name: preflight_connection_targets
short_description: What one host is to try out about the others
version_added: 0.1.0
author:
  - The ivy.cluster contributors (@ivy-cluster)
description:
  - Chooses, from what was seen of all hosts, whom one of them is to reach and whose files it is to look for.
positional: _input
options:
  _input:
    description: What M(ivy.cluster.preflight_probe_host) returned, by host.
    type: dict
    required: true
  host:
    description: The host that is to try.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Try the other hosts
  ivy.cluster.preflight_connect:
    targets: "{{ (looked | ivy.cluster.preflight_connection_targets(inventory_hostname)).targets }}"
"""

RETURN = r"""
_value:
  description: C(targets) and C(files) as M(ivy.cluster.preflight_connect) takes them.
  type: dict
"""

import typing as t

from ansible_collections.ivy.cluster.plugins.plugin_utils.common import native
from ansible_collections.ivy.cluster.plugins.plugin_utils.preflight.checks import network, share
from ansible_collections.ivy.cluster.plugins.plugin_utils.preflight.model.host_facts import looks_from


def preflight_connection_targets(looked: t.Any, host: str) -> dict[str, list[dict[str, t.Any]]]:
    looks = looks_from(t.cast("dict[str, t.Any]", native.plain(looked)))
    return {
        "targets": [one.arguments() for one in network.questions(looks, str(host))],
        "files": share.files(looks, str(host)),
    }


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"preflight_connection_targets": preflight_connection_targets}
