# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The checks that contact no host, and their order."""

from __future__ import annotations

import dataclasses
import datetime
import json
import typing as t
from pathlib import Path

from ansible_collections.ivy.cluster.plugins.plugin_utils.common import masking, native
from ansible_collections.ivy.cluster.plugins.plugin_utils.common.findings import (
    ERROR,
    WARNING,
    Finding,
    FindingsError,
)
from ansible_collections.ivy.cluster.plugins.plugin_utils.common.licence import LicenceError
from ansible_collections.ivy.cluster.plugins.plugin_utils.common.profiles import ProfileError, resolve_profile
from ansible_collections.ivy.cluster.plugins.plugin_utils.common.text import listed
from ansible_collections.ivy.cluster.plugins.plugin_utils.preflight.checks import (
    addresses,
    archives,
    certificate,
    quorum,
    secrets,
    topology,
    versions,
    virtual_address,
)
from ansible_collections.ivy.cluster.plugins.plugin_utils.preflight.checks import (
    licence as preflight_licence,
)
from ansible_collections.ivy.cluster.plugins.plugin_utils.preflight.model import (
    finding_codes,
)
from ansible_collections.ivy.cluster.plugins.plugin_utils.preflight.model import (
    options as preflight_options,
)
from ansible_collections.ivy.cluster.plugins.plugin_utils.preflight.model.inventory import (
    BALANCERS,
    DATABASES,
    ENGINES,
    ETCDS,
    SEARCHES,
    Host,
    Inventory,
)
from ansible_collections.ivy.cluster.plugins.plugin_utils.preflight.model.roles import TOPOLOGY, Role
from ansible_collections.ivy.cluster.plugins.plugin_utils.preflight.model.variables import Values, Variables
from ansible_collections.ivy.cluster.plugins.plugin_utils.release import inputs, rendered_secrets, source

INVENTORY = "inventory"
OPTIONS = "options"
CLUSTER = "cluster"
FACTS = "facts"
# The fact that the role preflight registers for each inspected host.
HOST_FACTS = "preflight_host_facts"
# Codes of findings that the inspection of the hosts supersedes.
SETTLED_BY_FACTS = ("archive-needed",)
# Taken for a key that is too short, which is a finding already: the digests of this build go nowhere.
_STAND_IN_KEY = "0123456789abcdef" * 4
# Shorter ones would be found inside harmless words.
_SHORTEST_SCRUBBED = 6
_ADDRESSES = {
    "ivy_engine_addresses": ENGINES,
    "ivy_load_balancer_addresses": BALANCERS,
    "ivy_database_server_addresses": DATABASES,
    "ivy_search_server_addresses": SEARCHES,
    "ivy_etcd_member_addresses": ETCDS,
}


