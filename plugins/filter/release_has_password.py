# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
name: release_has_password
short_description: Whether a release was built with a password of the database
version_added: 0.1.0
author:
  - The ivy.cluster contributors (@ivy-cluster)
description:
  - Compares digests only, which are keyed with the cluster's key. The release must be in the controller's cache.
positional: _input, cache, password, cluster_key
options:
  _input:
    description: Id of the release.
    type: str
    required: true
  cache:
    description: Directory of the controller's cache.
    type: str
    required: true
  password:
    description: The password.
    type: str
    required: true
  cluster_key:
    description: The cluster's key, with which the release was built.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Show whether the engines could log in with this release
  ansible.builtin.debug:
    msg: >-
      {{ '3f2a9c0d3f2a9c0d3f2a9c0d3f2a9c0d'
      | ivy.cluster.release_has_password(ivy_controller_cache, ivy_database_password, ivy_cluster_key) }}
"""

RETURN = r"""
_value:
  description: False if the release has another password. True also if it has none, or is not in the cache.
  type: bool
"""

import os
import typing as t

from ansible_collections.ivy.cluster.plugins.plugin_utils.release.cache import CacheError, load_manifest
from ansible_collections.ivy.cluster.plugins.plugin_utils.release.restart import KeyedDigest, by_keys

_FILE = "shared.env"
_VARIABLE = "IVY_SYSTEMDB_PASSWORD"


def release_has_password(release: t.Any, cache: t.Any, password: t.Any, cluster_key: t.Any) -> bool:
    try:
        manifest = load_manifest(os.path.expanduser(str(cache)), str(release))
    except CacheError:
        return True
    wanted = by_keys(_FILE, {_VARIABLE: str(password)}, KeyedDigest(str(cluster_key)))["keys"]
    found = [
        (entry.get("restart") or {}).get("keys", {}).get(_VARIABLE)
        for entry in manifest["entries"]
        if (entry.get("root"), entry.get("path")) == ("environment", _FILE)
    ]
    return all(digest is None or digest == wanted[_VARIABLE] for digest in found)


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., bool]]:
        return {"release_has_password": release_has_password}
