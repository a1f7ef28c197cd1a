# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A small double of the API of AWX, for tests of awx/import.yml.

It is not AWX. It keeps objects in memory and answers the requests that the modules of awx.awx 24.6 make for the kinds
of objects that the import creates: lists with filters, POST, PATCH and DELETE, associations, surveys, approvals,
tokens. From AWX it repeats what decides whether an import works and is idempotent: names are unique in an
organization, references must exist, secrets come back as ``$encrypted$``, a template has one credential of each type,
surveys are validated, and an approval has no links of its own. It does not run jobs, has no permissions, and does not
validate all fields. Whether a real AWX accepts everything is not proven by it.
"""

from __future__ import annotations

import base64
import json
import secrets
import threading
import typing as t
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

Item = dict[str, t.Any]
PREFIX = "/api/v2/"
ENCRYPTED = "$encrypted$"
# Endpoint: type, fields with defaults, fields that refer to another endpoint, required fields.
KINDS: dict[str, tuple[str, Item, dict[str, str], tuple[str, ...]]] = {
    "organizations": ("organization", {"description": "", "default_environment": None}, {}, ("name",)),
    "execution_environments": (
        "execution_environment",
        {"description": "", "organization": None, "pull": "", "credential": None},
        {"organization": "organizations"},
        ("name", "image"),
    ),
    "credential_types": (
        "credential_type",
        {"description": "", "inputs": {}, "injectors": {}, "managed": False},
        {},
        ("name", "kind"),
    ),
    "credentials": (
        "credential",
        {"description": "", "inputs": {}, "organization": None},
        {"organization": "organizations", "credential_type": "credential_types"},
        ("name", "credential_type"),
    ),
    "notification_templates": (
        "notification_template",
        {"description": "", "messages": None},
        {"organization": "organizations"},
        ("name", "organization", "notification_type", "notification_configuration"),
    ),
    "projects": (
        "project",
        {"description": "", "scm_type": "", "scm_url": "", "scm_branch": "", "scm_clean": False}
        | {"scm_update_on_launch": False, "scm_revision": "", "organization": None},
        {"organization": "organizations"},
        ("name", "organization"),
    ),
    "inventories": (
        "inventory",
        {"description": "", "kind": "", "host_filter": None, "variables": ""},
        {"organization": "organizations"},
        ("name", "organization"),
    ),
    "inventory_sources": (
        "inventory_source",
        {"description": "", "source_path": "", "overwrite": False, "overwrite_vars": False, "update_on_launch": False},
        {"inventory": "inventories", "source_project": "projects"},
        ("name", "inventory", "source"),
    ),
    "job_templates": (
        "job_template",
        {"description": "", "extra_vars": "", "survey_enabled": False, "allow_simultaneous": False}
        | {"become_enabled": False, "diff_mode": False, "job_type": "run", "inventory": None}
        | {f"ask_{name}_on_launch": False for name in ("job_type", "diff_mode", "limit", "variables", "inventory")},
        {"project": "projects", "inventory": "inventories", "execution_environment": "execution_environments"},
        ("name", "project", "playbook"),
    ),
    "workflow_job_templates": (
        "workflow_job_template",
        {"description": "", "extra_vars": "", "survey_enabled": False, "allow_simultaneous": False},
        {"organization": "organizations"},
        ("name",),
    ),
    "workflow_job_template_nodes": (
        "workflow_job_template_node",
        {"extra_data": {}, "unified_job_template": None, "all_parents_must_converge": False},
        {"workflow_job_template": "workflow_job_templates", "unified_job_template": "unified_job_templates"},
        ("identifier", "workflow_job_template"),
    ),
    "workflow_approval_templates": ("workflow_approval_template", {"description": "", "timeout": 0}, {}, ("name",)),
    "schedules": (
        "schedule",
        {"description": "", "extra_data": {}, "enabled": True},
        {"unified_job_template": "unified_job_templates"},
        ("name", "rrule", "unified_job_template"),
    ),
    "tokens": ("o_auth2_access_token", {"description": "", "scope": "write", "application": None}, {}, ()),
    "project_updates": ("project_update", {"status": "successful"}, {}, ()),
}
UNIFIED = ("projects", "inventory_sources", "job_templates", "workflow_job_templates", "workflow_approval_templates")
ASSOCIATIONS = {
    "credentials": "credentials",
    "success_nodes": "workflow_job_template_nodes",
    "failure_nodes": "workflow_job_template_nodes",
    "always_nodes": "workflow_job_template_nodes",
    "notification_templates_error": "notification_templates",
    "notification_templates_approvals": "notification_templates",
}
WITH_ASSOCIATIONS = (
    "organizations",
    "projects",
    "job_templates",
    "workflow_job_templates",
    "workflow_job_template_nodes",
)
SURVEYS = ("job_templates", "workflow_job_templates")
QUESTION = ("question_name", "question_description", "variable", "type", "required")
QUESTION_TYPES = ("text", "textarea", "password", "integer", "float", "multiplechoice", "multiselect")


class Refused(Exception):
    def __init__(self, code: int, body: Item) -> None:
        super().__init__(code)
        self.code, self.body = code, body


def survey_problem(spec: Item) -> str:
    """What AWX would refuse in a survey."""
    for key in ("name", "description", "spec"):
        if key not in spec:
            return f"'{key}' missing from survey spec."
    names = set()
    for question in spec["spec"]:
        missing = [key for key in QUESTION if key not in question]
        if missing or question["type"] not in QUESTION_TYPES:
            return f"question {question.get('variable')}: {missing or question['type']}"
        if question["variable"] in names:
            return f"'variable' '{question['variable']}' duplicated in survey question"
        names.add(question["variable"])
        default = question.get("default")
        if question["type"].startswith("multi"):
            choices = question.get("choices")
            if not choices:
                return f"{question['variable']} must specify choices"
            if default is not None and default not in choices:
                return f"Default choice of {question['variable']} must be answered from the choices listed."
        elif default not in (None, ""):
            kinds: tuple[type, ...] = {"integer": (int,), "float": (int, float)}.get(question["type"], (str,))
            if not isinstance(default, kinds):
                return f"Default of {question['variable']} has another type."
    return ""


class Store:
    """The objects, and the changes that were made to them since the last look."""

    def __init__(self, username: str, password: str) -> None:
        self.login = (username, password)
        self.items: dict[str, dict[int, Item]] = {endpoint: {} for endpoint in KINDS}
        self.links: dict[tuple[str, int, str], list[int]] = {}
        self.surveys: dict[tuple[str, int], Item] = {}
        self.secrets: dict[int, Item] = {}
        self.tokens: dict[str, int] = {}
        self.writes: list[str] = []
        self.next_id = 1
        for name, kind in (("Machine", "ssh"), ("Vault", "vault")):
            self.create("credential_types", {"name": name, "kind": kind, "managed": True})
        self.writes.clear()

    def find(self, endpoint: str, number: int) -> Item:
        for one in UNIFIED if endpoint == "unified_job_templates" else (endpoint,):
            if number in self.items[one]:
                return self.items[one][number]
        raise Refused(404, {"detail": "Not found."})

    def create(self, endpoint: str, data: Item) -> Item:
        kind, defaults, references, required = KINDS[endpoint]
        missing = {name: ["This field is required."] for name in required if data.get(name) in (None, "")}
        if missing:
            raise Refused(400, missing)
        number = self.next_id
        item = {**defaults, **data, "id": number, "type": kind, "url": f"{PREFIX}{endpoint}/{number}/"}
        if endpoint == "job_templates":
            # AWX takes it from the project.
            item["organization"] = self.items["projects"][item["project"]]["organization"]
        self._check(endpoint, item, references)
        self.next_id += 1
        self.items[endpoint][number] = item
        self.writes.append(f"POST {endpoint} {item.get('name') or item.get('identifier') or ''}".rstrip())
        return item

    def change(self, endpoint: str, item: Item, data: Item) -> None:
        changed = {**item, **{name: value for name, value in data.items() if not (name == "kind" and value is None)}}
        if endpoint == "job_templates":
            changed["organization"] = item["organization"]
        self._check(endpoint, changed, KINDS[endpoint][2])
        item.update(changed)
        self.writes.append(f"PATCH {endpoint} {item.get('name') or item.get('identifier')}")

    def _check(self, endpoint: str, item: Item, references: dict[str, str]) -> None:
        for name, other in references.items():
            if item.get(name) is not None:
                try:
                    self.find(other, int(item[name]))
                except Refused:
                    raise Refused(400, {name: [f'Invalid pk "{item[name]}" - object does not exist.']}) from None
        scope = {"schedules": "unified_job_template", "workflow_job_template_nodes": "workflow_job_template"}
        scope |= {"inventory_sources": "inventory", "execution_environments": "type", "credential_types": "kind"}
        where, name = scope.get(endpoint, "organization"), "identifier" if "identifier" in item else "name"
        if endpoint in ("tokens", "project_updates", "workflow_approval_templates"):
            return
        for one in self.items[endpoint].values():
            same = all(one.get(field) == item.get(field) for field in (where, name, "credential_type"))
            if same and one["id"] != item["id"]:
                raise Refused(400, {"__all__": [f"{item['type']} with this name already exists."]})

    def listed(self, endpoint: str, query: dict[str, str]) -> list[Item]:
        endpoints = UNIFIED if endpoint == "unified_job_templates" else (endpoint,)
        return [item for one in endpoints for item in self.items[one].values() if self._matches(item, query)]

    def _matches(self, item: Item, query: dict[str, str]) -> bool:
        alternatives = [name for name in query if name.startswith("or__")]
        if alternatives and not any(str(item.get(name[4:])) == query[name] for name in alternatives):
            return False
        for name, value in query.items():
            field, _found, how = name.partition("__")
            if name.startswith("or__") or name in ("page", "page_size"):
                continue
            if how == "in" and item.get(field) not in value.split(","):
                return False
            if how == "name__in":
                other = self.items[KINDS["workflow_job_template_nodes"][2][field]]
                if other[item[field]]["name"] not in value.split(","):
                    return False
            if how == "" and str(item.get(field)) != value and value != "None":
                return False
            if how not in ("", "in", "name__in"):
                raise Refused(400, {"detail": f"{name} is not known to the double."})
        return True

    def shown(self, endpoint: str, item: Item) -> Item:
        """An object as the API shows it: with names of related objects, and without secrets."""
        summary: Item = {}
        references = {**KINDS[endpoint][2], "organization": "organizations"}
        for name, other in references.items():
            if item.get(name) is not None:
                found = self.find(other, int(item[name]))
                summary[name] = {"id": found["id"], "name": found["name"]}
        related = {}
        if endpoint in SURVEYS:
            related["survey_spec"] = f"{item['url']}survey_spec/"
        if item.get("unified_job_template") is not None:
            related["unified_job_template"] = self.find("unified_job_templates", item["unified_job_template"])["url"]
        if "current_update" in item:
            summary["current_update"] = {"id": item["current_update"]}
        shown = {name: value for name, value in item.items() if name not in ("current_update", "secret_token")}
        for field in ("inputs", "notification_configuration"):
            if endpoint != "credential_types" and field in shown:
                shown[field] = {
                    name: ENCRYPTED if value and "password" in name else value for name, value in shown[field].items()
                }
        return {**shown, "summary_fields": summary, "related": related}


class Handler(BaseHTTPRequestHandler):
    store: Store
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: t.Any) -> None:
        pass

    def _answer(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length) or b"{}") if length else {}
        try:
            code, answer = self._route(body)
        except Refused as refused:
            code, answer = refused.code, refused.body
        text = b"" if code == 204 else json.dumps(answer).encode()
        self.send_response(code)
        self.send_header("X-API-Product-Name", "AWX")
        self.send_header("X-API-Product-Version", "24.6.1")
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_POST = do_PATCH = do_DELETE = _answer

    def _authenticate(self) -> None:
        scheme, _space, value = (self.headers.get("Authorization") or "").partition(" ")
        basic = base64.b64encode(":".join(self.store.login).encode()).decode()
        if not ((scheme == "Basic" and value == basic) or (scheme == "Bearer" and value in self.store.tokens)):
            raise Refused(401, {"detail": "Authentication credentials were not provided."})

    def _route(self, body: Item) -> tuple[int, t.Any]:
        self._authenticate()
        address = urlsplit(self.path)
        if not address.path.startswith(PREFIX):
            raise Refused(404, {"detail": "Not found."})
        endpoint, *rest = address.path.removeprefix(PREFIX).strip("/").split("/")
        store, method = self.store, self.command
        if endpoint not in KINDS and endpoint != "unified_job_templates":
            raise Refused(404, {"detail": "Not found."})
        if not rest and method == "GET":
            found = store.listed(endpoint, dict(parse_qsl(address.query)))
            return 200, self._list([(self._endpoint(item), item) for item in found])
        if not rest and method == "POST":
            return 201, self._created(endpoint, body)
        item = store.find(endpoint, int(rest[0]))
        if len(rest) > 1:
            return self._below(endpoint, item, rest[1], body)
        if method == "PATCH":
            store.change(endpoint, item, body)
        elif method == "DELETE":
            del store.items[endpoint][item["id"]]
            store.tokens = {key: number for key, number in store.tokens.items() if number != item["id"]}
            return 204, None
        return 200, store.shown(endpoint, item)

    def _endpoint(self, item: Item) -> str:
        return str(item["url"]).removeprefix(PREFIX).split("/")[0]

    def _list(self, found: list[tuple[str, Item]]) -> Item:
        results = [self.store.shown(endpoint, item) for endpoint, item in found]
        return {"count": len(results), "next": None, "previous": None, "results": results}

    def _created(self, endpoint: str, body: Item) -> Item:
        item = self.store.create(endpoint, body)
        if endpoint == "tokens":
            token = secrets.token_hex(8)
            self.store.tokens[token] = item["id"]
            return {**self.store.shown(endpoint, item), "token": token}
        shown = self.store.shown(endpoint, item)
        if endpoint == "projects":
            shown["summary_fields"]["current_update"] = {"id": self.store.create("project_updates", {})["id"]}
        return shown

    def _below(self, endpoint: str, item: Item, name: str, body: Item) -> tuple[int, t.Any]:
        store, method, number = self.store, self.command, int(item["id"])
        if name == "survey_spec" and endpoint in SURVEYS:
            if method == "GET":
                return 200, store.surveys.get((endpoint, number), {})
            problem = "" if method == "DELETE" else survey_problem(body)
            if problem:
                raise Refused(400, {"error": problem})
            store.surveys[endpoint, number] = {} if method == "DELETE" else body
            store.writes.append(f"{method} survey of {item['name']}")
            return 200, {}
        if name == "create_approval_template" and method == "POST":
            approval = store.create("workflow_approval_templates", body)
            item["unified_job_template"] = approval["id"]
            return 201, store.shown("workflow_approval_templates", approval)
        if name not in ASSOCIATIONS or endpoint not in WITH_ASSOCIATIONS:
            raise Refused(404, {"detail": "Not found."})
        linked = store.links.setdefault((endpoint, number, name), [])
        other = ASSOCIATIONS[name]
        if method == "GET":
            return 200, self._list([(other, store.find(other, one)) for one in linked])
        target = store.find(other, int(body["id"]))
        if body.get("disassociate"):
            linked.remove(target["id"])
        else:
            types = [store.find(other, one).get("credential_type") for one in linked]
            if name == "credentials" and target["credential_type"] in types:
                raise Refused(400, {"detail": "Cannot assign multiple credentials of the same type."})
            linked.append(target["id"])
        store.writes.append(
            f"{'unlink' if body.get('disassociate') else 'link'} {name} of {item.get('name') or number}"
        )
        return 204, None


class Double:
    """A server on loopback for the time of a ``with`` statement."""

    def __init__(self, username: str = "admin", password: str = "not secret") -> None:
        self.store = Store(username, password)
        handler = type("OwnHandler", (Handler,), {"store": self.store})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.address = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Double:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._server.shutdown()
        self._server.server_close()
