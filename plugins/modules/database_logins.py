#!/usr/bin/python
# Copyright: the ivy.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: database_logins
short_description: Sets up the role with which engines log in to PostgreSQL, and locks the ones before it
version_added: 0.1.0
description:
  - Each password has a login role of its own, a member of the owner of the system database, whose sessions act as the
    owner. So a new password can be set up while engines use the one before.
  - Runs on the database server, as root, and connects as the administrator through the socket. The access rules must
    allow that, as those of the role C(postgres) do.
  - The password is only sent if it differs from the stored one. No statement is logged.
options:
  state:
    description:
      - V(present) creates the owner and the login, or corrects them. No other role is locked.
      - V(retired) locks the owner's earlier logins and the owner itself, ends their sessions, and removes the roles
        that own nothing. It fails if O(login) cannot be used. An engine that still uses an earlier login loses its
        database, so run it when all engines use O(login).
    type: str
    choices: [present, retired]
    default: present
  owner:
    description: Role that owns the system database.
    type: str
    required: true
  login:
    description:
      - Role with which the engines log in, from the filter P(ivy.cluster.database_login#filter).
    type: str
    required: true
  password:
    description: Password of O(login). Required with O(state=present).
    type: str
    default: ""
  wait:
    description: With O(state=retired), the number of seconds in which sessions of earlier logins may end by themselves.
    type: float
    default: 20
  socket_directory:
    description: Directory of PostgreSQL's socket.
    type: path
    default: /var/run/postgresql
  port:
    description: Port of PostgreSQL.
    type: int
    default: 5432
author:
  - The ivy.cluster contributors (@ivy-cluster)
extends_documentation_fragment:
  - ivy.cluster.attributes
"""

EXAMPLES = r"""
- name: Set up the login of the engines
  ivy.cluster.database_logins:
    owner: ivy
    login: ivy_3f2a9c0d
    password: "{{ ivy_database_password }}"

- name: Lock the logins that no engine uses any more
  ivy.cluster.database_logins:
    state: retired
    owner: ivy
    login: ivy_3f2a9c0d
"""

RETURN = r"""
changes:
  description: The changes in words. In check mode, what would be changed.
  returned: success
  type: list
  elements: str
  sample: ["login ivy_3f2a9c0d: created", "login ivy_3f2a9c0d: another password"]
standby:
  description: Whether the server is a replica, on which nothing is done.
  returned: success
  type: bool
  sample: false
retired:
  description: The roles with which nobody can log in any more.
  returned: O(state=retired)
  type: list
  elements: str
  sample: [ivy_77aa01b2]
sessions:
  description: Number of their sessions that were ended. In check mode, the number that they have now.
  returned: O(state=retired)
  type: int
  sample: 0
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ivy.cluster.plugins.module_utils.database import logins
from ansible_collections.ivy.cluster.plugins.module_utils.database.psql import DatabaseError, Server

ARGUMENT_SPEC: dict[str, dict[str, object]] = {
    "state": {"type": "str", "choices": ["present", "retired"], "default": "present"},
    "owner": {"type": "str", "required": True},
    "login": {"type": "str", "required": True},
    "password": {"type": "str", "default": "", "no_log": True},
    "wait": {"type": "float", "default": 20},
    "socket_directory": {"type": "path", "default": "/var/run/postgresql"},
    "port": {"type": "int", "default": 5432},
}


def run(module: AnsibleModule) -> dict[str, object]:
    """The result of the module. Raises DatabaseError."""
    params = module.params
    server = Server(params["socket_directory"], params["port"])
    owner, login = params["owner"], params["login"]
    if owner == login:
        raise DatabaseError("owner and login must be two roles.")
    result: dict[str, object] = {"standby": logins.is_standby(server)}
    if result["standby"]:
        # It gets the logins from the primary.
        of_retired = {} if params["state"] == "present" else {"retired": [], "sessions": 0}
        return {**result, **of_retired, "changed": False, "changes": []}
    if params["state"] == "present":
        if not params["password"]:
            raise DatabaseError("password is empty.")
        changes = logins.ensure(server, logins.Wanted(owner, login, params["password"]), module.check_mode)
    else:
        retired = logins.retire(server, owner, login, params["wait"], module.check_mode)
        changes = [f"login {name}: locked" for name in retired.roles]
        result.update(retired=retired.roles, sessions=retired.sessions)
    result.update(changed=bool(changes), changes=changes)
    if module._diff and changes:
        result["diff"] = {"before": "", "after": "\n".join(changes) + "\n"}
    return result


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    try:
        result = run(module)
    except DatabaseError as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
