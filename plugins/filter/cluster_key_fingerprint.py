# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
name: cluster_key_fingerprint
short_description: Return the fingerprint of a cluster key, as releases contain it
version_added: 0.1.0
author:
  - The ivy.cluster contributors (@ivy-cluster)
description:
  - By it, a node knows whether two releases were built with the same key. It reveals nothing about the key.
options:
  _input:
    description: The key.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Show the fingerprint of the former key
  ansible.builtin.debug:
    msg: "{{ ivy_cluster_key_previous | ivy.cluster.cluster_key_fingerprint }}"
"""

RETURN = r"""
_value:
  description: 16 hexadecimal digits, empty if there is no key.
  type: str
"""

import typing as t

from ansible_collections.ivy.cluster.plugins.plugin_utils.release.restart import KeyedDigest


def cluster_key_fingerprint(key: t.Any) -> str:
    return KeyedDigest(str(key)).fingerprint() if key else ""


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"cluster_key_fingerprint": cluster_key_fingerprint}
