# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
name: certificate_request_problem
short_description: State why a certificate request must not be signed
version_added: 0.1.0
author:
  - The ivy.cluster contributors (@ivy-cluster)
description:
  - Compares a request, which a host has written, with the certificate that the host may have.
  - A certificate has the names, the usages and the other extensions of the request, so nothing else may be in it.
positional: _input, common_name, names, usages
options:
  _input:
    description: The request in PEM format.
    type: str
    required: true
  common_name:
    description: The common name of the certificate, its whole subject.
    type: str
    required: true
  names:
    description: The alternative names of the certificate, each with C(DNS:) or C(IP:) in front of it.
    type: list
    elements: str
    required: true
  usages:
    description: The extended key usages of the certificate.
    type: list
    elements: str
    choices: [serverAuth, clientAuth]
    default: [serverAuth]
"""

EXAMPLES = r"""
- name: Stop if the request is for another certificate
  ansible.builtin.assert:
    that: request.csr | ivy.cluster.certificate_request_problem('www.example.com', ['DNS:www.example.com']) == ''
"""

RETURN = r"""
_value:
  description: The reason, an empty text if the request may be signed.
  type: str
"""

import typing as t

from ansible_collections.ivy.cluster.plugins.plugin_utils.certificates.request import problem


def certificate_request_problem(
    request: t.Any, common_name: str, names: t.Iterable[str], usages: t.Iterable[str] = ("serverAuth",)
) -> str:
    wanted = [str(usage) for usage in usages]
    return problem(str(request), str(common_name), [str(name) for name in names], wanted)


class FilterModule:
    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"certificate_request_problem": certificate_request_problem}
