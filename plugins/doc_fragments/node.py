# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations


class ModuleDocFragment:
    """Options of modules that inspect a node: its directories and their owner; node files separately."""

    DOCUMENTATION = r"""
options:
  roots:
    description: Where the parts of a release lie on the node.
    type: dict
    required: true
    suboptions:
      engine:
        description: The engine's directory. A link is followed only where root alone could have made it.
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
    description: The node's own memory of releases, backups and what is applied. Only root may enter it.
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
    description: The engine's unit.
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
    description: The files that may differ between nodes.
    type: list
    elements: dict
    suboptions:
      path:
        description: Absolute path.
        type: path
        required: true
      content:
        description: The whole content. Needed for every file, and left out with O(node_files[].helper).
        type: str
      helper:
        description:
          - Whether O(node_files[].path) is a directory that gets the code of the node half, which a unit can run at the
            engine's start. Each file of it becomes a node file.
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
        description: Whether the content is hidden in differences.
        type: bool
        default: false
      restart:
        description:
          - Whether a change needs a restart of the engine.
          - By default always, but never for the files of the node helper.
        type: str
        choices: [always, never]
"""
