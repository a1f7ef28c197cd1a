# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's half, and the only one, of ivy.cluster.config_release."""

from __future__ import annotations

import typing as t

from ansible.plugins.action import ActionBase
from ansible.template import Templar

from ansible_collections.ivy.cluster.plugins.modules.config_release import ARGUMENT_SPEC
from ansible_collections.ivy.cluster.plugins.plugin_utils.common import native
from ansible_collections.ivy.cluster.plugins.plugin_utils.common.findings import Finding, FindingsError
from ansible_collections.ivy.cluster.plugins.plugin_utils.common.profiles import ProfileError
from ansible_collections.ivy.cluster.plugins.plugin_utils.release import build as release
from ansible_collections.ivy.cluster.plugins.plugin_utils.release import inputs, rendered_secrets
from ansible_collections.ivy.cluster.plugins.plugin_utils.release.cache import (
    CacheError,
    prune,
    write_release,
)
from ansible_collections.ivy.cluster.plugins.plugin_utils.release.commit import Commit, commit_of


class ActionModule(ActionBase):
    """Builds the release out of what every node would see, and writes it to the cache."""

    _requires_connection = False
    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        _validation, checked = self.validate_argument_spec(argument_spec=ARGUMENT_SPEC)
        arguments = t.cast("dict[str, t.Any]", native.plain(checked))
        result["changed"] = False
        try:
            built, commit = self._build(arguments)
            manifest = write_release(arguments["cache"], built.manifest, built.blobs, built.large_files)
        except FindingsError as error:
            findings = [finding.to_dict() for finding in error.findings]
            result.update(failed=True, msg=str(error), findings=findings)
            return result
        except (CacheError, ProfileError) as error:
            result.update(failed=True, msg=str(error))
            return result
        prune(arguments["cache"], built.id)
        result["release"] = {
            "id": built.id,
            "files": len(built.manifest["entries"]),
            "size": built.size,
            "manifest": str(manifest),
            "sso_headers": list(built.sso_headers),
            "source": commit.to_dict(),
        }
        if built.warnings:
            result["warnings"] = list(built.warnings)
        return result

    def _build(self, arguments: dict[str, t.Any]) -> tuple[release.BuiltRelease, Commit]:
        findings: list[Finding] = []
        names = (arguments["values_variable"], arguments["secrets_variable"], arguments["environment_variable"])
        by_node = self._resolve(arguments["nodes"], names, findings)
        arguments["environments"] = by_node.pop(arguments["environment_variable"])
        parts = inputs.collect(arguments, by_node, findings, self._loader)
        built = release.build_release(parts, findings)
        return built, commit_of(self._loader.path_dwim(arguments["source"]), parts.source.files)

    def _resolve(
        self, nodes: list[str], names: tuple[str, ...], findings: list[Finding]
    ) -> dict[str, dict[str, native.Plain]]:
        """Each variable as each node sees it: the arguments of this task were templated for one host only."""
        manager = self._task.get_variable_manager()
        resolved: dict[str, dict[str, native.Plain]] = {name: {} for name in names}
        failed: dict[str, list[str]] = {}
        raw: dict[str, dict[str, t.Any]] = {}
        if not nodes:
            findings.append(Finding.in_file("", 0, "there is no engine node", "Put hosts into the group engine_nodes."))
        for node in nodes:
            host = manager._inventory.get_host(node)
            if host is None:
                findings.append(
                    Finding.in_file("", 0, f"the node {node} is not in the inventory", "Correct the list of nodes.")
                )
                continue
            # hostvars would lack the defaults of the role that this task belongs to.
            seen = manager.get_vars(play=self._task.play, host=host, task=self._task)
            raw[node] = seen
            templar = Templar(loader=self._loader, variables=seen)
            for name in names:
                if name == names[2] and name not in seen:
                    # Only the nodes that set it have it: its default is that of another role.
                    continue
                value, reason = inputs.value_of(templar, name)
                if reason:
                    failed.setdefault(reason, []).append(node)
                else:
                    resolved[name][node] = value
        for reason, where in failed.items():
            problem = f"{reason} (on {', '.join(where)})"
            findings.append(Finding.in_file("", 0, problem, inputs.advice_for_unusable(reason)))
        secrets = (names[1], "ivy_database_password", "ivy_search_password", "ivy_cluster_key")
        findings += [rendered_secrets.problem_of(path) for path, _hosts in rendered_secrets.findings(raw, secrets)]
        return resolved
