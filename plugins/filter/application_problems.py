# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
name: application_problems
short_description: What is wrong with the entries of engine_applications
version_added: 0.1.0
author:
  - The ivy.cluster contributors (@ivy-cluster)
description:
  - Reads no file and contacts no host. M(ivy.cluster.application_files) also checks the files.
positional: _input
options:
  _input:
    description: The value of the option C(engine_applications).
    type: raw
    required: true
"""

EXAMPLES = r"""
- name: Stop if an entry is invalid
  ansible.builtin.fail:
    msg: "{{ engine_applications | ivy.cluster.application_problems }}"
  when: engine_applications | ivy.cluster.application_problems != ''
"""

RETURN = r"""
_value:
  description: The problems in one line; empty if there is none.
  type: str
"""

import typing as t

from ansible_collections.ivy.cluster.plugins.plugin_utils.common import application_archives


def application_problems(values: t.Any) -> str:
    return " ".join(application_archives.problems_of(values))


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"application_problems": application_problems}
