# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
name: shipped_jvm_options
short_description: Keep the JVM options that the vendor ships unless the cluster sets them
version_added: 0.1.0
author:
  - The ivy.cluster contributors (@ivy-cluster)
description:
  - Returns the lines of a C(jvm.options) file, with their comments, without the options that are set by others.
  - V(-Xmx1g) and V(-Xmx2g), V(-XX:+A) and V(-XX:-A), and V(-Dx=1) and V(-Dx=2) set the same. So do two garbage
    collectors, since Java does not start with two.
positional: _input, own
options:
  _input:
    description: The text of the vendor's file.
    type: string
    required: true
  own:
    description: The options of the cluster, each in an entry or a line.
    type: list
    elements: string
    required: true
"""

EXAMPLES = r"""
- name: Show what is left of the vendor's options
  ansible.builtin.debug:
    msg: "{{ '-Xmx2g\n-XX:+UseG1GC\n' | ivy.cluster.shipped_jvm_options(['-Xmx4g']) }}"
"""

RETURN = r"""
_value:
  description: The lines.
  type: list
  elements: string
"""

import typing as t

from ansible_collections.ivy.cluster.plugins.plugin_utils.release.jvm_options import kept


def shipped_jvm_options(text: t.Any, own: t.Iterable[t.Any]) -> list[str]:
    return kept(str(text or ""), [str(option) for option in own])


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"shipped_jvm_options": shipped_jvm_options}
