# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
name: licence
short_description: Read a licence of the engine
version_added: 0.1.0
author:
  - The ivy.cluster contributors (@ivy-cluster)
description:
  - Reads the text of a C(.lic) file. The signature is not checked; the engine does that.
positional: _input
options:
  _input:
    description: The text of the file.
    type: string
    required: true
"""

EXAMPLES = r"""
- name: Show when the licence ends
  ansible.builtin.debug:
    msg: "{{ (lookup('ansible.builtin.file', ivy_licence_file) | ivy.cluster.licence).valid_until }}"
"""

RETURN = r"""
_value:
  description:
    - C(type), C(nodes), C(users) and C(sessions) (0 where the licence has no limit), C(valid_from) and C(valid_until)
      (dates, empty where the licence has none), C(public_urls) and C(key_version).
  type: dict
"""

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.ivy.cluster.plugins.plugin_utils.common.licence import LicenceError, parse_licence


def licence(text: t.Any) -> dict[str, t.Any]:
    try:
        return parse_licence(str(text)).to_dict()
    except LicenceError as error:
        raise AnsibleFilterError(f"ivy.cluster.licence: this is not a licence file: {error}") from error


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"licence": licence}
