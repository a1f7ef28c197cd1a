#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: config_release
short_description: Builds a release of the shared configuration
version_added: 0.1.0
description:
  - Renders the source, the shared values and secrets and the topology into one release, the same for every node, and
    keeps it in a cache on the controller. M(ivy.cluster.shared_config) brings it to a node.
  - Runs on the controller and needs no connection, so it works when hosts are down. Use it once a run
    (C(run_once)), in a play without C(serial).
  - The id of a release is a keyed digest. The same input gives the same id on every controller, and without the
    cluster's key nobody can try guesses of a secret against it.
  - Whatever is wrong with the input is reported together, each finding with its file, its line where there is one, and
    what to do.
  - Files whose name ends in C(.j2) are templates. They see C(shared), which is O(values_variable), and C(secret), which
    is O(secrets_variable), and nothing else, so a release cannot depend on a node. Beside the filters of Jinja there
    are C(to_json), which also quotes a text for YAML, and C(b64encode). Every other file is taken byte for byte; a file
    that Ansible's vault encrypted is decrypted.
  - The source is refused when it holds symbolic links, files outside C(configuration/), C(dropins/) and C(patches/),
    YAML with errors, with duplicate keys or without schema header, keys that the engine's version does not read,
    secrets in clear text, XML that is not well-formed or that declares entities. A line that only looks like a secret
    is accepted with the comment C(# not a secret) at its end.
options:
  source:
    description: Directory that mirrors the managed part of the engine's directory.
    type: path
    required: true
  cache:
    description:
      - Directory for built releases. Created with mode C(0700).
      - It is not a state of any host. Therefore it is written in check mode too, and never counts as a change.
    type: path
    required: true
  cluster:
    description: Name of the cluster.
    type: str
    required: true
  cluster_key:
    description: Secret that the digests are made with, 32 characters or more.
    type: str
    required: true
  engine_version:
    description: Version of the engine.
    type: str
    required: true
  profile:
    description: The facts of that version, from P(ivy.cluster.profile#filter).
    type: dict
    required: true
  nodes:
    description: Names of all engine nodes. The values and secrets must be the same for each of them.
    type: list
    elements: str
    required: true
  values_variable:
    description: Name of the variable, a dictionary, whose content templates see as C(shared).
    type: str
    default: ivy_shared_values
  secrets_variable:
    description:
      - Name of the variable, a dictionary, whose content templates see as C(secret).
      - Its reserved entry C(engine_keys), a dictionary of keys of C(ivy.yaml) and their values, is not seen by
        templates. Each of them is handed to the engine through its unit's environment, or, where no variable can carry
        the name, as a file under C(/run/secrets).
    type: str
    default: ivy_shared_secrets
  topology:
    description:
      - Values of the inventory, by their names in O(profile), C(settings). Each goes into the file and key that the
        version has for it, passwords into the environment of the unit. Empty values are left out.
      - A key that the source sets to another value is an error.
    type: dict
    default: {}
  jgroups:
    description: How the nodes talk to one another. Used when the source has no C(configuration/jgroups.xml).
    type: dict
    suboptions:
      transport:
        description: V(tcp) finds the nodes by O(jgroups.hosts), V(multicast) by an address made of the cluster's name.
        type: str
        choices: [tcp, multicast]
        required: true
      port:
        description: Port of each node.
        type: int
        default: 7800
      fd_port:
        description: Port for the detection of failures.
        type: int
        default: 7900
      hosts:
        description: Addresses of all nodes.
        type: list
        elements: str
        default: []
  licence_file:
    description:
      - The licence, a C(.lic) file on the controller. Checked against the date, the number of nodes and the public URL.
      - Empty when the source holds the licence, or there is none.
    type: path
    default: ""
  read_only:
    description:
      - Whether the files below the engine's directory belong to root and the engine may only read them.
      - It works on a copy then that it takes when it starts. Changes made in the running engine vanish with its next
        restart, and every change of the release needs one.
      - An error for a version that cannot do that. Values for the engine to encrypt or hash stay in clear text in the
        files, which is a warning.
    type: bool
    default: false
  read_only_copy:
    description: Where the engine keeps that copy, relative to its directory, so that changes in it can be found. Empty
      when that is not known.
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

- name: Apply it
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
      description: Its id.
      type: str
      sample: 0a1b2c3d4e5f60718293a4b5c6d7e8f9
    files:
      description: Number of its files.
      type: int
      sample: 7
    size:
      description: Bytes of its files together.
      type: int
      sample: 10240
    manifest:
      description: Path of its manifest in the cache.
      type: str
      sample: /home/operator/.cache/ivy-cluster/demo/releases/0a1b2c3d4e5f60718293a4b5c6d7e8f9/manifest.json
warnings:
  description: What is worth knowing and does not stop the build, such as a licence that ends soon.
  returned: when there are any
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
    # The name of a variable, no secret.
    "secrets_variable": {"type": "str", "default": "ivy_shared_secrets", "no_log": False},
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
    module.fail_json(msg="ivy.cluster.config_release runs on the controller, by its action plugin of the same name.")


if __name__ == "__main__":
    main()
