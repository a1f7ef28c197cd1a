# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The conversation of the controller with the node half of shared_config and shared_config_info."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import typing as t

from ansible_collections.ivy.cluster.plugins.module_utils.node.config import payload
from ansible_collections.ivy.cluster.plugins.module_utils.node.files.digest import canonical
from ansible_collections.ivy.cluster.plugins.plugin_utils.common import answers, masking
from ansible_collections.ivy.cluster.plugins.plugin_utils.node import (
    bundle,
)
from ansible_collections.ivy.cluster.plugins.plugin_utils.node import (
    result as node_result,
)
from ansible_collections.ivy.cluster.plugins.plugin_utils.node import (
    transport as node_transport,
)
from ansible_collections.ivy.cluster.plugins.plugin_utils.release import cache as release_cache
from ansible_collections.ivy.cluster.plugins.plugin_utils.release import delta as release_delta

# Longer node files travel as a digest first; the node asks for those that it lacks.
SHORT_CONTENT = 2048
# Longer files of a release are not shown in a difference.
LARGEST_SHOWN = 1 << 20
HELPER = "/usr/local/lib/ivy-cluster/"
_SECRET_VARIABLES = (
    *("ivy_shared_secrets", "ivy_database_password", "ivy_search_password"),
    *("ivy_cluster_key", "ivy_cluster_key_previous"),
)
_HIDDEN = "(secret content)\n"

Result = dict[str, t.Any]
Host = node_transport.Host
NOTHING = node_transport.Contents.of({})


def known_secrets(host: Host, task_vars: dict[str, t.Any]) -> list[str]:
    """The secret values that this run knows, to be taken out of everything shown."""
    found: list[str] = []
    for name in _SECRET_VARIABLES:
        if name in task_vars:
            # A variable that cannot be resolved here cannot have reached a file.
            with contextlib.suppress(Exception):
                found.extend(masking.leaves(host._templar.template(task_vars[name])))
    return [value for value in found if len(value) >= 3]


def cluster_key(host: Host, task_vars: dict[str, t.Any]) -> bytes:
    """The cluster's key; where this run does not have it, one that nobody can have."""
    with contextlib.suppress(Exception):
        key = str(host._templar.template(task_vars["ivy_cluster_key"]))
        if key:
            return key.encode("utf-8")
    return os.urandom(32)


