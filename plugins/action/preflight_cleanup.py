# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's side of preflight_cleanup."""

from __future__ import annotations

from ansible_collections.ivy.cluster.plugins.plugin_utils.node.cached_call import HostCall


class ActionModule(HostCall):
    MODULE = "preflight_cleanup"
