#!/usr/bin/python
# Copyright: the ivy.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: etcd_member
short_description: Inspects a member of etcd, or changes the members of its cluster
version_added: 0.1.0
description:
  - With O(state=inspected) the module reports the state of the member on this host, and which other members answer.
    It changes nothing.
  - With O(state=added) a member without data gets an entry in the cluster of O(others), in place of the entry of its
    lost data.
  - With O(state=removed) the entry of the member is removed from the cluster of O(others).
options:
  name:
    description: Name of the member.
    type: str
    required: true
  url:
    description: URL for clients of the member.
    type: str
    required: true
  peer_url:
    description: URL for the other members.
    type: str
    required: true
  others:
    description: URLs for clients of the other members.
    type: list
    elements: str
    default: []
  data_directory:
    description: Directory of the data of the member.
    type: path
    default: ""
  describe:
    description: Program that prints the digests of the files that the member reads at a start.
    type: path
    default: ""
  started:
    description: File with the output of O(describe) at the last start.
    type: path
    default: ""
  certificate:
    description: File with the certificate of this host. Required if the URLs begin with C(https).
    type: path
    default: ""
  key:
    description: File with the key of O(certificate).
    type: path
    default: ""
  authority:
    description: File with the certificate of the authority of all members.
    type: path
    default: ""
  state:
    description: What to do.
    type: str
    choices: [inspected, added, removed]
    default: inspected
author:
  - The ivy.cluster contributors (@ivy-cluster)
extends_documentation_fragment:
  - ivy.cluster.attributes
"""

EXAMPLES = r"""
- name: Inspect the member
  ivy.cluster.etcd_member:
    name: db1
    url: http://192.0.2.31:2379
    peer_url: http://192.0.2.31:2380
    others: [http://192.0.2.32:2379, http://192.0.2.33:2379]
    data_directory: /var/lib/etcd/ivy-cluster
  register: etcd
"""

RETURN = r"""
member:
  description:
    - The state of the member on this host.
    - C(has_data), C(healthy) and C(current) (its process has read the current files) are booleans. C(answering) and
      C(healthy_others) are URLs of other members. C(members) are the peer URLs of all members by name, as this one
      lists them. C(status) has C(version), C(bytes), C(leads) and C(errors).
  returned: O(state=inspected)
  type: dict
  sample: {has_data: true, healthy: true, current: true}
members:
  description: The peer URLs of all members by name, after the change.
  returned: O(state=added) or O(state=removed)
  type: dict
  sample: {db1: "https://192.0.2.31:2380"}
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ivy.cluster.plugins.module_utils.host_state import etcd
from ansible_collections.ivy.cluster.plugins.module_utils.probes.etcd import (
    Client,
    EtcdError,
    Member,
    outdated,
    peer_urls,
)

ARGUMENT_SPEC: dict[str, dict[str, t.Any]] = {
    "name": {"type": "str", "required": True},
    "url": {"type": "str", "required": True},
    "peer_url": {"type": "str", "required": True},
    "others": {"type": "list", "elements": "str", "default": []},
    "data_directory": {"type": "path", "default": ""},
    "describe": {"type": "path", "default": ""},
    "started": {"type": "path", "default": ""},
    "certificate": {"type": "path", "default": ""},
    "key": {"type": "path", "default": "", "no_log": False},
    "authority": {"type": "path", "default": ""},
    "state": {"type": "str", "choices": ["inspected", "added", "removed"], "default": "inspected"},
}


def _ask(client: Client, url: str) -> tuple[list[Member], str]:
    try:
        return client.members(url), ""
    except EtcdError as exc:
        return [], str(exc)


def _first_answer(client: Client, urls: t.Sequence[str]) -> tuple[str, list[Member]]:
    problems = []
    for url in urls:
        members, problem = _ask(client, url)
        if members:
            return url, members
        problems.append(problem)
    raise EtcdError(f"No other member of etcd answers: {'; '.join(problems) or 'there is none'}.")


def change(client: Client, params: t.Mapping[str, t.Any], check_mode: bool) -> tuple[bool, dict[str, str]]:
    """Remove the outdated entry, and add a new one. Returns whether that changed the cluster, and its members."""
    name, peer_url = str(params["name"]), str(params["peer_url"])
    url, members = _first_answer(client, params["others"])
    old = outdated(members, name, peer_url)
    rest = [member for member in members if member not in old]
    missing = params["state"] == "added" and not any(member.peer_url == peer_url for member in rest)
    if not check_mode:
        for member in old:
            client.remove(url, member)
        if missing:
            rest = client.add(url, peer_url)
    return bool(old or missing), peer_urls(rest, name, peer_url)


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    params = module.params
    if params["state"] == "inspected":
        module.exit_json(changed=False, member=etcd.gather(params))
    try:
        changed, members = change(etcd.client(params), params, module.check_mode)
    except EtcdError as exc:
        module.fail_json(msg=f"The members of etcd were not changed: {exc}")
    module.exit_json(changed=changed, members=members)


if __name__ == "__main__":
    main()
