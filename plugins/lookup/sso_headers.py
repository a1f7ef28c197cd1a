# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
name: sso_headers
short_description: List the headers in which the engine takes the name of a user from the proxy
version_added: 0.1.0
author:
  - The ivy.cluster contributors (@ivy-cluster)
description:
  - Reads C(SSO.UserHeader) and C(SecuritySystems.<name>.SSO.UserHeader) from the files of the engine in the source,
    with the templates rendered, from C(ivy_shared_secrets.engine_keys), and from the environment of the nodes.
  - Fails if a file cannot be read, since a header that is not removed lets everybody be any user.
options:
  _terms:
    description: The source directory. One that does not exist has no headers.
    type: list
    elements: str
    required: true
  values:
    description: The values of the templates.
    type: dict
    default: {}
  secrets:
    description: The secrets of the templates.
    type: dict
    default: {}
  environments:
    description: Environment variables of the engines.
    type: list
    elements: dict
    default: []
"""

EXAMPLES = r"""
- name: Show the headers that the balancer removes from requests of users
  ansible.builtin.debug:
    msg: "{{ query('ivy.cluster.sso_headers', ivy_shared_config_source, values=ivy_shared_values) }}"
"""

RETURN = r"""
_raw:
  description: Names of headers, in lower case.
  type: list
  elements: str
"""

import typing as t

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase

from ansible_collections.ivy.cluster.plugins.plugin_utils.common import native
from ansible_collections.ivy.cluster.plugins.plugin_utils.release import inputs, sso


class LookupModule(LookupBase):
    def run(self, terms: list[t.Any], variables: t.Any = None, **kwargs: t.Any) -> list[str]:
        self.set_options(var_options=variables, direct=kwargs)
        headers: list[str] = []
        try:
            shared = t.cast("dict[str, t.Any]", native.plain(self.get_option("values")))
            secret = t.cast("dict[str, t.Any]", native.plain(self.get_option("secrets")))
            for term in terms:
                directory = self._loader.path_dwim(str(term))
                headers += sso.of_source(directory, shared, secret, lambda data: inputs.decrypt(data, self._loader))
            for environment in self.get_option("environments"):
                found, findings = sso.of_values(t.cast("dict[str, t.Any]", native.plain(environment)), variables=True)
                if findings:
                    raise sso.SsoError("; ".join(str(finding) for finding in findings))
                headers += found
        except (sso.SsoError, native.PlainError, OSError) as error:
            raise AnsibleLookupError(
                f"ivy.cluster.sso_headers: the headers of the single sign-on are not known: {error}"
            ) from error
        return list(sso.unique(headers))
