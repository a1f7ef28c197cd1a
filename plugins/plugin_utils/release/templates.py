# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rendering the source's templates in a sandbox.

A template sees ``shared`` and ``secret`` and nothing that differs between nodes, controllers or runs: no facts, no
look-ups, no host names, no time and no chance.
"""

from __future__ import annotations

import base64
import dataclasses
import difflib
import json
import re
import sys
import traceback
import types
import typing as t

from ansible_collections.ivy.cluster.plugins.plugin_utils.common import masking
from ansible_collections.ivy.cluster.plugins.plugin_utils.common.findings import Finding, sorted_by_location
from ansible_collections.ivy.cluster.plugins.plugin_utils.common.native import Plain

_UndefinedBase: t.Any = object
_EnvironmentBase: t.Any = object
try:
    import jinja2
    import jinja2.meta
    import jinja2.nodes
    import jinja2.sandbox
    import jinja2.utils

    _UndefinedBase = jinja2.Undefined
    _EnvironmentBase = jinja2.sandbox.ImmutableSandboxedEnvironment
    HAS_JINJA2 = True
except ImportError:  # pragma: no cover
    HAS_JINJA2 = False

NAMES = ("shared", "secret")
VARIABLES = {"shared": "ivy_shared_values", "secret": "ivy_shared_secrets"}

_CHANCE = ("lipsum",)
_CHANCE_FILTERS = ("random",)
_PER_NODE = ("inventory_hostname", "inventory_hostname_short", "hostvars", "groups", "group_names", "play_hosts")
_SANDBOX_ADVICE = "Use plain values and filters."
# How Python writes what has no text of its own.
_UNKNOWN_FILTER = re.compile(r"No (?:filter|test) named '[a-z_]+'\.")
_ADDRESS = re.compile(r" at 0x[0-9a-f]{6,}>")
_NULL = "null"
# With a space, so that no template can use this name.
_NOT_NULL = "not null"
_LOOKUPS = ("lookup", "query", "q", "now", "omit", "undef")


@dataclasses.dataclass(frozen=True)
class Rendered:
    """A template's text, and the text it would give with other secrets; the two differ where secrets went."""

    text: str
    disguised: str | None

    @property
    def holds_secrets(self) -> bool:
        return self.disguised != self.text


class Renderer:
    def __init__(self, shared: t.Mapping[str, Plain], secret: t.Mapping[str, Plain]) -> None:
        self._shared = dict(shared)
        self._secret = dict(secret)
        self._disguise = t.cast("dict[str, Plain]", _disguised(self._secret))

    def render(self, path: str, source: str) -> tuple[Rendered | None, list[Finding]]:
        """Render one template; the result is None exactly when there are findings."""
        text, findings = self._render(path, source, self._secret)
        if text is None:
            return None, findings
        disguised, _ignored = self._render(path, source, self._disguise)
        return Rendered(text, disguised), []

    def _render(self, path: str, source: str, secret: dict[str, Plain]) -> tuple[str | None, list[Finding]]:
        missing: list[_Missing] = []
        odd: list[tuple[int, str]] = []
        environment = _environment(missing, odd)
        try:
            tree = environment.parse(source)
            findings = _unknown_names(path, tree, jinja2.meta.find_undeclared_variables(tree))
            code = environment.compile(_with_null_checks(tree), path, path)
            template = environment.template_class.from_code(environment, code, {**environment.globals})
        except jinja2.TemplateSyntaxError as error:
            problem = f"the template is not valid: {_syntax_problem(str(error.message))}"
            return None, [Finding.in_file(path, error.lineno, problem, _syntax_advice(error))]
        names = _named_objects({"shared": self._shared, "secret": secret})
        try:
            text = template.render(shared=self._shared, secret=secret)
        except Exception as error:
            # Whatever a template does wrong is a finding, not a crash.
            if not missing and not findings:
                findings.append(_runtime_finding(path, error))
            text = None
        findings += [finding for entry in missing for finding in entry.findings(path, names) if entry.owner is not None]
        findings += [_odd_finding(path, line, kind) for line, kind in odd]
        if text is not None and not findings and set(_ADDRESS.findall(text)) - set(_ADDRESS.findall(source)):
            findings.append(_odd_finding(path, 0, "object"))
        # What Jinja notices before it renders has no line, and is noticed again with one.
        placed = {finding.message for finding in findings if finding.line}
        findings = [finding for finding in findings if finding.line or finding.message not in placed]
        return (None, sorted_by_location(findings)) if findings else (text, [])


