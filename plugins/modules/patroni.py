#!/usr/bin/python
# Copyright: the ivy.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: patroni
short_description: Inspects a member of a database that Patroni manages, or lets Patroni change something
version_added: 0.1.0
description:
  - With O(state=inspected) the module reports the state of the member, and of the others as it knows them.
  - With O(state=configured) it changes the configuration that all members share.
  - With O(state=restarted) Patroni restarts PostgreSQL of this member.
  - With O(state=switched) another member becomes the primary, if this one is.
  - With O(state=reinitialized) the files of this member are removed and copied from the primary again. It is refused
    for the primary, and Patroni goes on with it after the module has ended.
options:
  name:
    description: Name of the member.
    type: str
    required: true
  url:
    description: URL of Patroni's REST interface.
    type: str
    required: true
  names:
    description: Names of all members.
    type: list
    elements: str
    default: []
  synchronous:
    description: How many standbys have to be synchronous.
    type: int
    default: 0
  configuration:
    description: What the shared configuration has to contain.
    type: dict
    default: {}
  candidate:
    description: Name of the member that becomes the primary. Patroni chooses one if it is empty.
    type: str
    default: ""
  urls:
    description:
      - URLs of all members by name. With O(state=switched) they are asked who is the primary, to measure the gap.
    type: dict
    default: {}
  describe:
    description: Program that prints the digests of files.
    type: path
    default: ""
  loaded:
    description: File with the digests of the configuration that Patroni has loaded.
    type: path
    default: ""
  started:
    description: File with the digests of what Patroni reads at a start.
    type: path
    default: ""
  certificate:
    description: File with the certificate of this host.
    type: path
    required: true
  key:
    description: File with the key of O(certificate).
    type: path
    required: true
  authority:
    description: File with the certificate of the authority of all members.
    type: path
    required: true
  state:
    description: What to do.
    type: str
    choices: [inspected, configured, restarted, switched, reinitialized]
    default: inspected
author:
  - The ivy.cluster contributors (@ivy-cluster)
extends_documentation_fragment:
  - ivy.cluster.attributes
"""

EXAMPLES = r"""
- name: Let another member become the primary
  ivy.cluster.patroni:
    name: db1
    url: https://192.0.2.31:8008
    certificate: /etc/ivy-cluster-pki/patroni.pem
    key: /etc/ivy-cluster-pki/patroni.pem.key
    authority: /etc/ivy-cluster-pki/cluster-ca.pem
    state: switched
"""

RETURN = r"""
member:
  description:
    - The state of the member before a change.
    - C(leads), C(runs) and C(started_at) are about this member, C(members) are all, C(problem) is why none may be
      stopped now, and C(changes) is what the shared configuration lacks.
  returned: always
  type: dict
  sample: {leads: true, runs: true, problem: ""}
answer:
  description: What Patroni answered.
  returned: O(state=restarted), O(state=switched) or O(state=reinitialized)
  type: str
  sample: Successfully switched over to "db2"
primary:
  description: Name of the new primary; empty if it is not known.
  returned: O(state=switched)
  type: str
  sample: db2
gap:
  description: Seconds without a primary; null if they were not measured.
  returned: O(state=switched)
  type: float
  sample: 1.4
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ivy.cluster.plugins.module_utils.host_state import patroni
from ansible_collections.ivy.cluster.plugins.module_utils.probes.patroni import Client, PatroniError
from ansible_collections.ivy.cluster.plugins.module_utils.probes.primary_watch import Watch

ARGUMENT_SPEC: dict[str, dict[str, t.Any]] = {
    "name": {"type": "str", "required": True},
    "url": {"type": "str", "required": True},
    "names": {"type": "list", "elements": "str", "default": []},
    "synchronous": {"type": "int", "default": 0},
    "configuration": {"type": "dict", "default": {}},
    "candidate": {"type": "str", "default": ""},
    "urls": {"type": "dict", "default": {}},
    "describe": {"type": "path", "default": ""},
    "loaded": {"type": "path", "default": ""},
    "started": {"type": "path", "default": ""},
    "certificate": {"type": "path", "required": True},
    "key": {"type": "path", "required": True, "no_log": False},
    "authority": {"type": "path", "required": True},
    "state": {
        "type": "str",
        "choices": ["inspected", "configured", "restarted", "switched", "reinitialized"],
        "default": "inspected",
    },
}


# After Patroni has reported the switchover, the new primary accepts changes within moments.
_LONGEST_WAIT = 30


def switch(params: t.Mapping[str, t.Any], client: Client) -> dict[str, t.Any]:
    """Let another member become the primary, and measure how long there was none. Raises PatroniError."""
    name = str(params["name"])
    urls = {str(other): str(url) for other, url in params["urls"].items()}
    with Watch(client.leads, urls, name) as watch:
        answer = client.switch_over(str(params["url"]), name, str(params["candidate"]))
        primary = watch.wait(_LONGEST_WAIT) if urls else ""
    return {"answer": answer, "primary": primary, "gap": watch.gap()}


def change(params: t.Mapping[str, t.Any], member: t.Mapping[str, t.Any], check_mode: bool) -> dict[str, t.Any]:
    """Do what the state says. Raises PatroniError."""
    client, url = patroni.client(params), str(params["url"])
    wanted = params["state"]
    if wanted == "inspected" or (wanted == "configured" and not member["changes"]):
        return {"changed": False}
    if wanted == "switched" and not member["leads"]:
        return {"changed": False, "answer": "It is not the primary.", "primary": "", "gap": None}
    if wanted == "reinitialized" and member["leads"]:
        raise PatroniError(f"{params['name']} is the primary, so its files were not removed.")
    if check_mode:
        return {"changed": True, "answer": ""}
    if wanted == "configured":
        client.configure(url, member["changes"])
        return {"changed": True}
    if wanted == "restarted":
        return {"changed": True, "answer": client.restart(url)}
    if wanted == "switched":
        return {"changed": True, **switch(params, client)}
    return {"changed": True, "answer": client.reinitialize(url)}


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    member = patroni.gather(module.params)
    try:
        result = change(module.params, member, module.check_mode)
    except PatroniError as exc:
        module.fail_json(msg=str(exc), member=member)
    module.exit_json(member=member, **result)


if __name__ == "__main__":
    main()
