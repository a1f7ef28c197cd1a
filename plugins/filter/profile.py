# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
name: profile
short_description: Return the facts about an engine version
version_added: 0.1.0
author:
  - The ivy.cluster contributors (@ivy-cluster)
description:
  - Returns the facts about the range of versions that contains an engine version.
  - The ranges, each fact with its source, are in the role P(ivy.cluster.topology#role), file C(vars/main/profiles.yml).
positional: _input, version, share_applications
options:
  _input:
    description: The list of ranges, C(ivy_profiles).
    type: list
    elements: dict
    required: true
  version:
    description: Version of the engine. A build number or a suffix is ignored.
    type: string
    required: true
  share_applications:
    description: Whether the nodes share the applications, if the version supports that.
    type: bool
    default: true
"""

EXAMPLES = r"""
- name: Show which Java this engine needs
  ansible.builtin.debug:
    msg: "{{ (ivy_profiles | ivy.cluster.profile('11.3.0')).java }}"
"""

RETURN = r"""
_value:
  description:
    - The facts, including C(name), C(java), C(postgresql), C(search), C(settings), C(health), C(transport),
      C(hot_reload_keys), C(restart_rules), C(renamed_keys).
  type: dict
"""

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.ivy.cluster.plugins.plugin_utils.common.profiles import ProfileError, resolve_profile


def profile(ranges: t.Any, version: t.Any, share_applications: bool = True) -> dict[str, t.Any]:
    if not isinstance(ranges, list):
        raise AnsibleFilterError(
            "ivy.cluster.profile needs the list of ranges, as in: ivy_profiles | ivy.cluster.profile('11.3.0')"
        )
    try:
        return resolve_profile(ranges, version, share_applications)
    except ProfileError as error:
        raise AnsibleFilterError(f"ivy.cluster.profile: {error}") from error


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"profile": profile}
