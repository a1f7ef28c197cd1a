# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ports, paths, names and packages that the roles of one host will use, which preflight checks."""

from __future__ import annotations

import dataclasses
import glob
import ipaddress
import re
import typing as t

from ansible_collections.ivy.cluster.plugins.plugin_utils.preflight.model.pem import key_fingerprint
from ansible_collections.ivy.cluster.plugins.plugin_utils.preflight.model.role_options import Options

# The roles that site.yml gives to the hosts of each group.
ROLES_BY_GROUP = {
    "load_balancers": ("certificates", "haproxy", "keepalived"),
    "engine_nodes": ("file_share", "engine"),
    "database_servers": ("postgres",),
    "search_servers": ("elasticsearch",),
    "etcd_members": ("etcd",),
}
# Where packages and the roles of every host write.
SYSTEM_PATHS = ("/", "/etc", "/usr", "/var", "/var/log")
_MEMORY = re.compile(r"([0-9]+)([kmgt]?)b?\Z", re.IGNORECASE)
_FACTORS = {"": 1 / (1 << 20), "k": 1 / 1024, "m": 1, "g": 1024, "t": 1 << 20}
# A Java process needs this much beside its heap.
_BESIDE_HEAP_MB = 256


@dataclasses.dataclass(frozen=True)
class Port:
    """A TCP port that a service of this host needs."""

    port: int
    purpose: str
    option: str
    unit: str
    addresses: tuple[str, ...] = ("*",)
    # Whether other hosts of the cluster connect to it.
    peers: bool = False


@dataclasses.dataclass(frozen=True)
class Need:
    """Memory that a service of this host will use."""

    service: str
    option: str
    mb: int


@dataclasses.dataclass(frozen=True)
class Target:
    """An address outside the inventory that this host has to reach."""

    purpose: str
    option: str
    address: str
    port: int


@dataclasses.dataclass(frozen=True)
class Plan:
    """What the roles of one host need."""

    groups: tuple[str, ...]
    address: str
    ports: tuple[Port, ...] = ()
    memory: tuple[Need, ...] = ()
    paths: tuple[str, ...] = ()
    # Options that name an archive, and the pattern that finds what was unpacked from it.
    installed: dict[str, str] = dataclasses.field(default_factory=dict)
    packages: tuple[str, ...] = ()
    # Services that must not be restarted on all hosts together.
    services: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    external: tuple[Target, ...] = ()
    share: dict[str, t.Any] | None = None
    map_count: int = 0
    time_zone: str = ""
    trust_file: str = ""
    authority: dict[str, t.Any] | None = None
    # The address that the load balancers share, with its prefix length, the interface for it and their number.
    virtual_address: dict[str, t.Any] | None = None
    # What the load balancers use to reach the engine of this host: http or https.
    node_protocol: str = ""
    problems: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, t.Any]:
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, given: t.Mapping[str, t.Any]) -> Plan:
        values = dict(given)
        for name, kind in (("ports", Port), ("memory", Need), ("external", Target)):
            values[name] = tuple(kind(**{**one, **_tuples(one)}) for one in values.get(name, ()))
        return cls(**{**values, **_tuples(values)})


