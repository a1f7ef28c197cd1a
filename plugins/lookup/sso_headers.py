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
  - If C(SSO.Enabled) has a value other than C(false) in one of these places, C(x-forwarded-user) is in the list, since
    the engine reads it unless it is configured to read another.
  - Also reads C(userNameHeader) of a valve in C(configuration/context.xml), and the headers of
    C(ReverseProxy.HttpHeaders) that the balancer does not write itself.
  - With O(release), the files and keys of a built release are read instead. If it names a header and opens another port
    of the engine than that for HTTP, the lookup fails.
  - Fails if a file cannot be read, since a header that is not removed lets everybody be any user.
options:
  _terms:
    description: The source directory. One that does not exist has no headers.
    type: list
    elements: str
    default: []
  release:
    description: ID of a built release.
    type: str
    default: ""
  cache:
    description: The controller's cache of built releases. Required with O(release).
    type: path
    default: ""
  values:
    description: The values of the templates.
    type: dict
    default: {}
  secrets:
    description: The secrets of the templates.
    type: dict
    default: {}
  environments:
    description: Environment variables of the engines, by the name of the node.
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Show the headers that the balancer removes from requests of users
  ansible.builtin.debug:
    msg: "{{ query('ivy.cluster.sso_headers', ivy_shared_config_source, values=ivy_shared_values) }}"

- name: Show the headers in which engines with a release take the name of a user
  ansible.builtin.debug:
    msg: "{{ query('ivy.cluster.sso_headers', release=rollout_release, cache=ivy_controller_cache) }}"
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
from ansible_collections.ivy.cluster.plugins.plugin_utils.release import cache, inputs, sso


class LookupModule(LookupBase):
    def run(self, terms: list[t.Any], variables: t.Any = None, **kwargs: t.Any) -> list[str]:
        self.set_options(var_options=variables, direct=kwargs)
        headers: list[str] = []
        try:
            shared = t.cast("dict[str, t.Any]", native.plain(self.get_option("values")))
            secret = t.cast("dict[str, t.Any]", native.plain(self.get_option("secrets")))
            environments = t.cast("dict[str, t.Any]", native.plain(self.get_option("environments")))
            for term in terms:
                directory = self._loader.path_dwim(str(term))
                headers += sso.of_source(directory, shared, secret, lambda data: inputs.decrypt(data, self._loader))
            release = str(self.get_option("release"))
            if release:
                headers += self._of_release(release, environments)
            else:
                found, findings, _connectors = sso.of_environments(environments)
                if findings:
                    raise sso.SsoError("; ".join(str(finding) for finding in findings))
                headers += found
        except (sso.SsoError, cache.CacheError, native.PlainError, OSError) as error:
            raise AnsibleLookupError(
                f"ivy.cluster.sso_headers: the headers of the single sign-on are not known: {error}"
            ) from error
        return list(sso.unique(headers))

    def _of_release(self, release: str, environments: dict[str, t.Any]) -> list[str]:
        directory = str(self.get_option("cache"))
        manifest = cache.load_manifest(directory, release)
        return sso.of_release(manifest["entries"], lambda digest: cache.read_blob(directory, digest), environments)
