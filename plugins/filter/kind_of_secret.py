# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
name: kind_of_secret
short_description: State what secret a text contains
version_added: 0.1.0
author:
  - The ivy.cluster contributors (@ivy-cluster)
description:
  - Finds what can only be a secret, such as C(keyStorePassword=...) or a password in a URL. Returns an empty text if
    there is none.
positional: _input
options:
  _input:
    description: The text.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Show whether a JVM option contains a secret
  ansible.builtin.debug:
    msg: "{{ '-Dhttp.proxyPassword=abc' | ivy.cluster.kind_of_secret }}"
"""

RETURN = r"""
_value:
  description: What it is, as the end of a sentence.
  type: str
"""

import typing as t

from ansible_collections.ivy.cluster.plugins.plugin_utils.release.secret_checks import kind_of_secret_in


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"kind_of_secret": lambda value: kind_of_secret_in(str(value)) or ""}
