# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
name: masked
short_description: Return a text without what may be a secret
version_added: 0.1.0
author:
  - The ivy.cluster contributors (@ivy-cluster)
description:
  - Replaces passwords in URLs, values of names such as C(password), C(apiKey) or C(BindPw), private keys, tokens and
    known secrets with asterisks.
  - Use it for every text that comes from a host or another program, such as a journal, before you print it.
  - Masks rather too much than too little. Use C(no_log) on the task that reads the text.
positional: _input, secrets
options:
  _input:
    description: The text.
    type: str
    required: true
  secrets:
    description: Known secrets; values of any depth, such as C(ivy_known_secrets).
    type: raw
    default: []
"""

EXAMPLES = r"""
- name: Show the end of a journal
  ansible.builtin.debug:
    msg: "{{ journal.stdout | ivy.cluster.masked(ivy_known_secrets) }}"
"""

RETURN = r"""
_value:
  description: The text with C(********) in place of each secret.
  type: str
"""

import typing as t

from ansible_collections.ivy.cluster.plugins.plugin_utils.common import masking


def masked(text: t.Any, secrets: t.Any = ()) -> str:
    return masking.masked(str(text), list(masking.leaves(secrets)))


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"masked": masked}
