#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: config_release
short_description: Builds a release of the shared configuration
version_added: 0.1.0
description:
  - Renders the source, the shared values and secrets and the topology into one release, which is the same for every
    node, and stores it in a cache on the controller. M(ivy.cluster.shared_config) stages it on a node.
  - Runs on the controller and needs no connection, so it works when hosts are down. Use it once in a run (C(run_once)),
    in a play without C(serial).
  - The ID of a release is a keyed digest. The same input gives the same ID on every controller. Without the cluster's
    key, the ID cannot be used to test guesses of a secret.
  - All findings of the input are reported together, each with its file, its line if there is one, and advice.
  - Files whose name ends in C(.j2) are templates. They can use only C(shared), which is O(values_variable), and
    C(secret), which is O(secrets_variable), so a release cannot depend on a node. In addition to the filters of Jinja
    there are C(to_json), which also quotes a text for YAML, and C(b64encode). All other files are copied unchanged. A
    file that is encrypted with Ansible Vault is decrypted.
  - The source is rejected if it contains symbolic links, files outside C(configuration/), C(dropins/) and C(patches/)
    (except C(webapps/ivy/error-*.xhtml) and C(system/lib/agent/*.jar)), YAML with errors, with duplicate keys or
    without the schema header that the version requires, keys that the engine's version does not read, secrets in clear
    text, or XML that is not well-formed or declares entities. A line that is wrongly taken for a secret is accepted
    with the comment C(# not a secret) at its end.
options:
  source:
    description: Directory of the source. Its structure is that of the managed part of the engine's directory.
    type: path
    required: true
  cache:
    description:
      - Directory for built releases. It is created with mode C(0700).
      - It is not part of the state of a host, so it is written in check mode too, and never counts as a change.
    type: path
    required: true
  cluster:
    description: Name of the cluster.
    type: str
    required: true
  cluster_key:
    description: Secret key of the digests, with at least 32 characters.
    type: str
    required: true
  engine_version:
    description: Version of the engine.
    type: str
    required: true
  profile:
    description: The profile of the engine version, from P(ivy.cluster.profile#filter).
    type: dict
    required: true
  nodes:
    description: Names of all engine nodes. The values and secrets must be the same for all of them.
    type: list
    elements: str
    required: true
  values_variable:
    description: Name of the dictionary variable that templates use as C(shared).
    type: str
    default: ivy_shared_values
  secrets_variable:
    description:
      - Name of the dictionary variable that templates use as C(secret).
      - Its reserved entry C(engine_keys), a dictionary of keys of C(ivy.yaml) and their values, is not available to
        templates. The engine receives each of them through the environment of its unit, or, if the name is not valid
        for an environment variable, as a file under C(/run/secrets).
    type: str
    default: ivy_shared_secrets
  environment_variable:
    description:
      - Name of the dictionary variable with further environment variables of the engine, which may differ between the
        nodes. They are not part of the release. They are checked, because they can name the header in which the engine
        takes the name of a user, or open another port of the engine.
    type: str
    default: engine_environment
  topology:
    description:
      - Values of the inventory, by their names in C(settings) of O(profile). Each is written to the file and key that
        the engine version uses, passwords to the environment of the unit. Empty values are omitted.
      - It is an error if the source sets such a key to another value.
    type: dict
    default: {}
  jgroups:
    description: Communication between the nodes. Used if the source has no C(configuration/jgroups.xml).
    type: dict
    suboptions:
      transport:
        description:
          - V(tcp) finds the nodes by O(jgroups.hosts), V(multicast) by an address derived from the cluster's name.
        type: str
        choices: [tcp, multicast]
        required: true
      port:
        description: Port of each node.
        type: int
        default: 7800
      fd_port:
        description: Port of the failure detection.
        type: int
        default: 7900
      hosts:
        description: Addresses of all nodes.
        type: list
        elements: str
        default: []
  licence_file:
    description:
      - The licence, a C(.lic) file on the controller. It must match the date, the number of nodes and the public URL.
      - Empty if the source contains the licence, or there is none.
    type: path
    default: ""
  read_only:
    description:
      - Whether root owns the files below the engine's directory and the engine may only read them.
      - The engine then uses a copy that it creates when it starts. Changes made in the running engine are lost at the
        next restart, and every change of the release requires a restart.
      - An error for a version without this mode. Values that the engine would encrypt or hash remain in clear text in
        the files, which is reported as a warning.
    type: bool
    default: false
  read_only_copy:
    description: Path of this copy, relative to the engine's directory, so that changes in it can be found. Empty if it
      is unknown.
    type: str
    default: ""
extends_documentation_fragment:
  - ivy.cluster.attributes
seealso:
  - module: ivy.cluster.shared_config
author:
  - The ivy.cluster contributors (@ivy-cluster)
"""

EXAMPLES = r"""
- name: Build the release
  ivy.cluster.config_release:
    source: "{{ inventory_dir }}/shared_config"
    cache: "{{ ivy_controller_cache }}"
    cluster: "{{ ivy_cluster_name }}"
    cluster_key: "{{ ivy_cluster_key }}"
    engine_version: "{{ ivy_engine_version }}"
    profile: "{{ ivy_profile }}"
    nodes: "{{ groups['engine_nodes'] }}"
    topology:
      database_url: "{{ ivy_database_jdbc_url }}"
      database_user: "{{ ivy_database_user }}"
      database_password: "{{ ivy_database_password }}"
    jgroups:
      transport: tcp
      hosts: "{{ ivy_engine_addresses.values() | list }}"
  register: built
  run_once: true

- name: Apply the release
  ivy.cluster.shared_config:
    release: "{{ built.release.id }}"
    cache: "{{ ivy_controller_cache }}"
    roots:
      engine: /opt/ivy/current
"""

RETURN = r"""
release:
  description: The built release.
  returned: success
  type: dict
  contains:
    id:
      description: Its ID.
      type: str
      sample: 0a1b2c3d4e5f60718293a4b5c6d7e8f9
    files:
      description: Number of its files.
      type: int
      sample: 7
    size:
      description: Total size of its files in bytes.
      type: int
      sample: 10240
    sso_headers:
      description: Headers in which the engine takes the name of a user from the proxy, in lower case.
      type: list
      elements: str
      sample: [x-corp-user]
    source:
      description:
        - The commit of the source, where it is in a git checkout. It describes the release and does not change its id.
        - C(clean) is whether the files are exactly those of the commit. C(problem) says why there is no commit.
      type: dict
      sample: {commit: 1c9f2d7a4b8e6035f1d2c3b4a5968778695a4b3c, clean: true, problem: ""}
    manifest:
      description: Path of its manifest in the cache.
      type: str
      sample: /home/operator/.cache/ivy-cluster/demo/releases/0a1b2c3d4e5f60718293a4b5c6d7e8f9/manifest.json
warnings:
  description: Problems that do not prevent the build, such as a licence that expires soon.
  returned: if there are any
  type: list
  elements: str
  sample: ["The licence ends on 2027-11-03, in 12 days."]
findings:
  description: Everything that is wrong with the input.
  returned: failure
  type: list
  elements: dict
  contains:
    code:
      description: Kind of the finding.
      type: str
      sample: release
    severity:
      description: Always V(error); warnings are in RV(warnings).
      type: str
      sample: error
    area:
      description: Heading under which preflight lists it.
      type: str
      sample: Shared configuration
    subject:
      description: File and line, empty for the inventory.
      type: str
      sample: configuration/ivy.yaml:12
    file:
      description: File, relative to the source. Empty when the inventory is meant.
      type: str
      sample: configuration/ivy.yaml
    line:
      description: Line, 0 when the whole file is meant.
      type: int
      sample: 12
    message:
      description: What is wrong.
      type: str
      sample: the key 'SystemDb.Url' is there twice, first in line 3
    fix:
      description: What to do.
      type: str
      sample: Keep one.
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

ARGUMENT_SPEC: dict[str, t.Any] = {
    "source": {"type": "path", "required": True},
    "cache": {"type": "path", "required": True},
    "cluster": {"type": "str", "required": True},
    "cluster_key": {"type": "str", "required": True, "no_log": True},
    "engine_version": {"type": "str", "required": True},
    "profile": {"type": "dict", "required": True},
    "nodes": {"type": "list", "elements": "str", "required": True},
    "values_variable": {"type": "str", "default": "ivy_shared_values"},
    # The name of a variable, not a secret.
    "secrets_variable": {"type": "str", "default": "ivy_shared_secrets", "no_log": False},
    "environment_variable": {"type": "str", "default": "engine_environment"},
    "topology": {"type": "dict", "default": {}, "no_log": True},
    "jgroups": {
        "type": "dict",
        "options": {
            "transport": {"type": "str", "choices": ["tcp", "multicast"], "required": True},
            "port": {"type": "int", "default": 7800},
            "fd_port": {"type": "int", "default": 7900},
            "hosts": {"type": "list", "elements": "str", "default": []},
        },
    },
    "licence_file": {"type": "path", "default": ""},
    "read_only": {"type": "bool", "default": False},
    "read_only_copy": {"type": "str", "default": ""},
}


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    module.fail_json(msg="ivy.cluster.config_release runs only on the controller, through its action plugin.")


if __name__ == "__main__":
    main()
