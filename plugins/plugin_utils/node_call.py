# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The conversation of the controller with the node half of shared_config and shared_config_info."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
import re
import tempfile
import typing as t

from ansible_collections.ivy.cluster.plugins.module_utils.node import payload, sealing
from ansible_collections.ivy.cluster.plugins.module_utils.node.digest import canonical
from ansible_collections.ivy.cluster.plugins.plugin_utils import masking, release_cache, yaml_meaning, yaml_tree

# Above this a file transfer is cheaper than an argument: arguments are held several times in the memory of a fork.
INLINE_LIMIT = 1 << 20
# Longer node files travel as a digest first; the node asks for those that it lacks.
SHORT_CONTENT = 2048
HELPER = "/usr/local/lib/ivy-cluster/"
_SECRET_VARIABLES = ("ivy_shared_secrets", "ivy_database_password", "ivy_search_password", "ivy_cluster_key")
_ASSIGNMENT = re.compile(r"""(?P<head>(?P<key>[\w.\-]+)["']?\s*[:=]\s*)(?P<value>"[^"]*"|'[^']*'|[^\s"'<>]+)""")
_ELEMENT = re.compile(r"<(?P<key>[\w.\-:]+)(?P<rest>[^<>]*)>(?P<value>[^<>]*)</(?P=key)>")
_HIDDEN = "(secret content)\n"

Result = dict[str, t.Any]


class Host(t.Protocol):
    """What of an action plugin is needed here."""

    _task: t.Any
    _templar: t.Any
    _connection: t.Any

    def _execute_module(self, **kwargs: t.Any) -> Result: ...

    def _make_tmp_path(self) -> str: ...

    def _remove_tmp_path(self, tmp_path: str) -> None: ...

    def _transfer_file(self, local_path: str, remote_path: str) -> str: ...

    def _fixup_perms2(self, remote_paths: list[str]) -> None: ...


def known_secrets(host: Host, task_vars: dict[str, t.Any]) -> list[str]:
    """The secret values that this run knows, to be taken out of everything shown."""
    found: list[str] = []
    for name in _SECRET_VARIABLES:
        if name in task_vars:
            # A variable that cannot be resolved here is none that could have reached a file.
            with contextlib.suppress(Exception):
                found.extend(masking.leaves(host._templar.template(task_vars[name])))
    return [value for value in found if len(value) >= 3]


def masked_text(text: str, secrets: t.Sequence[str]) -> str:
    """A text file as it may be shown: known secrets out, and the values of names that sound like secrets."""

    def assignment(match: re.Match[str]) -> str:
        if not masking.is_secret_key(match["key"]):
            return match[0]
        return f"{match['head']}{masking.MASK}"

    def element(match: re.Match[str]) -> str:
        if not masking.is_secret_key(match["key"]):
            return match[0]
        return f"<{match['key']}{match['rest']}>{masking.MASK}</{match['key']}>"

    return _ELEMENT.sub(element, _ASSIGNMENT.sub(assignment, masking.scrub(text, secrets)))


def _decoded(text: str | None) -> bytes | None:
    return None if text is None else base64.b64decode(text)


def judge(question: t.Mapping[str, t.Any]) -> tuple[str, list[dict[str, t.Any]]]:
    """Whether two YAML texts mean the same: the verdict for the node, and the keys that differ."""
    try:
        comparison = yaml_meaning.compare(base64.b64decode(question["applied"]), base64.b64decode(question["actual"]))
    except yaml_tree.YamlError as exc:
        return "different", [{"key": "", "change": "unreadable", "before": None, "after": str(exc)}]
    if comparison.same:
        return "same", []
    verdict = "rewriting" if comparison.only_rewritten else "different"
    return verdict, comparison.shown()


def yaml_lines(before: bytes | None, after: bytes | None) -> tuple[str, str] | None:
    """Both sides as lines of the keys that differ; None where one of them is no YAML."""
    try:
        shown = yaml_meaning.compare(before or b"", after or b"").shown()
    except yaml_tree.YamlError:
        return None
    old = [f"{item['key']}: {item['before']}" for item in shown if item["before"] is not None]
    new = [f"{item['key']}: {item['after']}" for item in shown if item["after"] is not None]
    # Two different secrets look the same once masked, and no difference at all would be shown.
    for item in shown:
        if item["before"] is not None and item["before"] == item["after"]:
            new[new.index(f"{item['key']}: {item['after']}")] += " (changed)"
    return "".join(f"{line}\n" for line in old), "".join(f"{line}\n" for line in new)