@dataclasses.dataclass(frozen=True)
class _Missing:
    """A name that a template used and that is not there."""

    line: int
    name: str
    owner: t.Any
    forbidden: bool

    def findings(self, path: str, names: t.Mapping[int, tuple[str, t.Any]]) -> t.Iterator[Finding]:
        if self.forbidden:
            yield Finding.in_file(
                path, self.line, f"the sandbox does not allow the use of '{self.name}'", _SANDBOX_ADVICE
            )
            return
        where, owner = names.get(id(self.owner), ("", self.owner))
        if not where:
            yield Finding.in_file(path, self.line, f"'{self.name}' is not defined there", "Use only values that exist.")
            return
        root = where.split(".", 1)[0]
        advice = f"Add it to {VARIABLES.get(root, root)}"
        close = difflib.get_close_matches(self.name, list(owner), n=1) if isinstance(owner, dict) else []
        advice += f", or did you mean '{where}.{close[0]}'?" if close else ", or correct the name."
        yield Finding.in_file(path, self.line, f"'{where}.{self.name}' is not defined", advice)


class _Environment(_EnvironmentBase):
    def getattr(self, obj: t.Any, attribute: str) -> t.Any:
        # A value called "items" or "values" is what its owner put there, not a method of dict.
        if isinstance(obj, dict) and attribute in obj:
            return obj[attribute]
        return super().getattr(obj, attribute)


def _environment(missing: list[_Missing], odd: list[tuple[int, str]]) -> t.Any:
    class Collecting(_UndefinedBase):
        """Notes each use of a name that is not there and goes on, so that one run finds them all."""

        __slots__ = ()

        def _note(self, *_args: t.Any, **_kwargs: t.Any) -> t.Any:
            forbidden = issubclass(self._undefined_exception, jinja2.exceptions.SecurityError)
            name, owner = str(self._undefined_name), _owner(self._undefined_obj)
            missing.append(_Missing(_line(sys._getframe()), name, owner, forbidden))
            return self

        def __getattr__(self, name: str) -> t.Any:
            if name.startswith("__"):
                raise AttributeError(name)
            return self._note()

        def __str__(self) -> str:
            self._note()
            return ""

        def __iter__(self) -> t.Iterator[t.Any]:
            self._note()
            return iter(())

        def __len__(self) -> int:
            self._note()
            return 0

        def __bool__(self) -> bool:
            self._note()
            return False

        def __eq__(self, other: object) -> bool:
            self._note()
            return False

        def __ne__(self, other: object) -> bool:
            self._note()
            return True

        def __hash__(self) -> int:
            self._note()
            return 0

        __call__ = __getitem__ = _note
        __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = _note
        __floordiv__ = __rfloordiv__ = __mod__ = __rmod__ = __pow__ = __rpow__ = __neg__ = __pos__ = _note
        __lt__ = __le__ = __gt__ = __ge__ = _note

        def __int__(self) -> int:
            self._note()
            return 0

        def __float__(self) -> float:
            self._note()
            return 0.0

    # With the context as an argument, Jinja calls these while it renders, when the line is known.
    @jinja2.pass_context
    def only_plain(_context: t.Any, value: t.Any) -> t.Any:
        kind = _odd_kind(value)
        if kind:
            odd.append((_line(sys._getframe()), kind))
        return value

    @jinja2.pass_context
    def not_null(_context: t.Any, value: t.Any) -> t.Any:
        if value is None:
            odd.append((_line(sys._getframe()), _NULL))
            return ""
        return value

    environment = _Environment(undefined=Collecting, keep_trailing_newline=True, autoescape=False, finalize=only_plain)
    for name in _CHANCE:
        environment.globals.pop(name, None)
    for name in _CHANCE_FILTERS:
        environment.filters.pop(name, None)
    environment.filters["to_json"] = _to_json
    environment.filters["b64encode"] = _b64encode
    environment.filters[_NOT_NULL] = not_null
    return environment


def _with_null_checks(tree: t.Any) -> t.Any:
    """The parsed template with a check wherever an operation or a filter would make the text None of a null."""

    def checked(node: t.Any) -> t.Any:
        return jinja2.nodes.Filter(node, _NOT_NULL, [], [], None, None, lineno=node.lineno)

    for node in list(tree.find_all((jinja2.nodes.Concat, jinja2.nodes.Filter, jinja2.nodes.Mod))):
        if isinstance(node, jinja2.nodes.Concat):
            node.nodes = [checked(one) for one in node.nodes]
        elif isinstance(node, jinja2.nodes.Mod):
            node.right = checked(node.right)
        elif node.node is not None and node.name not in ("default", "d"):
            node.node = checked(node.node)
    return tree


def _odd_kind(value: t.Any) -> str:
    """What a value is when its text would be an address in memory, which differs from run to run, or the word None."""
    if value is None:
        return _NULL
    if isinstance(value, (str, int, float, jinja2.Undefined)):
        return ""
    if isinstance(value, dict):
        return next(filter(None, (_odd_kind(item) for item in value.values())), "")
    if isinstance(value, (list, tuple)):
        return next(filter(None, map(_odd_kind, value)), "")
    return type(value).__name__


