# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
name: preflight_connection_targets
short_description: Selects the connections and files that a host tests for preflight
version_added: 0.1.0
author:
  - The ivy.cluster contributors (@ivy-cluster)
description:
  - Selects from the probes of all hosts the connections that one host opens and the files on the share that it reads.
positional: _input
options:
  _input:
    description: The results of M(ivy.cluster.preflight_probe_host), by host.
    type: dict
    required: true
  host:
    description: The host that runs the tests.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Test the connections to the other hosts
  ivy.cluster.preflight_connect:
    targets: "{{ (probes | ivy.cluster.preflight_connection_targets(inventory_hostname)).targets }}"
"""

RETURN = r"""
_value:
  description: The options C(targets) and C(files) of M(ivy.cluster.preflight_connect).
  type: dict
"""

import typing as t

from ansible_collections.ivy.cluster.plugins.plugin_utils.common import native
from ansible_collections.ivy.cluster.plugins.plugin_utils.preflight.checks import network, share
from ansible_collections.ivy.cluster.plugins.plugin_utils.preflight.model.host_facts import looks_from


def preflight_connection_targets(probes: t.Any, host: str) -> dict[str, list[dict[str, t.Any]]]:
    hosts = looks_from(t.cast("dict[str, t.Any]", native.plain(probes)))
    return {
        "targets": [target.arguments() for target in network.questions(hosts, str(host))],
        "files": share.files(hosts, str(host)),
    }


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"preflight_connection_targets": preflight_connection_targets}