class SharedConfigCall:
    """One task on one node."""

    def __init__(
        self, host: Host, args: dict[str, t.Any], task_vars: dict[str, t.Any], module: str = "shared_config"
    ) -> None:
        self.host = host
        self.args = args
        self.task_vars = task_vars
        self.module = f"ivy.cluster.{module}"
        self.state = str(args.get("state") or "applied")
        self.release = str(args.get("release") or "")
        self.cache = os.path.expanduser(str(args.get("cache") or ""))
        self.node_files = self._plain_node_files(args.get("node_files"))
        self.manifest: dict[str, t.Any] | None = None
        self.secrets: list[str] = []

    def run(self) -> Result:
        if self.state == "baseline":
            return self._call({}, {})
        if self.release and self.cache:
            self.manifest = release_cache.load_manifest(self.cache, self.release)
        elif self.release and self.module.endswith("shared_config") and self.state != "accepted":
            return {"failed": True, "msg": "cache is missing: name the controller's directory that holds the release."}
        self.secrets = known_secrets(self.host, self.task_vars)
        header: dict[str, t.Any] = {"judge": True}
        if self.node_files is not None:
            header["node_files"] = [self._short(item) for item in self.node_files]
        result = self._call(header, {})
        keys: dict[str, list[dict[str, t.Any]]] = {}
        if not result.get("failed") and (
            result.get("need_release") or result.get("questions") or result.get("need_contents")
        ):
            header = {"judge": False, "verdicts": self._verdicts(result, keys)}
            if self.node_files is not None:
                header["node_files"] = (
                    self.node_files if result.get("need_contents") else [self._short(item) for item in self.node_files]
                )
            blobs: dict[str, bytes] = {}
            if result.get("need_release"):
                if self.manifest is None:
                    return {
                        "failed": True,
                        "msg": f"The node does not have release {self.release}, and no cache is named.",
                    }
                header["manifest"] = payload.to_text(canonical(self.manifest))
                if not self._check():
                    have = payload.digest_prefixes(str(result.get("have") or ""))
                    wanted = payload.without((entry["sha256"] for entry in self.manifest["entries"]), have)
                    blobs = {digest: release_cache.read_blob(self.cache, digest) for digest in wanted}
            result = self._call(header, blobs)
        return self._presentable(result, keys)

    # --- what is sent

    @staticmethod
    def _plain_node_files(value: t.Any) -> list[dict[str, t.Any]] | None:
        if value is None:
            return None
        names = ("path", "content", "mode", "owner", "group", "secret", "restart")
        return [
            {
                name: item[name] if isinstance(item[name], bool) else "".join((str(item[name]), ""))
                for name in names
                if item.get(name) is not None
            }
            for item in value
        ]

    @staticmethod
    def _short(item: dict[str, t.Any]) -> dict[str, t.Any]:
        content = item.get("content", "")
        if len(content) <= SHORT_CONTENT:
            return item
        digest = hashlib.sha256(content.encode("utf-8")).hexdigest()
        return {**{name: value for name, value in item.items() if name != "content"}, "sha256": digest}

    def _check(self) -> bool:
        return bool(self.host._task.check_mode)

    def _call(self, header: dict[str, t.Any], blobs: dict[str, bytes]) -> Result:
        args = {name: value for name, value in self.args.items() if name not in ("cache", "node_files")}
        if not header:
            return self._execute(args)
        # At high verbosity Ansible prints what a module answers, so the node seals what must not be seen.
        key = os.urandom(32)
        header = {**header, "key": key.hex()}
        if self.manifest is not None:
            header["manifest_digest"] = hashlib.sha256(canonical(self.manifest)).hexdigest()
        size = sum(map(len, blobs.values()))
        bundle = payload.pack(header, blobs, level=6 if size <= INLINE_LIMIT else 1)
        if len(bundle) <= INLINE_LIMIT:
            result = self._execute({**args, "payload": payload.to_text(bundle)})
        else:
            result = self._call_with_file(args, bundle)
        if "sealed" in result:
            result.update(sealing.unseal(key, result.pop("sealed")))
        return result

    def _call_with_file(self, args: dict[str, t.Any], bundle: bytes) -> Result:
        announced = payload.pack({"bundle_digest": hashlib.sha256(bundle).hexdigest()}, {})
        descriptor, local = tempfile.mkstemp(prefix="ivy-cluster-")
        remote_directory = self.host._make_tmp_path()
        try:
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(bundle)
            remote = self.host._connection._shell.join_path(remote_directory, "bundle")
            self.host._transfer_file(local, remote)
            self.host._fixup_perms2([remote_directory, remote])
            return self._execute({**args, "payload": payload.to_text(announced), "bundle": remote})
        finally:
            os.unlink(local)
            self.host._remove_tmp_path(remote_directory)

    def _execute(self, args: dict[str, t.Any]) -> Result:
        result = self.host._execute_module(module_name=self.module, module_args=args, task_vars=self.task_vars)
        invocation = result.get("invocation")
        if isinstance(invocation, dict) and isinstance(invocation.get("module_args"), dict):
            for name in ("payload", "bundle"):
                invocation["module_args"].pop(name, None)
        return result

    # --- what comes back

    def _verdicts(self, result: Result, keys: dict[str, list[dict[str, t.Any]]]) -> dict[str, dict[str, str]]:
        verdicts = {}
        for question in result.get("questions") or []:
            verdict, differences = judge(question)
            verdicts[question["key"]] = {"digest": question["digest"], "verdict": verdict}
            keys[question["key"]] = [
                {
                    name: masking.scrub(value, self.secrets) if isinstance(value, str) else value
                    for name, value in difference.items()
                }
                for difference in differences
            ]
        return verdicts

    def _presentable(self, result: Result, keys: dict[str, list[dict[str, t.Any]]]) -> Result:
        for name in ("questions", "have", "need_release", "need_contents"):
            result.pop(name, None)
        texts = result.pop("texts", None) or {}
        for item in result.get("drift") or []:
            differences = keys.get(f"{item['root']}:{item['path']}")
            if differences:
                item["keys"] = differences
        if self.host._task.diff:
            result["diff"] = self._diff(result, texts)
        return result

    def _diff(self, result: Result, texts: dict[str, t.Any]) -> list[dict[str, str]]:
        entries = {(entry["root"], entry["path"]): entry for entry in (self.manifest or {}).get("entries", [])}
        node_files = {item["path"]: item for item in self.node_files or []}
        actions = (result.get("activation") or {}).get("actions") or result.get("actions") or []
        shown = []
        for action in actions:
            root, path = action["root"], action["path"]
            key = path if root == "node" else f"{root}:{path}"
            entry = entries.get((root, path)) if action["action"] != "delete" else None
            item = {"before_header": path, "after_header": path}
            if path.startswith(HELPER):
                # The collection's own code is no configuration; its text would bury what is.
                item.update(before="", after="(the collection's node helper)\n")
            elif action["action"] == "attributes":
                item.update(before=f"{action.get('detail', '')}\n", after="as declared\n")
            elif (
                (entry and entry["secret"])
                or root in ("secrets", "environment")
                or node_files.get(path, {}).get("secret")
            ):
                item.update(
                    before="" if action["action"] == "create" else _HIDDEN,
                    after="" if action["action"] == "delete" else "(new secret content)\n",
                )
            else:
                before = _decoded(texts.get(key, {}).get("before"))
                after = _decoded(texts.get(key, {}).get("after"))
                if entry is not None:
                    after = release_cache.read_blob(self.cache, entry["sha256"])
                item.update(self._both(before, after, entry["kind"] if entry else "text", path))
            shown.append(item)
        return shown

    def _both(self, before: bytes | None, after: bytes | None, kind: str, path: str) -> dict[str, str]:
        if kind == "yaml" or path.endswith((".yaml", ".yml")):
            lines = yaml_lines(before, after)
            if lines is not None:
                return {"before": masking.scrub(lines[0], self.secrets), "after": masking.scrub(lines[1], self.secrets)}
        sides = {}
        for name, data in (("before", before), ("after", after)):
            if data is None:
                sides[name] = ""
                continue
            try:
                sides[name] = masked_text(data.decode("utf-8"), self.secrets)
            except UnicodeDecodeError:
                sides[name] = f"(binary, {len(data)} bytes)\n"
        if sides["before"] == sides["after"] and before != after:
            sides["after"] += "(other content)\n"
        return sides
