# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations


class ModuleDocFragment:
    """Options of modules that inspect a node: its directories and their owner; node files separately."""

    DOCUMENTATION = r"""
options:
  roots:
    description: The directories on the node that contain the parts of a release.
    type: dict
    required: true
    suboptions:
      engine:
        description: The engine's directory. A link is followed only if no other user than root can have created it.
        type: path
        required: true
      environment:
        description: Directory of the unit's environment files.
        type: path
        default: /etc/ivy-cluster
      secrets:
        description: Directory of the secret files.
        type: path
        default: /etc/ivy-cluster/secrets
  store:
    description: The node's store of releases, backups and applied state. Accessible only to root.
    type: path
    default: /var/lib/ivy-cluster
  owner:
    description: The engine's user.
    type: str
    default: ivy
  group:
    description: The engine's group.
    type: str
    default: ivy
  unit:
    description: The engine's systemd unit.
    type: str
    default: axonivy-engine.service
  ignore:
    description:
      - Patterns of the paths to ignore, relative to the engine's directory.
      - V(*) matches within one directory, V(**) across directories, V(?) one character, V([abc]) one of these
        characters. A pattern without V(/) matches the name of a file in any directory. Matching is case-sensitive.
    type: list
    elements: str
    default: []
"""

    NODE_FILES = r"""
options:
  node_files:
    description: Files that may differ between nodes.
    type: list
    elements: dict
    suboptions:
      path:
        description: Absolute path.
        type: path
        required: true
      content:
        description: The complete content. Required for a file, and omitted with O(node_files[].helper).
        type: str
      helper:
        description:
          - Whether O(node_files[].path) is a directory for the collection's code on the node, which a unit can run when
            the engine starts. Each file of the code becomes a node file.
        type: bool
        default: false
      mode:
        description: Mode, octal.
        type: str
        default: "0644"
      owner:
        description: Owner.
        type: str
        default: root
      group:
        description: Group.
        type: str
        default: root
      secret:
        description: Whether diff mode hides the content.
        type: bool
        default: false
      restart:
        description:
          - Whether a change requires a restart of the engine.
          - The default is V(always), and V(never) for the files of O(node_files[].helper).
        type: str
        choices: [always, never]
"""

    TRANSPORT = r"""
options:
  payload:
    description: Set by the action plugin of this module. Not for tasks.
    type: str
    default: ""
  bundle:
    description: Set by the action plugin of this module. Not for tasks.
    type: path
    default: ""
"""

    RECORD = r"""
options:
  record:
    description:
      - The cluster record to read in the same call, as M(ivy.cluster.cluster_record) does. A record that cannot be read
        does not fail the task.
    type: dict
    suboptions:
      directory:
        description: Directory of the record on the file share.
        type: path
        required: true
      cluster:
        description: Name of the cluster.
        type: str
        required: true
      user:
        description: The engine's user.
        type: str
        default: ivy
      group:
        description: The engine's group.
        type: str
        default: ivy
"""