def _tuples(values: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    return {key: tuple(value) for key, value in values.items() if isinstance(value, list)}


def megabytes(text: t.Any) -> int:
    """What Java's -Xmx and the like take, in MB; 0 for what is not of that form."""
    found = _MEMORY.match(str(text or "").strip())
    return int(int(found[1]) * _FACTORS[found[2].lower()]) if found else 0


def is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def roles_of(groups: t.Iterable[str]) -> list[str]:
    return [role for group in groups for role in ROLES_BY_GROUP.get(group, ())]


class _Planner:
    def __init__(self, groups: tuple[str, ...], options: Options) -> None:
        self._groups, self._options = groups, options
        self.ports: list[Port] = []
        self.memory: list[Need] = []
        self.paths: list[str] = list(SYSTEM_PATHS)
        self.installed: dict[str, str] = {}
        self.packages: list[str] = []
        self.services: list[str] = []
        self.external: list[Target] = []
        self.share: dict[str, t.Any] | None = None
        self.map_count = 0
        self.trust_file = ""
        self.authority: dict[str, t.Any] | None = None
        self.virtual_address: dict[str, t.Any] | None = None
        self.node_protocol = ""

    def text(self, name: str) -> str:
        value = self._options.get(name)
        return "" if value is None else str(value).strip()

    def number(self, name: str) -> int:
        text = self.text(name)
        return int(text) if re.fullmatch(r"[0-9]{1,15}", text) else 0

    def texts(self, name: str) -> list[str]:
        value = self._options.get(name)
        found = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
        return [str(one).strip() for one in found if one not in (None, "")]

    def _port(
        self, option: str, purpose: str, unit: str, addresses: t.Iterable[str] = ("*",), peers: bool = False
    ) -> None:
        port = self.number(option)
        # The checks of the inventory report a number that is not a port.
        if 0 < port < 65536:
            self.ports.append(Port(port, purpose, option, unit, tuple(addresses) or ("*",), peers))

    def _path(self, *names: str) -> None:
        self.paths += [path for path in map(self.text, names) if path.startswith("/") and path not in self.paths]

    def load_balancers(self) -> None:
        addresses = self.texts("haproxy_bind_addresses")
        self._port("haproxy_https_port", "HTTPS", "haproxy.service", addresses)
        self._port("haproxy_http_port", "HTTP", "haproxy.service", addresses)
        metrics = [one for one in [self.text("haproxy_metrics_address")] if one]
        self._port("haproxy_metrics_port", "metrics", "haproxy.service", metrics)
        own_certificate = self._options.get("certificates_has_own_certificate") in (True, "True")
        self.packages += ["haproxy", *([] if own_certificate else ["python3-cryptography"])]
        self.services += ["haproxy"]
        directory = self.text("certificates_host_directory")
        if directory:
            self.trust_file = f"{directory}/ca.pem"
            self.authority = {
                "replace": self._options.get("certificates_replace_ca | bool") is True,
                "brought": key_fingerprint(self.text("certificates_ca_text")),
                "directory": self.text("certificates_directory"),
                "given": own_certificate,
            }

        if self._options.get("ivy_search_front_end") is True:
            self._port("ivy_search_port", "the search servers", "haproxy.service", peers=True)
            self.packages += ["nftables"]
        self._virtual_address()

    def _virtual_address(self) -> None:
        try:
            interface = ipaddress.ip_interface(self.text("ivy_virtual_address"))
        except ValueError:
            # Without one, or reported by the checks of the inventory.
            return
        self.virtual_address = {
            "address": str(interface.ip),
            "length": interface.network.prefixlen,
            "interface": self.text("keepalived_interface"),
            "balancers": len(self.texts("ivy_load_balancer_addresses")),
        }
        self.packages += ["keepalived", "iproute2", "nftables"]
        self.services += ["keepalived"]

    def engine_nodes(self) -> None:
        unit = f"{self.text('ivy_engine_service')}.service"
        encrypts = self.text("ivy_node_tls")
        self.node_protocol = "https" if encrypts in ("prefer", "require") else "http"
        if encrypts == "require":
            self._port("ivy_http_port", "the engine's HTTP", unit, ["127.0.0.1"])
        else:
            self._port("ivy_http_port", "the engine's HTTP", unit, peers=True)
        if encrypts in ("allow", "prefer", "require"):
            self._port("ivy_https_port", "the engine's HTTPS", unit, peers=True)
        if self.text("ivy_transport") == "tcp":
            own = [self.text("ivy_address")]
            self._port("ivy_jgroups_port", "the engines' cluster", unit, own, peers=True)
            self._port("ivy_jgroups_fd_port", "the engines' failure detection", unit, own, peers=True)
        heap = megabytes(self.text("engine_heap_max"))
        if heap:
            self.memory.append(Need("engine", "engine_heap_max", heap + _BESIDE_HEAP_MB))
        self._path("ivy_engine_home", "ivy_state_directory", "ivy_share_directory", "engine_dump_directory")
        directory = self.text("ivy_engine_directory")
        if directory:
            self.installed["engine_archive"] = f"{glob.escape(directory)}/bin/AxonIvyEngine"
        java = [] if self.text("engine_java_home") else self._known("engine_java_package")
        self.packages += self.texts("engine_packages") + java
        if self._options.get("file_share_mode == 'mount'") is True:
            self.packages += self.texts("file_share_packages")
        self.services += java
        self._external("ivy_database_host", "the system database", self.text("ivy_database_host"), "ivy_database_port")
        host = self.text("ivy_search_url | ansible.builtin.urlsplit('hostname') if ivy_search_url != '' else ''")
        standard = "443 if ivy_search_url.startswith('https') else 80"
        port = f"(ivy_search_url | ansible.builtin.urlsplit('port')) or ({standard})"
        self._external("ivy_search_url", "the search engine", host, port)
        self._share()

    def database_servers(self) -> None:
        unit = f"{self.text('postgres_service_name')}.service"
        self._port("ivy_database_port", "PostgreSQL", unit, self.texts("postgres_listen_addresses"), peers=True)
        self._path("postgres_data_directory")
        version = self.text("postgres_selected_version")
        if self.text("ivy_database_manager") == "patroni":
            own = [self.text("ivy_address")]
            self._port("ivy_patroni_port", "Patroni", "patroni.service", own, peers=True)
            self.packages += ["patroni", "python3-etcd", "python3-cryptography", "nftables"]
            self.services += ["patroni"]
        if version:
            self.packages += [
                "postgresql-common",
                f"postgresql-{version}",
                f"postgresql-client-{version}",
                "python3-psycopg2",
            ]
            self.services += [f"postgresql-{version}"]
        buffers = megabytes(self.text("postgres_selected_settings['shared_buffers']"))
        if buffers:
            self.memory.append(Need("PostgreSQL", "postgres_settings", buffers))

    def search_servers(self) -> None:
        unit = f"{self.text('elasticsearch_service')}.service"
        self._port("ivy_search_port", "the search engine", unit, self.texts("elasticsearch_bind_addresses"), peers=True)
        if len(self.texts("ivy_search_server_addresses")) > 1:
            own = [self.text("ivy_address")]
            self._port("elasticsearch_transport_port", "data between the search servers", unit, own, peers=True)
        heap = megabytes(self.text("elasticsearch_selected_heap"))
        if heap:
            self.memory.append(Need("search engine", "elasticsearch_heap", heap + _BESIDE_HEAP_MB))
        self._path("elasticsearch_home", "elasticsearch_data_directory", "elasticsearch_log_directory")
        directory, version = self.text("elasticsearch_versions_directory"), self.text("elasticsearch_selected_version")
        if directory and version:
            # The archive's digest is part of the name; without archive and checksum, what is installed will do.
            digest = self.text("elasticsearch_archive_checksum").rpartition(":")[2][:12] or "*"
            self.installed["elasticsearch_archive"] = f"{glob.escape(f'{directory}/{version}')}-{digest}"
        self.map_count = self.number("elasticsearch_max_map_count")
        self.packages += [
            "unzip",
            *(["nftables"] if self._options.get("elasticsearch_firewall | bool") is True else []),
        ]
        if self.text("elasticsearch_java") == "system" and not self.text("elasticsearch_java_home"):
            self.packages += self._known("elasticsearch_java_package")

    def etcd_members(self) -> None:
        own = [self.text("ivy_address")]
        self._port("ivy_etcd_port", "etcd's clients", "etcd.service", own, peers=True)
        self._port("ivy_etcd_peer_port", "etcd's members", "etcd.service", own, peers=True)
        self._path("etcd_data_directory")
        self.packages += ["etcd-server", "etcd-client", "python3-cryptography"]
        self.packages += ["nftables"] if self._options.get("etcd_firewall | bool") is True else []
        self.services += ["etcd-server"]

    def _known(self, name: str) -> list[str]:
        text = self.text(name)
        return [text] if text else []

    def _external(self, option: str, purpose: str, address: str, port: str) -> None:
        if address and 0 < self.number(port) < 65536:
            self.external.append(Target(purpose, option, address.strip("[]"), self.number(port)))

    def _share(self) -> None:
        root, directory = self.text("ivy_share_directory"), self.text("ivy_data_directory")
        uid, gid = self.number("ivy_uid"), self.number("ivy_gid")
        if not (root.startswith("/") and directory.startswith("/") and uid and gid):
            return
        self.share = {
            "root": root,
            "directory": directory,
            "user": self.text("ivy_user"),
            "group": self.text("ivy_group"),
            "uid": uid,
            "gid": gid,
            "mode": self.text("file_share_mode"),
            "accept_local": self._options.get("file_share_accept_local | bool") is True,
            "source": self.text("file_share_source"),
        }

    def names(self) -> tuple[str, ...]:
        """What this host has to find: itself, and those that it connects to."""
        wanted = ["ivy_address"]
        if "engine_nodes" in self._groups:
            wanted += ["ivy_engine_addresses", "ivy_database_address", "ivy_search_server_addresses"]
        if "load_balancers" in self._groups:
            wanted += ["ivy_engine_addresses"]
            wanted += ["ivy_load_balancer_addresses"] if self.virtual_address else []
        if {"database_servers", "search_servers"} & set(self._groups):
            # Their access rules and firewall name the engine nodes.
            wanted += ["ivy_engine_addresses"]
        if "etcd_members" in self._groups:
            # The certificates and the firewall name the members and their clients.
            wanted += ["ivy_etcd_member_addresses", "ivy_database_server_addresses"]
        found = [one for name in wanted for one in (self.texts(name) or self._known(name)) if not one.startswith("{")]
        found += [target.address for target in self.external]
        return tuple(dict.fromkeys(one for one in found if not is_address(one.strip("[]"))))


def plan_for(groups: t.Iterable[str], options: Options) -> Plan:
    """All requirements that can be determined; invalid options are omitted here and reported elsewhere."""
    known = tuple(group for group in ROLES_BY_GROUP if group in set(groups))
    planner = _Planner(known, options)
    for group in known:
        getattr(planner, group)()
    problems = [one for role in roles_of(known) for one in planner.texts(f"{role}_host_problems | default([])")]
    return Plan(
        groups=known,
        address=planner.text("ivy_address"),
        ports=tuple(planner.ports),
        memory=tuple(planner.memory),
        paths=tuple(planner.paths),
        installed=planner.installed,
        packages=tuple(dict.fromkeys(planner.packages)),
        services=tuple(dict.fromkeys(planner.services)),
        names=planner.names(),
        external=tuple(planner.external),
        share=planner.share,
        map_count=planner.map_count,
        time_zone=planner.text("ivy_time_zone"),
        trust_file=planner.trust_file,
        authority=planner.authority,
        virtual_address=planner.virtual_address,
        node_protocol=planner.node_protocol,
        problems=tuple(problems),
    )


def module_arguments(plan: Plan, host: str, token: str, seconds: int) -> dict[str, t.Any]:
    """What the plan asks of ivy.cluster.preflight_facts."""
    share = plan.share
    return {
        "ports": [
            {"port": one.port, "addresses": list(one.addresses), "unit": one.unit, "listen": one.peers}
            for one in plan.ports
        ],
        "names": list(plan.names),
        "paths": list(plan.paths),
        "installed": plan.installed,
        "packages": list(plan.packages),
        "share": None
        if share is None
        else {**{key: share[key] for key in ("root", "directory", "user", "group", "uid", "gid")}, "name": host},
        "trust_file": plan.trust_file,
        "virtual_address": None
        if plan.virtual_address is None
        else {**{key: plan.virtual_address[key] for key in ("address", "interface")}, "own": plan.address},
        "time_zone": plan.time_zone,
        "token": token,
        "seconds": seconds,
    }