class SharedConfigCall:
    """One task on one node."""

    def __init__(
        self,
        host: Host,
        args: dict[str, t.Any],
        task_vars: dict[str, t.Any],
        module: str = "shared_config",
        use_code_cache: bool = False,
    ) -> None:
        self.host = host
        self.args = args
        self.task_vars = task_vars
        self.module = f"ivy.cluster.{module}"
        self.transport = node_transport.Transport(host, module, task_vars, use_code_cache)
        self.state = str(args.get("state") or "applied")
        self.release = str(args.get("release") or "")
        self.cache = os.path.expanduser(str(args.get("cache") or ""))
        self.node_files = self._plain_node_files(args.get("node_files"))
        self._manifest_digest = ""

    def run(self) -> Result:
        if self.state == "baseline":
            return self._call({}, NOTHING)
        if self.release and self.cache:
            self._manifest_digest = release_cache.manifest_digest(self.cache, self.release)
        elif self.release and self.module.endswith("shared_config") and self.state != "accepted":
            return {"failed": True, "msg": "cache is missing: name the controller's directory that holds the release."}
        sent = self._expected_delta()
        header: dict[str, t.Any] = {"judge": True, **sent.header}
        if self.node_files is not None:
            header["node_files"] = [self._short(item) for item in self.node_files]
        result = self._call(header, node_transport.Contents.of(sent.blobs))
        keys: dict[str, list[dict[str, t.Any]]] = {}
        if not result.get("failed") and (
            result.get("need_release") or result.get("questions") or result.get("need_contents")
        ):
            header = {"judge": False, "verdicts": self._verdicts(result, keys), **sent.header}
            if self.node_files is not None:
                header["node_files"] = (
                    self.node_files if result.get("need_contents") else [self._short(item) for item in self.node_files]
                )
            contents = node_transport.Contents.of(sent.blobs)
            if result.get("need_release"):
                header.pop("delta", None)
                if self.manifest is None:
                    return {
                        "failed": True,
                        "msg": f"The node does not have release {self.release}, and no cache is named.",
                    }
                header["manifest"] = payload.to_text(canonical(self.manifest))
                contents = self._contents(self.manifest, str(result.get("have") or ""))
            result = self._call(header, contents)
        if result.get("failed") and self._manifest_digest:
            # What the node finds wrong with a release may be damage of the controller's own copy.
            release_cache.load_manifest(self.cache, self.release)
        if self._manifest_digest and result.get("staged") and not self._check():
            self._record.write(self.release)
        return self._presentable(result, keys)

    # --- what is known here, and looked up only where a node is not clean

    @functools.cached_property
    def manifest(self) -> dict[str, t.Any] | None:
        return release_cache.load_manifest(self.cache, self.release) if self._manifest_digest else None

    @functools.cached_property
    def _record(self) -> release_delta.NodeRecord:
        return release_delta.NodeRecord(
            self.cache, str(self.task_vars.get("inventory_hostname") or ""), str(self.args.get("store") or "")
        )

    @functools.cached_property
    def secrets(self) -> list[str]:
        return known_secrets(self.host, self.task_vars)

    # --- what is sent

    def _expected_delta(self) -> release_delta.Delta:
        """What changes on a node that has the release it had last; nothing where that is the wanted one, or unknown."""
        if not self._manifest_digest or self.state not in ("staged", "applied") or self.module.endswith("_info"):
            return release_delta.NONE
        base = self._record.read()
        if base in ("", self.release):
            return release_delta.NONE
        return release_delta.between(self.cache, base, self.release, contents=not self._check())

    @staticmethod
    def _plain_node_files(value: t.Any) -> list[dict[str, t.Any]] | None:
        if value is None:
            return None
        names = ("path", "content", "mode", "owner", "group", "secret", "restart")
        listed: list[dict[str, t.Any]] = []
        for item in value:
            if item.get("helper"):
                listed.extend(bundle.node_files(str(item["path"])))
                continue
            listed.append(
                {
                    name: item[name] if isinstance(item[name], bool) else "".join((str(item[name]), ""))
                    for name in names
                    if item.get(name) is not None
                }
            )
        return listed

    @staticmethod
    def _short(item: dict[str, t.Any]) -> dict[str, t.Any]:
        content = item.get("content", "")
        if len(content) <= SHORT_CONTENT and "sha256" not in item:
            return item
        digest = item.get("sha256") or hashlib.sha256(content.encode("utf-8")).hexdigest()
        return {**{name: value for name, value in item.items() if name != "content"}, "sha256": digest}

    def _contents(self, manifest: dict[str, t.Any], have: str) -> node_transport.Contents:
        """The contents of a release that the node lacks; none where nothing is written."""
        if self._check() or self.module.endswith("_info"):
            return NOTHING
        sizes = {entry["sha256"]: int(entry["size"]) for entry in manifest["entries"]}
        wanted = payload.without(sizes, payload.digest_prefixes(have))
        return node_transport.Contents(
            {digest: sizes[digest] for digest in wanted},
            lambda digest: release_cache.blob_blocks(self.cache, digest),
        )

    def _check(self) -> bool:
        return bool(self.host._task.check_mode)

    def _call(self, header: dict[str, t.Any], contents: node_transport.Contents) -> Result:
        args = {name: value for name, value in self.args.items() if name not in ("cache", "node_files")}
        if header and self._manifest_digest:
            header = {**header, "manifest_digest": self._manifest_digest}
        return self.transport.call(args, header, contents)

    # --- what comes back

    def _verdicts(self, result: Result, keys: dict[str, list[dict[str, t.Any]]]) -> dict[str, dict[str, str]]:
        verdicts = {}
        for question in result.get("questions") or []:
            verdict, keys[question["key"]] = node_result.judge(question, self.secrets)
            verdicts[question["key"]] = {"digest": question["digest"], "verdict": verdict}
        return verdicts

    def _presentable(self, result: Result, keys: dict[str, list[dict[str, t.Any]]]) -> Result:
        for name in ("questions", "have", "need_release", "need_contents"):
            result.pop(name, None)
        if self._check() and self.node_files is not None and not result.get("failed"):
            comparable = node_result.Comparable(cluster_key(self.host, self.task_vars))
            result["node_files_digest"] = comparable.of("node files", self.node_files)
        texts = result.pop("texts", None) or {}
        if self.module.endswith("_info") and not result.get("failed"):
            self._sort_out(result)
        else:
            for item in result.get("drift") or []:
                differences = keys.get(f"{item['root']}:{item['path']}")
                if differences:
                    item["keys"] = differences
        if self.host._task.diff:
            result["diff"] = self._diff(result, texts)
        return result

    def _entries(self) -> dict[tuple[str, str], dict[str, t.Any]]:
        return {(entry["root"], entry["path"]): entry for entry in (self.manifest or {}).get("entries", [])}

    def _sort_out(self, result: Result) -> None:
        """Drift, pending and conflict by keys, which the node cannot compare."""
        if not any(result.get(name) for name in (*node_result.LISTS, "comparisons")):
            for name in ("comparisons", "digests"):
                result.pop(name, None)
            return
        lists = node_result.Lists(
            result,
            lambda entry: release_cache.read_blob(self.cache, entry["sha256"]),
            self._entries() if self.manifest is not None else None,
            self.secrets,
            node_result.Comparable(cluster_key(self.host, self.task_vars)),
        )
        result.update(lists.made())
        for name in ("comparisons", "digests"):
            result.pop(name, None)

    def _diff(self, result: Result, texts: dict[str, t.Any]) -> list[dict[str, str]]:
        entries = self._entries()
        node_files = {item["path"]: item for item in self.node_files or []}
        actions = (result.get("activation") or {}).get("actions") or result.get("actions") or []
        shown = []
        for action in actions:
            root, path = action["root"], action["path"]
            key = path if root == "node" else f"{root}:{path}"
            entry = entries.get((root, path)) if action["action"] != "delete" else None
            item = {"before_header": path, "after_header": path}
            if path.startswith(HELPER):
                # The collection's own code is not configuration, and its text is long.
                item.update(before="", after="(the collection's node helper)\n")
            elif action["action"] == "attributes":
                item.update(before=f"{action.get('detail', '')}\n", after="as declared\n")
            elif entry is not None and int(entry["size"]) > LARGEST_SHOWN:
                before = "" if action["action"] == "create" else "(other content)\n"
                item.update(before=before, after=f"({entry['size']} bytes)\n")
            elif (
                # The node keeps back the text of a secret file that cannot be shown by keys.
                key not in texts or root in ("secrets", "environment") or node_files.get(path, {}).get("secret")
            ):
                item.update(self._hidden(action["action"]))
            else:
                item.update(self._both(action["action"], path, entry, texts[key]))
            shown.append(item)
        return shown

    @staticmethod
    def _hidden(action: str) -> dict[str, str]:
        return {
            "before": "" if action == "create" else _HIDDEN,
            "after": "" if action == "delete" else "(new secret content)\n",
        }

    def _both(
        self, action: str, path: str, entry: dict[str, t.Any] | None, text: t.Mapping[str, t.Any]
    ) -> dict[str, str]:
        before, after = answers.optional(text.get("before")), answers.optional(text.get("after"))
        if entry is not None:
            after = release_cache.read_blob(self.cache, entry["sha256"])
        if (entry and entry["kind"] == "yaml") or path.endswith((".yaml", ".yml")):
            mask = node_result.mask_of((before, after), (text, entry or {}), self.secrets)
            lines = node_result.yaml_lines(before, after, mask)
            if lines is not None:
                return {"before": lines[0], "after": lines[1]}
        if text.get("secret") or (entry and entry["secret"]):
            return self._hidden(action)
        sides = {}
        for name, data in (("before", before), ("after", after)):
            if data is None:
                sides[name] = ""
                continue
            try:
                sides[name] = masking.masked(data.decode("utf-8"), self.secrets)
            except UnicodeDecodeError:
                sides[name] = f"(binary, {len(data)} bytes)\n"
        if sides["before"] == sides["after"] and before != after:
            sides["after"] += "(other content)\n"
        return sides