class Look:
    """The validation of all variables of all hosts."""

    def __init__(self, variables: Variables, roles: t.Mapping[str, Role], loader: t.Any) -> None:
        self._variables = variables
        self._roles = roles
        self._loader = loader
        self._inventory = Inventory(variables.hosts, None, variables.group_names)

    def at(self, stage: str, used_roles: t.Sequence[str] = ()) -> list[Finding]:
        findings = self._find_profile()
        if stage == FACTS:
            # Reported already by the checks that need no facts.
            findings = []
        self._give_addresses()
        secret_options = self._secret_options()
        if stage == FACTS:
            findings += preflight_options.check(self._inventory, self._roles, self._options_by_facts())
            findings += self._check_roles(facts=True)
            findings += self._check_installed()
        elif stage in (OPTIONS, CLUSTER):
            findings += preflight_options.check(self._inventory, {name: self._roles[name] for name in used_roles})
            findings += self._check_cluster(secret_options) if stage == CLUSTER else []
        else:
            findings += self._check_licence()
            findings += preflight_options.check(self._inventory, self._roles)
            findings += preflight_options.check_names(
                self._inventory, self._roles, self._variables.extra, self._variables.used
            )
            findings += self._check_cluster(secret_options)
            findings += secrets.check(self._inventory, secret_options)
            findings += self._check_rendered(secret_options)
            findings += finding_codes.check(self._inventory)
            findings += self._check_archives()
            findings += self._check_certificates()
            findings += self._check_roles(facts=False)
            findings += self._check_release()
        findings += self._unusable(findings)
        return _without_consequences(findings)

    def hosts_can_be_looked_at(self, findings: t.Iterable[Finding]) -> bool:
        """Whether what the other half asks for has a value."""
        broken = any(
            finding.severity == ERROR
            and finding.code in ("option-missing", "option-unusable")
            and finding.subject.startswith("ivy_")
            for finding in findings
        )
        return bool(self._inventory.hosts) and self._inventory.profile is not None and not broken

    def _find_profile(self) -> list[Finding]:
        version = self._inventory.text("ivy_engine_version")
        ranges = native.plain(self._roles[TOPOLOGY].variables["ivy_profiles"])
        if not version:
            return []
        try:
            shares = self._inventory.text("ivy_share_applications").lower() not in ("false", "no", "off", "0", "n", "f")
            profile = resolve_profile(t.cast("t.Any", ranges), version, shares)
        except ProfileError as error:
            advice = "Choose a version of one of them." if "Known ranges" in str(error) else "Correct it."
            return [Finding("engine-version", "Versions", "ivy_engine_version", str(error), advice)]
        self._inventory = dataclasses.replace(self._inventory, profile=profile)
        self._variables.set("ivy_profile", profile)
        return []

    def _give_addresses(self) -> None:
        """The same as the roles derive, once and not once for each host and each use."""
        for name, group in _ADDRESSES.items():
            self._variables.set(name, {host.name: host.address for host in self._inventory.of(group)})

    def _secret_options(self) -> list[str]:
        names = [name for role in self._roles.values() for name in role.secret_options]
        return [name for name in names if name != "ivy_shared_secrets"]

    def _check_cluster(self, secret_options: t.Sequence[str]) -> list[Finding]:
        return [
            *topology.check(self._inventory, self._roles[TOPOLOGY].options, secret_options),
            *addresses.check(self._inventory),
            *virtual_address.check(self._inventory),
            *quorum.check(self._inventory),
            *versions.check(self._inventory),
        ]

    def _check_rendered(self, secret_options: t.Sequence[str]) -> list[Finding]:
        raw = {host: values.variables for host, values in self._variables.values.items()}
        found = rendered_secrets.findings(raw, ["ivy_shared_secrets", *secret_options])
        return [
            dataclasses.replace(
                rendered_secrets.problem_of("it"),
                code="secret-rendered",
                area="Secrets",
                subject=self._inventory.place(path, hosts),
            )
            for path, hosts in found
        ]

    def _check_licence(self) -> list[Finding]:
        files = []
        path = self._inventory.text("ivy_licence_file")
        if path:
            files.append(self._read_licence(self._path(path)))
        in_source = [file for file in self._source().files if file.path.endswith(".lic")]
        files += [preflight_licence.LicenceFile(file.path, file.data) for file in in_source]
        findings = preflight_licence.check(self._inventory, files, inputs.today())
        # What is derived from the licence must not fail as well and hide what else is wrong.
        self._variables.set("ivy_licence", self._parsed(files[0]) if path else {})
        return findings

    def _read_licence(self, path: Path) -> preflight_licence.LicenceFile:
        try:
            return preflight_licence.LicenceFile(path.name, inputs.read_file(path, self._loader))
        except OSError as error:
            return preflight_licence.LicenceFile(str(path), None, error.strerror or "it cannot be opened")
        except source.DecryptError as error:
            return preflight_licence.LicenceFile(str(path), None, f"it cannot be decrypted: {error}")

    def _check_certificates(self) -> list[Finding]:
        now = datetime.datetime.now(datetime.timezone.utc)
        return certificate.check(self._inventory, self._read_certificate, now)

    def _read_certificate(self, text: str) -> certificate.Content | None:
        path = self._path(text)
        if not path.is_file():
            return None
        try:
            return certificate.Content(inputs.read_file(path, self._loader))
        except OSError as error:
            return certificate.Content(None, error.strerror or "it cannot be opened")
        except source.DecryptError as error:
            return certificate.Content(None, f"it cannot be decrypted: {error}")

    def _parsed(self, file: preflight_licence.LicenceFile) -> dict[str, t.Any]:
        try:
            return preflight_licence.parse(file.data or b"").to_dict()
        except LicenceError:
            return {}

    def _source(self) -> source.Source:
        path = self._inventory.text("ivy_shared_config_source")
        return inputs.read_source(path, self._loader) if path else source.Source((), (), ())

    def _check_archives(self) -> list[Finding]:
        cache = self._inventory.text("ivy_controller_cache")
        memory = archives.Memory(self._path(cache) / "archives.json" if cache else None)
        findings = archives.check(self._inventory, self._path, memory)
        memory.save()
        return findings

    def _path(self, text: str) -> Path:
        """Where the controller has it; a character that no path can hold makes it one that is not there."""
        return Path(self._loader.path_dwim(text.replace("\0", "\ufffd")))

    def _check_installed(self) -> list[Finding]:
        """Whether inspected hosts still need a missing archive."""
        looks = {host: values.variables.get(HOST_FACTS) for host, values in self._variables.values.items()}
        installed = {
            host: look["seen"].get("installed", {}) if look.get("seen") else None
            for host, look in looks.items()
            if isinstance(look, dict) and "plan" in look
        }
        return archives.check_installed(self._inventory, self._path, installed)

    def _check_roles(self, *, facts: bool) -> list[Finding]:
        """The option problems of each role; with ``facts`` only those that depend on facts.

        Problems of a host (``<role>_host_problems``) are reported by the checks of that host.
        """
        findings = []
        for role in self._roles.values():
            problems_by_text: dict[str, list[str]] = {}
            known: dict[str, list[str]] = {}
            for host in self._inventory.hosts:
                values = self._variables.values[host.name]
                if not role.runs_on(host) or (facts and values.lacks_facts):
                    continue
                # Hosts with the same options get the same answers, which take a while to work out.
                alike = host.name if facts else self._options_of(host)
                if alike not in known:
                    known[alike] = list(self._problems(role, host, values, facts))
                for problem in known[alike]:
                    problems_by_text.setdefault(problem, []).append(host.name)
            for problem, names in problems_by_text.items():
                findings.append(preflight_options.role_problem(self._inventory, role, problem, names))
        findings += self._acknowledged(facts)
        return findings

    def _options_by_facts(self) -> set[str]:
        options = {name for role in self._roles.values() for name in role.options}
        return {
            name
            for host in self._inventory.hosts
            for name in host.given & options
            if self._variables.values[host.name].needs_facts(name)
        }

    def _options_of(self, host: Host) -> str:
        names = sorted(
            name
            for role in self._roles.values()
            if role.runs_on(host)
            for name in role.options
            if name in host.given and name not in topology.PER_HOST
        )
        return json.dumps([(name, host.values.get(name)) for name in names], sort_keys=True, default=str)

    def _problems(self, role: Role, host: Host, values: Values, facts: bool) -> t.Iterator[str]:
        checks = f"{role.name}_option_checks"
        names = [checks if checks in role.variables else f"{role.name}_option_problems"]
        if f"{role.name}_version_checks" in role.variables and f"{role.name}_version" in host.given:
            names.append(f"{role.name}_version_checks")
        for name in names:
            raw = role.variables.get(name, [])
            templates = [
                one for one in (raw if isinstance(raw, list) else [raw]) if not facts or values.text_needs_facts(one)
            ]
            if not templates:
                continue
            together, reason = values.text_in_role(role, templates)
            # One by one only where that is needed: one that cannot be judged must hide no other.
            answers = [values.text_in_role(role, one) for one in templates] if reason else [(together, "")]
            for template, (answer, why) in zip(templates, answers):
                if why and not (values.lacks_facts and values.text_needs_facts(template)):
                    self._variables.failures.setdefault((name, why), []).append(host.name)
                yield from (text.strip() for text in masking.leaves(answer) if text.strip())

    def _acknowledged(self, facts: bool) -> list[Finding]:
        profile = self._inventory.profile
        findings: list[Finding] = []
        if profile is None:
            return findings
        for role, group, acknowledgement, product, supported in (
            ("postgres", DATABASES, "postgresql-version", "PostgreSQL", profile["postgresql"]),
            ("elasticsearch", SEARCHES, "search-version", profile["search"]["product"], profile["search"]),
        ):
            for host in self._inventory.of(group):
                known = bool(host.text(f"{role}_version")) or role == "elasticsearch"
                if known == facts:
                    continue
                version = host.text(f"{role}_selected_version")
                findings += versions.outside(self._inventory, acknowledgement, host.name, product, version, supported)
        return findings

    def _check_release(self) -> list[Finding]:
        """Everything that building the release would find; nothing is written."""
        nodes = self._inventory.of(ENGINES)
        if not nodes or self._inventory.profile is None:
            return []
        first = nodes[0]
        arguments = {
            "source": self._inventory.text("ivy_shared_config_source"),
            "topology": self._entries(first, "rollout_release_topology"),
            "jgroups": first.values.get("rollout_release_jgroups"),
            "nodes": [host.name for host in nodes],
            "cluster": self._inventory.text("ivy_cluster_name"),
            "engine_version": self._inventory.text("ivy_engine_version"),
            "profile": self._inventory.profile,
            "cluster_key": self._key(),
            "licence_file": "",
            "values_variable": "ivy_shared_values",
            "secrets_variable": "ivy_shared_secrets",
            "read_only": first.flag("engine_read_only_configuration")
            and bool(self._inventory.profile.get("read_only_config", True)),
            "read_only_copy": first.text("engine_read_only_copy"),
            "environments": {host.name: host.values.get("engine_environment") for host in nodes},
        }
        if not arguments["source"]:
            # Found to be missing.
            return []
        by_node = {
            name: {host.name: host.values[name] for host in nodes if name in host.values}
            for name in ("ivy_shared_values", "ivy_shared_secrets")
        }
        found: list[Finding] = []
        try:
            built = inputs.build(arguments, by_node, found, self._loader)
        except FindingsError as error:
            return [finding for finding in error.findings if not finding.file.endswith(".lic")]
        except Exception as error:
            # Whatever it is, the report of everything else must not be lost. Its message may quote a secret.
            reason = inputs.first_line(error) if isinstance(error, ProfileError) else type(error).__name__
            problem = f"it cannot be built ({reason})"
            return [Finding("release", "Shared configuration", "", problem, "Correct the options that it is made of.")]
        return self._check_sso(built.sso_headers) + [
            Finding("release-warning", "Shared configuration", "", text, "", WARNING)
            for text in built.warnings
            if not text.startswith("The licence")
        ]

    def _check_sso(self, headers: t.Sequence[str]) -> list[Finding]:
        """Whoever reaches the engine's port past the balancer could send the header and be any user."""
        acknowledged = "sso-http-port" in self._inventory.items("ivy_accept_unsupported")
        nodes = [
            host.name
            for host in self._inventory.of(ENGINES)
            if not (host.flag("engine_firewall") and host.flag("engine_http_firewall"))
        ]
        if not nodes or acknowledged:
            return []
        if not headers:
            return self._open_port(nodes)
        problem = (
            f"the engine takes the name or address of the user from the header {', '.join(headers)}, and its HTTP port "
            f"is open to all hosts on {listed(nodes)}, so anybody who reaches it can be any user"
        )
        advice = (
            "Set engine_http_firewall: true. If another firewall lets only the balancers reach this port, "
            "add 'sso-http-port' to ivy_accept_unsupported."
        )
        return [Finding("sso-port-open", "Shared configuration", "engine_http_firewall", problem, advice)]

    def _open_port(self, nodes: t.Sequence[str]) -> list[Finding]:
        """Without load balancers in the inventory, somebody else's may need the port."""
        if not self._inventory.of("load_balancers"):
            return []
        port = self._inventory.text("ivy_node_port")
        problem = (
            f"port {port} of {listed(nodes)} is open to all hosts, and whoever reaches it evades the access rules of "
            "the load balancers and TLS"
        )
        advice = (
            "Set engine_http_firewall: true, and name others that need the port in engine_allowed_extra. If another "
            "firewall lets only the balancers reach it, add 'sso-http-port' to ivy_accept_unsupported."
        )
        return [Finding("http-port-open", "Network", "engine_http_firewall", problem, advice, WARNING)]

    def _entries(self, host: Host, name: str) -> dict[str, native.Plain]:
        """The entries of a role's dictionary that can be had: one that cannot hides nothing of the rest."""
        rollout = self._roles["rollout"]
        values = self._variables.values[host.name]
        templates = rollout.variables[name]
        together, failed = values.text_in_role(rollout, templates)
        if failed or not isinstance(together, dict):
            answers = {key: values.text_in_role(rollout, template) for key, template in templates.items()}
        else:
            answers = {key: (value, "") for key, value in together.items()}
        # The option checks report a value of the wrong type.
        return {
            key: value for key, (value, reason) in answers.items() if not reason and not isinstance(value, (dict, list))
        }

    def _key(self) -> str:
        key = self._inventory.text("ivy_cluster_key")
        return key if len(key) >= secrets.SHORTEST_KEY else _STAND_IN_KEY

    def _unusable(self, findings: t.Sequence[Finding]) -> list[Finding]:
        """Variables that cannot be resolved. Variables that are only derived from them are not reported."""
        given = {name for host in self._inventory.hosts for name in host.given}
        failures = self._variables.failures
        causes = [key for key in failures if key[0] in given]
        if not causes and not any(finding.severity == ERROR for finding in findings):
            causes = list(failures)
        known = self._known_secrets() if causes else ()
        return [
            Finding(
                "option-unusable",
                preflight_options.AREA,
                self._inventory.place(name, failures[name, reason]),
                masking.scrub(reason.removeprefix(f"{name} "), known),
                inputs.advice_for_unusable(reason),
            )
            for name, reason in causes
        ]

    def _known_secrets(self) -> list[str]:
        found: list[str] = []
        options = {*self._secret_options(), "ivy_shared_secrets"}
        for host in self._inventory.hosts:
            # Vaults commonly hold variables of the user's own that the options refer to.
            own = {name for name in host.given if name.startswith("vault") or masking.is_secret_key(name)}
            for name in options | own:
                found += masking.leaves(host.values.get(name))
        return [text for text in set(found) if len(text) >= _SHORTEST_SCRUBBED]


def _without_consequences(findings: t.Sequence[Finding]) -> list[Finding]:
    """Drop what a role says of an option whose value is of the wrong kind: it follows from that."""
    kinds = ("option", "option-missing", "no-list", "directory", "system-name", "address-list")
    wrong = {finding.subject.split(",")[0] for finding in findings if finding.code in kinds}
    return [
        finding
        for finding in findings
        if finding.code != "option-refused" or not wrong.intersection(finding.subject.split(", "))
    ]