def _odd_finding(path: str, line: int, kind: str) -> Finding:
    if kind == _NULL:
        advice = "Give it a value, or write {{ ... | default('', true) }} if it may be empty."
        return Finding.in_file(path, line, "the template uses a value that is null, and would write 'None'", advice)
    if kind in ("generator", "map", "filter", "object", "dict_items", "dict_keys", "dict_values", "range"):
        advice = "Write it as a list or a text: {{ ... | list }}, or {{ ... | join(', ') }}."
    else:
        advice = "Call it with (), or use a value that it holds."
    return Finding.in_file(
        path, line, f"the template writes a '{kind}', which is not text and differs from run to run", advice
    )


def _to_json(value: t.Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, default=_of_missing)


def _of_missing(value: t.Any) -> str:
    if isinstance(value, jinja2.Undefined):
        # Taking its text is what notes that it is missing.
        return str(value)
    raise TypeError(type(value).__name__)


def _b64encode(value: t.Any) -> str:
    return base64.b64encode(str(value).encode("utf-8")).decode("ascii")


def _line(frame: types.FrameType | None) -> int:
    while frame is not None:
        template = frame.f_globals.get("__jinja_template__")
        if template is not None:
            return int(template.get_corresponding_lineno(frame.f_lineno))
        frame = frame.f_back
    return 0


def _owner(value: t.Any) -> t.Any:
    # A name without owner is found by reading the template, so that one in a branch that is not taken counts too.
    return None if value is jinja2.utils.missing else value


def _named_objects(roots: t.Mapping[str, t.Any]) -> dict[int, tuple[str, t.Any]]:
    result: dict[int, tuple[str, t.Any]] = {}

    def walk(name: str, value: t.Any) -> None:
        if isinstance(value, (dict, list)):
            result[id(value)] = (name, value)
        if isinstance(value, dict):
            for key, item in value.items():
                walk(f"{name}.{key}", item)
        elif isinstance(value, list):
            for index, item in enumerate(value):
                walk(f"{name}[{index}]", item)

    for name, value in roots.items():
        walk(name, value)
    return result


def _unknown_names(path: str, tree: t.Any, undeclared: t.AbstractSet[str]) -> list[Finding]:
    unknown = set(undeclared) - set(NAMES) - {"range", "dict", "cycler", "joiner", "namespace"}
    return [
        Finding.in_file(path, node.lineno, f"'{node.name}' is not known in a template", _name_advice(node.name))
        for node in tree.find_all(jinja2.nodes.Name)
        if node.ctx == "load" and node.name in unknown
    ]


def _name_advice(name: str) -> str:
    if name in _LOOKUPS:
        return f"There are no look-ups in a template; put the result in {VARIABLES['shared']} or {VARIABLES['secret']}."
    if name in _PER_NODE or name.startswith("ansible_"):
        return "A release is the same on every node, so there are no facts and no host names in a template."
    seen = " and ".join(f"'{root}' ({variable})" for root, variable in VARIABLES.items())
    return f"A template sees only {seen}: did you mean 'shared.{name}'?"


def _syntax_problem(message: str) -> str:
    # The name of a filter of Ansible helps, and a name like this one is hardly a secret.
    found = _UNKNOWN_FILTER.fullmatch(message)
    return found[0] if found is not None else masking.parser_words(message)


def _syntax_advice(error: t.Any) -> str:
    if "filter" in str(error.message).lower():
        return "There are Jinja's own filters, to_json and b64encode; Ansible's filters are not here."
    return "Correct it."


def _runtime_finding(path: str, error: Exception) -> Finding:
    lines = [frame.lineno or 0 for frame in traceback.extract_tb(error.__traceback__) if frame.filename == path]
    line = lines[-1] if lines else 0
    if isinstance(error, jinja2.exceptions.SecurityError):
        return Finding.in_file(
            path, line, "the template does something that the sandbox does not allow", _SANDBOX_ADVICE
        )
    if isinstance(error, TypeError) and "no loader" in str(error):
        problem = "a template cannot include or import another file"
        return Finding.in_file(path, line, problem, "Put its text into this template.")
    if isinstance(error, MemoryError):
        return Finding.in_file(path, line, "the template takes too much memory", "Check its loops and repetitions.")
    # The message may quote a value, and so a secret: only its kind is shown.
    problem = f"the template fails with {type(error).__name__}"
    return Finding.in_file(path, line, problem, "Check the types of the values it uses.")


def _disguised(value: Plain, path: str = "secret") -> Plain:
    if isinstance(value, dict):
        return {key: _disguised(item, f"{path}.{key}") for key, item in value.items()}
    if isinstance(value, list):
        return [_disguised(item, f"{path}[{index}]") for index, item in enumerate(value)]
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, (int, float)):
        return value + 7
    return f"disguised-{path}"
