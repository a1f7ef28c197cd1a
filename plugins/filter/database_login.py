# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
name: database_login
short_description: Return the name of the role with which engines log in to the database
version_added: 0.1.0
author:
  - The ivy.cluster contributors (@ivy-cluster)
description:
  - Another password gives another name, so engines with the former password can go on working until each of them has
    the new one. The password cannot be guessed from the name without the cluster's key.
positional: _input, password, cluster_key
options:
  _input:
    description: Name of the role that owns the system database.
    type: str
    required: true
  password:
    description: The password.
    type: str
    required: true
  cluster_key:
    description: The cluster's key.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Show the role with which engines log in
  ansible.builtin.debug:
    msg: "{{ 'ivy' | ivy.cluster.database_login(ivy_database_password, ivy_cluster_key) }}"
"""

RETURN = r"""
_value:
  description: The name, an underscore, and eight hexadecimal digits.
  type: str
"""

import typing as t

from ansible_collections.ivy.cluster.plugins.plugin_utils.release.restart import KeyedDigest


def database_login(owner: t.Any, password: t.Any, cluster_key: t.Any) -> str:
    return f"{owner}_{KeyedDigest(str(cluster_key))(['database login', str(owner), str(password)])[:8]}"


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"database_login": database_login}
