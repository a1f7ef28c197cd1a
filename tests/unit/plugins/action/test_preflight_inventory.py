# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bad input that can be seen without a host: each fault is found, by its code, and nothing else is."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest

from ansible_collections.ivy.cluster.tests.unit.plugins.action import preflight_site as site

HERE = Path(__file__).resolve().parent


OPENSEARCH = {
    "vars": {
        "ivy_engine_version": "12.0.9",
        "engine_archive": "{{ inventory_dir }}/AxonIvyEngine12.0.9.2_All_x64.zip",
        "elasticsearch_archive": "{{ inventory_dir }}/opensearch-min-2.18.0-linux-x64.tar.gz",
    },
    "files": {
        "AxonIvyEngine12.0.9.2_All_x64.zip": "ENGINE",
        "opensearch-min-2.18.0-linux-x64.tar.gz": "TAR",
        "acme.lic": site.LICENCE.replace("11000", "12000"),
        "shared_config/configuration/ivy.yaml.j2": site.HEADER.replace("11.3.0", "12.0.9") + "EMail.Server.Host: x\n",
    },
}
REMOVED = "REMOVED"
# Encrypted with a password that this run does not have.
VAULT = """ivy_database_password: !vault |
          $ANSIBLE_VAULT;1.1;AES256
          65393234613732646362336133633362333131326437363838336264613432663462323138616663
          6139313635386139343539383831663630376132626537380a616133393037316335333139326435
          63323630316430336531663062656362666630646431383436653738663630623133363139353965
          3163633466623638620a303433363139613536613034323066316636343335323662353263626333
          3164
"""
LIST = [f"engine{one}" for one in (1, 2, 3)]
# What the role registered for hosts that it inspected.
THERE = {"engine_archive": True, "elasticsearch_archive": True}
LACKING = {"preflight_host_facts": {"plan": {}, "seen": {"installed": dict.fromkeys(THERE, False)}}}
UNSEEN = {"preflight_host_facts": {"plan": {}, "reason": "unreachable"}}
INSTALLED: dict[str, t.Any] = {
    "stage": "facts",
    "facts": {
        host: {"preflight_host_facts": {"plan": {}, "seen": {"installed": THERE}}} for host in (*LIST, "search1")
    },
}


def v(**changes: t.Any) -> dict[str, t.Any]:
    return {"vars": changes}


def h(host: str, **changes: t.Any) -> dict[str, t.Any]:
    return {"hosts": {host: changes}}


def virtual(address: str, balancers: dict[str, str] | None = None, **changes: t.Any) -> dict[str, t.Any]:
    """Two load balancers with a virtual address."""
    found = balancers or {"lb1": "192.0.2.10", "lb2": "192.0.2.11"}
    return {
        "groups": {"load_balancers": {name: {"ansible_host": one} for name, one in found.items()}},
        **v(ivy_virtual_address=address, **changes),
    }


def search_servers(number: int) -> dict[str, t.Any]:
    hosts = {f"s{one}": {"ansible_host": f"192.0.2.4{one}"} for one in range(1, number + 1)}
    return {"groups": {"search_servers": hosts}}


def own_certificate(first: int = -1, last: int = 100, names: t.Sequence[str] = ("ivy.acme.ch",)) -> dict[str, t.Any]:
    certificate, key = site.certificate(first, last, names)
    return {
        "vars": {
            "certificates_certificate_file": "{{ inventory_dir }}/own.pem",
            "certificates_key_file": "{{ inventory_dir }}/own.key",
        },
        "files": {"own.pem": certificate, "own.key": key},
    }


CERTIFICATE = own_certificate()

# name: what is planted, and for each finding its code and words that have to stand in it
CASES: dict[str, tuple[dict[str, t.Any], dict[str, str]]] = {
    "nothing is wrong": ({}, {}),
    "the second platform": (OPENSEARCH, {}),
    "a later search engine that the vendor's samples have": (
        {
            "vars": {
                **OPENSEARCH["vars"],
                "elasticsearch_archive": "{{ inventory_dir }}/opensearch-min-2.19.1-linux-x64.tar.gz",
            },
            "files": {name.replace("2.18.0", "2.19.1"): content for name, content in OPENSEARCH["files"].items()},
        },
        {},
    ),
    # versions and acknowledgements
    "an unknown engine version": (
        v(ivy_engine_version="9.4.0"),
        {"engine-version": "Known ranges: 10.0", "archive-version": "11.3.0", "licence-key-version": "engine 11"},
    ),
    "no engine version at all": (v(ivy_engine_version="new"), {"engine-version": "not an engine version"}),
    "unsupported without acknowledgement": (
        v(ivy_jgroups_transport="tcp"),
        {"unsupported": "add 'jgroups-tcp' to ivy_accept_unsupported"},
    ),
    "unsupported with acknowledgement": (
        v(ivy_jgroups_transport="tcp", ivy_accept_unsupported=["jgroups-tcp"]),
        {"acknowledged": "Acknowledged by jgroups-tcp"},
    ),
    "PostgreSQL outside the table": (v(postgres_version="9"), {"option-refused": "PostgreSQL 11 to 16"}),
    "PostgreSQL outside the table, acknowledged": (
        v(postgres_version="18", ivy_accept_unsupported=["postgresql-version"]),
        {"acknowledged": "this is 18"},
    ),
    "a search engine outside the table": (
        v(elasticsearch_version="8.1.0"),
        {"option-refused": "elasticsearch 7.17 with engine 11.3.0, and this is 8.1.0"},
    ),
    "another product": (
        {
            **v(elasticsearch_archive="{{ inventory_dir }}/opensearch-2.18.0.zip"),
            "files": {"opensearch-2.18.0.zip": "ZIP"},
        },
        {"option-refused": "opensearch"},
    ),
    "a search engine outside the table, acknowledged": (
        v(elasticsearch_version="8.1.0", ivy_accept_unsupported=["search-version"]),
        {"acknowledged": "this is 8.1.0"},
    ),
    "another Java": (v(engine_java_package="openjdk-11-jre"), {"java-version": "needs Java 17"}),
    "read-only configuration before 11.3": (
        v(
            ivy_engine_version="11.2.0",
            engine_read_only_configuration=True,
            engine_archive="{{ inventory_dir }}/AxonIvyEngine11.2.0.zip",
        )
        | {
            "files": {
                "AxonIvyEngine11.2.0.zip": "ENGINE",
                "shared_config/configuration/ivy.yaml.j2": site.HEADER.replace("11.3.0", "11.2.0") + "A: 1\n",
            }
        },
        {"read-only-unknown": "11.3 and later do"},
    ),
    # groups
    "no engine node": (
        {"groups": {"engine_nodes": {}}},
        {"group-empty": "group engine_nodes", "option-refused": "nothing to balance"},
    ),
    "no balancer": ({"groups": {"load_balancers": {}}}, {"group-empty": "group load_balancers"}),
    "no database": ({"groups": {"database_servers": {}}}, {"group-empty": "group database_servers"}),
    "two databases without HA": (
        {"groups": {"database_servers": {"db1": {}, "db2": {}}}},
        {"database-servers": "2 hosts"},
    ),
    "two search servers": ({"groups": {"search_servers": {"s1": {}, "s2": {}}}}, {"search-servers": "2 hosts"}),
    "four search servers": (search_servers(4), {"search-servers": "4 hosts"}),
    "three search servers": (search_servers(3), {}),
    "three search servers behind two balancers without a virtual address": (
        {"groups": {**search_servers(3)["groups"], **virtual("")["groups"]}},
        {"search-front-end": "no one address of the load balancers"},
    ),
    "three search servers behind two balancers with an address": (
        {**v(ivy_virtual_address="192.0.2.100/24"), "groups": {**search_servers(3)["groups"], **virtual("")["groups"]}},
        {},
    ),
    "three search servers with an own address": (
        {
            **v(ivy_search_url="http://search.acme.ch:9200"),
            "groups": {**search_servers(3)["groups"], **virtual("")["groups"]},
        },
        {},
    ),
    "search servers on one host": (
        {"groups": {"search_servers": {f"s{one}": {"ansible_host": "192.0.2.41"} for one in (1, 2, 3)}}},
        {"address-twice": "s1=192.0.2.41, s2=192.0.2.41, s3=192.0.2.41"},
    ),
    "a search server on a balancer": (
        {"groups": {"search_servers": {**search_servers(2)["groups"]["search_servers"], "lb1": {}}}},
        {"search-front-end": "lb1 is a load balancer as well"},
    ),
    "one node": ({"groups": {"engine_nodes": {"engine1": {}}}}, {"single-node": "one node only"}),
    # the virtual address
    "a virtual address": (virtual("192.0.2.100/24"), {}),
    "a virtual address of IPv6": (
        virtual("2001:db8::100/64", balancers={"lb1": "2001:db8::11", "lb2": "2001:db8::12"}),
        {},
    ),
    "one balancer with a virtual address": (
        v(ivy_virtual_address="192.0.2.100/24"),
        {"virtual-address-alone": "lb1 is the only load balancer"},
    ),
    "a virtual address without a prefix": (virtual("192.0.2.100"), {"virtual-address": "no prefix length"}),
    "a virtual address with a wrong prefix": (virtual("192.0.2.100/33"), {"virtual-address": "not an address"}),
    "a name as a virtual address": (virtual("vip.acme.ch/24"), {"virtual-address": "not an address"}),
    "the virtual address of a network": (virtual("192.0.2.0/24"), {"virtual-address": "the first or the last"}),
    "a loopback virtual address": (virtual("127.0.0.5/8"), {"virtual-address": "no host that others can reach"}),
    "an odd spelling of a virtual address": (
        virtual("2001:DB8::100/64", balancers={"lb1": "2001:db8::11", "lb2": "2001:db8::12"}),
        {"virtual-address": "its usual form is 2001:db8::100"},
    ),
    "a virtual address that a host has": (virtual("192.0.2.30/24"), {"virtual-address-host": "of db1"}),
    "a virtual address of another kind": (
        virtual("2001:db8::100/64"),
        {"virtual-address-kind": "lb1=192.0.2.10, lb2=192.0.2.11"},
    ),
    "a wrong router id": (
        virtual("192.0.2.100/24", keepalived_router_id=256),
        {"option-refused": "keepalived_router_id is 256"},
    ),
    "an internal address that is loopback": (
        v(ivy_internal_address="127.0.0.1"),
        {"internal-address": "another host on each host"},
    ),
    "a misspelt group": (
        {"groups": {"engine-node": {"engine9": {}}}},
        {"group-misspelt": "Did you mean engine_nodes?"},
    ),
    # equal on all hosts
    "another port on one node": (h("engine2", ivy_http_port=8081), {"not-equal": "engine2: 8081"}),
    "another password on one node": (
        h("engine2", ivy_database_password="CANARY-other-7"),
        {
            "not-equal": "it is not the same on every host (lb1, engine1, engine3, db1, search1: ********",
        },
    ),
    "another address is not a fault": (h("engine2", ivy_address="192.0.2.99"), {}),
    "another shared value on one node": (
        h("engine3", ivy_shared_values={"mail_host": "mail2.acme.ch"}),
        {"release": "ivy_shared_values.mail_host is not the same on every node"},
    ),
    "another shared secret on one node": (
        h("engine3", ivy_shared_secrets={"mail_password": "CANARY-9999"}),
        {"release": "ivy_shared_secrets.mail_password is not the same on every node"},
    ),
    "read-only on one node": (
        h("engine1", engine_read_only_configuration=True),
        {"not-equal": "engine_read_only_configuration", "release-warning": "stays in clear text"},
    ),
    "an open port": (
        v(engine_http_firewall=False, ivy_http_port=8181),
        {"http-port-open": "port 8181 of engine1, engine2, engine3 is open to all hosts"},
    ),
    "an open port of one node": (h("engine2", engine_http_firewall=False), {"http-port-open": "of engine2 is open"}),
    "a port behind another firewall": (
        v(engine_http_firewall=False, ivy_accept_unsupported=["sso-http-port"]),
        {},
    ),
    "single sign-on with an open port": (
        v(engine_http_firewall=False)
        | {"files": {"shared_config/configuration/ivy.yaml.j2": site.HEADER + "SSO.UserHeader: X-Corp-User\n"}},
        {"sso-port-open": "header x-corp-user"},
    ),
    "single sign-on with the engine's own header and an open port": (
        v(engine_http_firewall=False)
        | {"files": {"shared_config/configuration/ivy.yaml.j2": site.HEADER + "SSO:\n  Enabled: true\n"}},
        {"sso-port-open": "header x-forwarded-user"},
    ),
    "single sign-on with the engine's own header and another open port": (
        v(engine_http_firewall=True, engine_environment={"IVY_SSO_ENABLED": "true"})
        | {"files": {"shared_config/configuration/ivy.yaml.j2": site.HEADER + "Connector.HTTPS.Enabled: true\n"}},
        {"release": "'Connector.HTTPS.Enabled' opens another port"},
    ),
    "single sign-on with a closed port": (
        v(engine_http_firewall=True)
        | {"files": {"shared_config/configuration/ivy.yaml.j2": site.HEADER + "SSO.UserHeader: X-Corp-User\n"}},
        {},
    ),
    "single sign-on with another open port": (
        v(engine_http_firewall=True)
        | {
            "files": {
                "shared_config/configuration/ivy.yaml.j2": site.HEADER
                + "SSO.UserHeader: X-Corp-User\nConnector.HTTPS.Enabled: true\n"
            }
        },
        {"release": "'Connector.HTTPS.Enabled' opens another port"},
    ),
    "single sign-on by a variable of a node with an open port": (
        v(engine_http_firewall=False) | h("engine2", engine_environment={"IVY_SSO_USERHEADER": "X-Node-User"}),
        {"sso-port-open": "header x-node-user"},
    ),
    "single sign-on by a key with another open port": (
        v(
            engine_http_firewall=True,
            engine_environment={"IVY_CONNECTOR_AJP_ENABLED": "true"},
            ivy_shared_secrets={"engine_keys": {"SSO.UserHeader": "X-Key"}, "mail_password": "CANARY-mail"},
        ),
        {"release": "'IVY_CONNECTOR_AJP_ENABLED' opens another port"},
    ),
    "single sign-on behind another firewall": (
        v(engine_http_firewall=False, ivy_accept_unsupported=["sso-http-port"])
        | {"files": {"shared_config/configuration/ivy.yaml.j2": site.HEADER + "SSO.UserHeader: X-Corp-User\n"}},
        {},
    ),
    "a password that is rendered into another one": (
        v(ivy_database_password="CANARY{#1#}{{ 7*7 }}-long-enough"),
        {"secret-rendered": "put !unsafe before it"},
    ),
    "values without a value": (
        v(ivy_shared_values={"mail_host": None}, ivy_shared_secrets={"mail_password": "CANARY-mail", "more": [None]}),
        {"release": "ivy_shared_secrets.more[0] has no value (null)"},
    ),
    # addresses and names
    "a loopback address": (h("engine2", ivy_address="127.0.1.1"), {"address-loopback": "engine2=127.0.1.1"}),
    "localhost": (h("db1", ivy_address="localhost"), {"address-loopback": "db1=localhost"}),
    "the same address twice": (h("engine2", ansible_host="192.0.2.21"), {"address-twice": "engine1=192.0.2.21"}),
    "an underscore": (h("engine2", ivy_address="engine_2.acme.ch"), {"address-underscore": "engine_2"}),
    "no address": (h("engine2", ivy_address="192.0.2.300"), {"address-invalid": "not an IP address"}),
    "an address with a port": (h("engine2", ivy_address="192.0.2.22:22"), {"address-invalid": "neither"}),
    "an address for all": (h("engine2", ivy_address="0.0.0.0"), {"address-invalid": "0.0.0.0"}),
    "an address in brackets": (h("engine2", ivy_address="[2001:db8::21]"), {"address-invalid": "it has brackets"}),
    "an address of SSH in brackets": (h("engine2", ansible_host="[2001:db8::21]"), {"address-invalid": "brackets"}),
    "an address with a zone": (h("engine2", ivy_address="2001:db8::21%eth0"), {"address-invalid": "it has a zone"}),
    "an address in another form": (
        h("engine2", ivy_address="2001:DB8:0::21"),
        {"address-invalid": "its usual form is 2001:db8::21"},
    ),
    "an IPv4 address as one of IPv6": (
        h("engine2", ivy_address="::ffff:192.0.2.22"),
        {"address-invalid": "it is another form of 192.0.2.22"},
    ),
    "an address with leading zeros": (h("engine2", ivy_address="192.000.002.022"), {"address-invalid": "not an IP"}),
    "a name with a dot at its end": (h("engine2", ivy_address="engine2.acme.ch."), {"address-invalid": "with a dot"}),
    "an address with spaces": (h("engine2", ivy_address=" 192.0.2.22"), {"address-invalid": "spaces around it"}),
    "an address of IPv6": (h("engine2", ivy_address="2001:db8::21"), {}),
    "servers in brackets": (
        {
            "groups": {"database_servers": {}, "search_servers": {}},
            **v(ivy_database_host="[2001:db8::31]", ivy_search_url="http://[2001:db8:0::41]:9200"),
        },
        {"database-address": "it has brackets", "search-address": "its usual form is 2001:db8::41"},
    ),
    "addresses to listen on in brackets": (
        v(
            haproxy_bind_addresses=["*", "[2001:db8::1]"],
            haproxy_metrics_address="[2001:db8::2]",
            postgres_listen_addresses=["localhost", "2001:DB8::3"],
            elasticsearch_bind_addresses=["_site_", "[::1]"],
        ),
        {"address-list": "'[2001:db8::2]' cannot be used as it is written: it has brackets"},
    ),
    "hosts on the controller": (
        {"hosts": {"engine1": {"ansible_connection": "local"}, "engine2": {"ansible_connection": "local"}}},
        {"same-machine": "engine1, engine2"},
    ),
    "a bad name of the cluster": (v(ivy_cluster_name="My Cluster"), {"cluster-name": "My Cluster"}),
    "a public URL without https": (v(ivy_public_url="http://ivy.acme.ch"), {"public-url": "https://name/"}),
    "a public URL that is loopback": (v(ivy_public_url="https://localhost/"), {"public-url": "own machine"}),
    "a reserved public name": (
        {
            **v(ivy_public_url="https://ivy.example.com/"),
            "files": {"acme.lic": site.LICENCE.replace("acme.ch", "example.com")},
        },
        {"public-name-reserved": "documentation"},
    ),
    "a node as public name": (
        {**v(ivy_public_url="https://192.0.2.21/"), "files": {"acme.lic": site.LICENCE.replace("ivy.acme.ch", "")}},
        {"public-name-is-node": "engine1"},
    ),
    # ports
    "a port that two services want": (v(ivy_http_port=7800), {"port-collision": "ivy_jgroups_port"}),
    "a port out of range": (v(ivy_database_port=70000), {"port-range": "70000"}),
    "one host with two services": (
        {"groups": {"load_balancers": {"engine1": {}}}, "vars": {"haproxy_http_port": 8080}},
        {"port-collision": "haproxy_http_port"},
    ),
    # database and search engine
    "a database on loopback": (v(ivy_database_host="127.0.0.1"), {"database-loopback": "127.0.0.1"}),
    "a URL as database host": (v(ivy_database_host="jdbc:x://db"), {"database-address": "without scheme"}),
    "a node as database": (v(ivy_database_host="192.0.2.21"), {"database-address": "engine1"}),
    "a second database": (v(ivy_database_host="db.acme.ch"), {"database-address": "would not use that one"}),
    "a password in the database's URL": (
        v(ivy_database_url_parameters={"password": "CANARY-url-7"}),
        {"secret-in-url": "ivy_database_password"},
    ),
    "a search URL without scheme": (v(ivy_search_url="search:9200"), {"search-url": "search:9200"}),
    "a search URL with a space": (v(ivy_search_url="http://search :9200"), {"search-url": "is not of the form"}),
    "a search URL with a bad port": (v(ivy_search_url="http://search1:99999"), {"search-url": "99999"}),
    "a search URL on loopback": (v(ivy_search_url="http://localhost:9200"), {"search-loopback": "localhost"}),
    "a search URL with a password": (
        v(ivy_search_url="http://u:CANARY7x@192.0.2.40:9200"),
        {"secret-in-url": "ivy_search_password"},
    ),
    "a password without user": (v(ivy_search_password="CANARY-search"), {"search-user": "ivy_search_user is empty"}),
    "a user without password": (v(ivy_search_user="elastic"), {"search-user": "ivy_search_password is empty"}),
    "one of two balancers as public name": (
        {
            "vars": {"ivy_public_url": "https://lb1.acme.ch/"},
            "groups": {"load_balancers": {f"lb{one}.acme.ch": {"ansible_host": f"192.0.2.1{one}"} for one in (1, 2)}},
            "files": {"acme.lic": site.LICENCE.replace("ivy.acme.ch", "lb1.acme.ch")},
        },
        {"public-name-is-balancer": "one of 2 load balancers"},
    ),
    # lists of addresses
    "addresses and networks": (
        v(
            haproxy_trusted_proxies=["192.0.2.1", "2001:db8::/32"],
            haproxy_system_allowed_sources=["10.0.0.5/8"],
            engine_allowed_extra=["10.0.0.0/8", "mon_1.acme.ch"],
        ),
        {},
    ),
    "addresses that are none": (
        v(haproxy_trusted_proxies=["300.1.1.1"]),
        {"address-list": "300.1.1.1 is not an address or a network"},
    ),
    "networks that are none": (
        v(haproxy_metrics_allowed_sources=["10.0.0.1", "10.0.0.1/33"]),
        {"address-list": "haproxy_metrics_allowed_sources: 10.0.0.1/33 is not"},
    ),
    "a name where the balancer takes none": (
        v(haproxy_limit_exempt_sources=["office.acme.ch"]),
        {"address-list": "haproxy_limit_exempt_sources: office.acme.ch"},
    ),
    "what may reach the engine": (
        v(engine_allowed_extra=["mon.acme.ch", "10.1.2", "mon.acme.ch/24"]),
        {"address-list": "engine_allowed_extra: 10.1.2, mon.acme.ch/24"},
    ),
    "a negative age": (v(haproxy_hsts_max_age=-1), {"option-refused": "haproxy_hsts_max_age"}),
    # what is accepted
    "a known kind is accepted": (v(preflight_accept=["licence-host", "clock-offset"]), {}),
    "an unknown kind is accepted": (
        v(preflight_accept=["licence-hosts"]),
        {"accept-unknown": "no code of a finding: licence-hosts. Did you mean licence-host"},
    ),
    # options
    "a wrong type": (v(ivy_http_port="eighty"), {"option": "ivy_http_port"}),
    "an unknown choice": (v(engine_on_drift="ask"), {"option": "'overwrite' or 'fail' or 'keep'"}),
    "a dictionary for a text": (v(ivy_user={"name": "x"}), {"option": "a text is needed"}),
    "a secret of a wrong type is not shown": (
        v(ivy_database_password=["CANARY-list-7"]),
        {"option": "a text is needed"},
    ),
    "nothing for an option": (v(ivy_licence_nodes=None), {"option": "it has no value"}),
    "a required option is missing": (v(ivy_cluster_key=REMOVED), {"option-missing": "ivy_cluster_key"}),
    "an empty required option": (v(ivy_database_password=""), {"option-missing": "it is empty"}),
    "a misspelt option": (v(haproxy_htps_port=443), {"option-unknown": "Did you mean haproxy_https_port?"}),
    "a variable of a role": (
        v(postgres_data_directory="/data", elasticsearch_selected_heap="1g"),
        {"option-unknown": "it looks like an option of postgres, which has no such option"},
    ),
    "a misspelt role": (v(posgres_version=15), {"option-unknown": "Did you mean postgres_version?"}),
    "a variable that cannot be had": (v(ivy_time_zone="{{ nothing }}"), {"option-unusable": "'nothing' is undefined"}),
    "a password that is taken for a template": (
        v(ivy_database_password="kT9{{vxQ2mLr8"),
        {"option-unusable": "put !unsafe before it"},
    ),
    "a lookup that fails": (
        v(ivy_database_password="{{ lookup('ansible.builtin.file', '/nowhere/at/all') }}"),
        {"option-unusable": "ivy_database_password"},
    ),
    "a vault without password": (
        {"files": {"group_vars/all.yml": VAULT}, "vars": {"ivy_http_port": "eighty"}},
        {"option-unusable": "ivy_database_password", "option": "eighty"},
    ),
    "a variable of the user's own": (
        {"hosts": {"engine1": {"ivy_own": 1, "own": 1}, "engine2": {"ivy_own": 2, "own": 2}}},
        {"option-unknown": "ivy_own, on engine1, engine2"},
    ),
    "a heap that is larger at first than at most": (
        v(engine_heap_min="4g", engine_heap_max="2048m"),
        {"option-refused": "4g and 2048m are not a valid heap"},
    ),
    "a heap of some bytes": (v(engine_heap_min=2048, engine_heap_max=2048), {"option-refused": "with m or g"}),
    "a heap that is fixed": (v(engine_heap_min="2g", engine_heap_max="2048m"), {}),
    "an option that only facts can report": (v(engine_heap_max="{{ ansible_facts['memtotal_mb'] // 2 }}m"), {}),
    "a list as text": (v(ivy_proceed_without="engine3"), {"no-list": "ivy_proceed_without"}),
    "a list as text, of any role": (
        v(haproxy_bind_addresses="192.0.2.10", ivy_accept_unsupported="jgroups-tcp"),
        {"no-list": '{"haproxy_bind_addresses": ["one", "two"]}'},
    ),
    "an environment of what is not a string": (
        v(engine_environment={"A": None, "B": ["x"], "C": {"d": 1}, "D": "", "E": 1, "F": "true", "G": True}),
        {"option-refused": "neither a text nor a whole number: A, B, C, G. Put the value in quotes"},
    ),
    "variables of an environment that apply to root as well": (
        v(
            engine_environment={
                "LD_PRELOAD": "/srv/ivy/x.so",
                "PATH": "/srv/bin",
                "OPENSSL_CONF": "/x",
                "MY_PATH": "/y",
            }
        ),
        {"option-refused": "engine_environment: LD_PRELOAD, OPENSSL_CONF, PATH: such a variable also decides"},
    ),
    "a fraction in an environment, which would lose a zero": (
        v(engine_environment={"A": 1.10, "B": "1.10", "C": 7}),
        {"option-refused": "neither a text nor a whole number: A."},
    ),
    "secrets in the list of processes": (
        v(
            engine_jvm_options=[
                "-Dhttp.proxyPassword=Xk29vQ",
                "-Djavax.net.ssl.trustStorePassword=changeit",
                "-Djmx.password.file=/etc/jmx",
                "-Dmail.password=${MAIL}",
            ]
        ),
        {"option-refused": "would see in the list of processes: -Dhttp.proxyPassword=********. Remove"},
    ),
    "schedules that systemd does not take": (
        v(config_guard_schedule="every minute", backup_schedule="daily at 2"),
        {"option-refused": "every minute is not a schedule of systemd"},
    ),
    "a pattern that does not end": (
        v(haproxy_login_paths=["/(login", "/sign-?in$"]),
        {"option-refused": "invalid regular expression: missing ), unterminated subpattern"},
    ),
    "settings of the role, nested": (
        v(elasticsearch_settings={"path": {"data": "/x"}, "http": {"port": 1}}),
        {"option-refused": "the role sets these: http.port, path.data"},
    ),
    "a text that YAML reads as something else": (
        v(elasticsearch_version=7.10, haproxy_login_paths=[True]),
        {"option": "it is a number with a fraction, where a text is needed"},
    ),
    "secrets of spaces": (v(ivy_cluster_key=" " * 64), {"secret-placeholder": "ivy_cluster_key: it is blank"}),
    "names that the system does not take": (
        v(ivy_user="ivy user", ivy_group=1200, ivy_engine_service="../ivy"),
        {"system-name": "'../ivy' cannot be the name of a service"},
    ),
    "names that the system takes": (v(ivy_user="svc_ivy-1", ivy_group="_ivy", ivy_engine_service="ivy@a.b"), {}),
    "a share that is everything": (v(ivy_share_directory="/"), {"directory": 'ivy_share_directory: "/"'}),
    "one address in two spellings": (
        {"hosts": {"engine1": {"ansible_host": "2001:db8::1"}, "engine2": {"ansible_host": "2001:DB8:0::1"}}},
        {"address-twice": "engine2=2001:DB8:0::1", "address-invalid": "its usual form is 2001:db8::1"},
    ),
    "a dictionary as text": (v(engine_environment="A=b"), {"option": "where a dictionary is needed"}),
    "a long list of what belongs into none": (
        v(engine_applications=["a.iar"] * 2000),
        {"option": "its entry 0, 1, 2, 3, 4 and others (counted from 0) is not a dictionary"},
    ),
    "a dictionary where a list is needed": (v(engine_applications={"name": "a"}), {"option": "a list is needed"}),
    "what has no text is judged by its kind only": (
        v(
            ivy_cluster_name={"a": 1},
            ivy_public_url=["https://ivy.acme.ch/"],
            ivy_time_zone=["Etc/UTC"],
            engine_archive=["a.zip"],
            ivy_licence_file=["a.lic"],
        ),
        {"option": "it is a list, where a text is needed"},
    ),
    "a required option without value is not to be left out": (
        v(ivy_public_url=None),
        {"option-missing": "it has no value. Give it one: a text"},
    ),
    "a number that is not one says nothing of root": (v(ivy_uid="abc"), {"option": "ivy_uid"}),
    "paths that can be none": (
        v(engine_archive="/a\0b.zip", ivy_licence_file="/a\0b.lic", ivy_controller_cache="/proc/a\0b"),
        {"archive-needed": "no such file", "licence-unreadable": "No such file"},
    ),
    "no archive and no licence where they cannot be named": (
        v(engine_archive="{{ nowhere }}/a.zip", ivy_licence_file="{{ nowhere }}/a.lic"),
        {"option-unusable": "'nowhere' is undefined"},
    ),
    "a secret of the user's own in a failure": (
        v(vault_name="CANARY-vault-7", ivy_database_password="{{ lookup('ansible.builtin.file', vault_name) }}"),
        {"option-unusable": "********"},
    ),
    "a whole number as version": (v(ivy_engine_version=12), {"engine-version": "that YAML keeps it).. Correct it"}),
    "an unknown node left out": (v(ivy_proceed_without=["engine7"]), {"left-out-unknown": "engine7"}),
    "every node left out": (v(ivy_proceed_without=LIST), {"left-out-all": "every engine node"}),
    "a time zone that does not exist": (v(ivy_time_zone="Europe/Zuerich"), {"time-zone": "Europe/Zuerich"}),
    "the engine as root": (v(ivy_user="root"), {"root-user": "ivy_user"}),
    "the record beside the share": (v(ivy_record_directory="/var/x"), {"not-on-share": "/var/x"}),
    "the store on the share": (v(ivy_state_directory="/srv/ivy/state"), {"on-share": "/srv/ivy/state"}),
    "a relative directory": (v(ivy_engine_home="opt/ivy"), {"directory": "opt/ivy"}),
    "directories of the system": (
        v(ivy_engine_home="/opt", ivy_state_directory="/var/spool/", ivy_environment_directory="/etc"),
        {"directory": 'ivy_state_directory: "/var/spool/" cannot be used: it belongs to the system'},
    ),
    "a directory that a unit cannot name": (v(ivy_engine_home="/opt/axon ivy"), {"directory": '"/opt/axon ivy"'}),
    "a directory with a blank at its end": (v(ivy_engine_home="/opt/ivy "), {"directory": '"/opt/ivy "'}),
    "a colon in the directory of the environment": (
        v(ivy_environment_directory="/etc/ivy:1"),
        {"directory": "a path with a colon"},
    ),
    **{
        f"dumps in {path}": (v(engine_dump_directory=path), {"option-refused": "engine_dump_directory: " + path})
        for path in (
            "/var/log",
            "/srv/ivy",
            "/srv/ivy/data/dumps",
            "/opt/ivy",
            "/srv/../var/log",
            "/etc/ivy-cluster",
            "/x y",
        )
    },
    "dumps in a directory of their own": (v(engine_dump_directory="/data/ivy/dumps"), {}),
    "directories of the search engine that belong to others": (
        v(elasticsearch_home="/opt", elasticsearch_data_directory="/var/lib", elasticsearch_log_directory="/var/log"),
        {"option-refused": "elasticsearch_data_directory: /var/lib cannot be used"},
    ),
    "data of the search engine above its programs": (
        v(elasticsearch_data_directory="/opt/elasticsearch"),
        {"option-refused": "it and /opt/elasticsearch/versions lie in one another"},
    ),
    "names of the search engine that another service has": (
        v(elasticsearch_user="postgres", elasticsearch_service="ssh"),
        {"option-refused": "elasticsearch_service: ssh cannot be the name"},
    ),
    "a certificate and metrics in directories of the system": (
        v(certificates_host_directory="/root", config_guard_metrics_directory="/tmp"),
        {"option-refused": "config_guard_metrics_directory: /tmp cannot be used"},
    ),
    "fewer connections than the nodes need, by PostgreSQL's own default": (
        v(postgres_settings={"max_connections": ""}),
        {"option-refused": "max_connections: 100 is less than the 170"},
    ),
    "rules of the database that are more than one line": (
        v(
            postgres_hba_extra=[
                {"database": "all", "user": 'a"b'},
                {"database": "all", "user": "a", "address": "b", "options": "\n"},
            ]
        ),
        {"option-refused": "counted from 0, 0, 1"},
    ),
    "names of the database that its rules cannot contain": (
        v(ivy_database_name="a'b", ivy_database_user='a"b'),
        {"database-name": "ivy_database_user: it contains quotes"},
    ),
    "a name of the database that is cut off": (
        v(ivy_database_name="a" * 64),
        {"database-name": "longer than 63 bytes"},
    ),
    "a name of the owner whose login roles would be cut off": (
        v(ivy_database_user="a" * 55),
        {"database-name": "longer than 54 bytes"},
    ),
    "a password in /etc/fstab": (
        v(
            file_share_mode="mount",
            file_share_source="//nas/ivy",
            file_share_type="cifs",
            file_share_options="rw,Password=CANARY-7",
        ),
        {"option-refused": "file_share_options: every user of the host can read /etc/fstab"},
    ),
    "a file with the password of the share": (
        v(
            file_share_mode="mount",
            file_share_source="//nas/ivy",
            file_share_type="cifs",
            file_share_options="rw,credentials=/etc/nas",
        ),
        {},
    ),
    "a port without one after it": (v(ivy_jgroups_fd_port=65535), {"port-range": "The port after it is used, too"}),
    "a port that the failure detection also uses": (
        v(ivy_jgroups_fd_port=8079),
        {"port-collision": "port 8080 is wanted by ivy_http_port"},
    ),
    "hosts of the search engine's firewall": (
        v(elasticsearch_allowed_extra=["10.0.0.300"]),
        {"address-list": "elasticsearch_allowed_extra: 10.0.0.300"},
    ),
    "nothing to listen on": (v(haproxy_bind_addresses=[]), {"option-refused": "no user could connect"}),
    "an address to listen on with a port": (
        v(haproxy_bind_addresses=["192.0.2.10:443"], postgres_listen_addresses=["a, b"]),
        {"address-list": "postgres_listen_addresses: 'a, b' cannot be used"},
    ),
    "words that a service has for its addresses": (
        v(haproxy_bind_addresses=["*", "::"], elasticsearch_bind_addresses=["_site_", "_eth0:ipv4_"]),
        {},
    ),
    "a name that a certificate cannot have": (
        v(certificates_extra_names=["my_app.acme.ch"]),
        {"option-refused": "not valid in a certificate: my_app.acme.ch"},
    ),
    "a certificate that is renewed after its end": (
        v(certificates_renew_before_days=0),
        {"option-refused": "must be at least 1. Otherwise"},
    ),
    "the heap": (v(engine_heap_max="2 GB"), {"option-refused": "engine_heap_min, engine_heap_max"}),
    "HAProxy's durations": (v(haproxy_slow_start="10"), {"option-refused": "haproxy_slow_start"}),
    "a page that is too long for HAProxy": (
        {**v(haproxy_unavailable_page="{{ inventory_dir }}/page.html"), "files": {"page.html": "<p>" * 6000}},
        {"option-refused": "HAProxy accepts 15000 bytes"},
    ),
    "the guard's options": (
        v(config_guard_mode="restore", engine_on_drift="keep"),
        {"option-refused": "engine_on_drift: keep preserves. Choose one of them."},
    ),
    "half a request for verify": (
        v(verify_application={"write": {"path": "/x"}, "search": "/y"}),
        {"option-refused": "it lacks write.body, read. Set write.path"},
    ),
    "a share for one host": (
        v(file_share_mode="mount", file_share_source="/dev/sdb1", file_share_type="ext4"),
        {"option-refused": "one host at a time"},
    ),
    "both forms of a certificate": (
        v(certificates_certificate="x", certificates_key="y", certificates_certificate_file="/nowhere.pem"),
        {"option-refused": "certificates", "certificate-unreadable": "certificates_key: it cannot be read as a PEM"},
    ),
    # a certificate of one's own
    "a certificate that is right": (CERTIFICATE, {}),
    "a certificate in the variables": (
        v(certificates_certificate=CERTIFICATE["files"]["own.pem"], certificates_key=CERTIFICATE["files"]["own.key"]),
        {},
    ),
    "a wildcard": (own_certificate(names=["*.acme.ch"]), {}),
    "a wildcard of two labels": (own_certificate(names=["*.ch"]), {"certificate-names": "does not cover ivy.acme.ch"}),
    "a certificate for another name": (
        {
            **own_certificate(),
            "vars": {**CERTIFICATE["vars"], "certificates_extra_names": ["IVY.acme.ch", "192.0.2.9"]},
        },
        {"certificate-names": "does not cover 192.0.2.9; it covers ivy.acme.ch"},
    ),
    "an expired certificate": (own_certificate(-20, -10), {"certificate-expired": "CN=acme expired on"}),
    "a certificate of tomorrow": (own_certificate(1, 100), {"certificate-not-yet-valid": "only from"}),
    "a certificate that ends soon": (own_certificate(-20, 10), {"certificate-ends-soon": "ends on"}),
    "a foreign key": (
        {**CERTIFICATE, "files": {**CERTIFICATE["files"], "own.key": site.certificate()[1]}},
        {"certificate-key": "certificates_key_file: the key does not belong"},
    ),
    "neither a certificate nor a key": (
        {**CERTIFICATE, "files": {"own.pem": "CANARY nothing", "own.key": "CANARY neither"}},
        {"certificate-unreadable": "no PEM block CERTIFICATE"},
    ),
    "an authority that is expired": (
        {
            "vars": {**CERTIFICATE["vars"], "certificates_ca_file": "{{ inventory_dir }}/ca.pem"},
            "files": {**CERTIFICATE["files"], "ca.pem": site.certificate(-20, -10)[0]},
        },
        {"certificate-expired": "certificates_ca_file"},
    ),
    "a certificate in a vault without password": (
        {**CERTIFICATE, "files": {**CERTIFICATE["files"], "own.pem": "$ANSIBLE_VAULT;1.1;AES256\n6539\n"}},
        {"certificate-unreadable": "certificates_certificate_file: it cannot be read (it cannot be decrypted"},
    ),
    # licence
    "no licence": (v(ivy_licence_file=REMOVED), {"licence-missing": "demo mode"}),
    "a licence that is not there": ({"files": {"acme.lic": None}}, {"licence-unreadable": "Copy the licence file"}),
    "a foreign licence": ({"files": {"acme.lic": "PK\u0003 not at all"}}, {"licence-foreign": "not a licence"}),
    "an expired licence": (
        {"files": {"acme.lic": site.LICENCE.replace("2199", "2001")}},
        {"licence-expired": "2001-12-31"},
    ),
    "a licence for fewer nodes": (
        {"files": {"acme.lic": site.LICENCE.replace("limit=3", "limit=2")}},
        {"licence-nodes": "for 2 nodes, the group engine_nodes has 3"},
    ),
    "a licence for fewer sessions than nodes": (
        {"files": {"acme.lic": site.LICENCE.replace("[End", "server.sessions.limit=2\n[End")}},
        {"licence-sessions": "for 2 sessions at the same time, the group engine_nodes has 3 nodes"},
    ),
    "a licence for another host": (
        {"files": {"acme.lic": site.LICENCE.replace("ivy.acme.ch", "other.acme.ch")}},
        {"licence-host": "ivy.acme.ch"},
    ),
    "a licence of another edition": (
        {"files": {"acme.lic": site.LICENCE.replace("Enterprise", "Standard")}},
        {"licence-edition": "Standard"},
    ),
    "a licence for another engine": (
        {"files": {"acme.lic": site.LICENCE.replace("11000", "8000")}},
        {"licence-key-version": "engine 8"},
    ),
    "a licence in the source too": (
        {"files": {"shared_config/configuration/b.lic": site.LICENCE}},
        {"licence-several": "there are 2 licences"},
    ),
    # archives
    "no archive": (v(engine_archive=REMOVED), {"archive-needed": "no archive of engine 11.3.0"}),
    "an archive that is not there": ({"files": {site.ENGINE: None}}, {"archive-needed": "no such file"}),
    "an archive that is a directory": (v(engine_archive="{{ inventory_dir }}"), {"archive-missing": "not a file"}),
    "a truncated archive": ({"files": {site.ENGINE: "TRUNCATED"}}, {"archive-damaged": "incomplete or corrupt zip"}),
    "a truncated archive of the search engine": (
        {**OPENSEARCH, "files": {**OPENSEARCH["files"], "opensearch-min-2.18.0-linux-x64.tar.gz": "TRUNCATED TAR"}},
        {"archive-damaged": "incomplete or corrupt .tar.gz"},
    ),
    "a wrong checksum": (
        v(engine_archive_checksum=f"sha256:{'0' * 64}"),
        {"archive-checksum": "engine_archive_checksum"},
    ),
    "a checksum that is right": (
        v(engine_archive_checksum=f"sha256:{hashlib.sha256(site.files()[site.ENGINE]).hexdigest()}"),
        {},
    ),
    "a checksum of no known form": (v(engine_archive_checksum="md5:1"), {"option-refused": "engine_archive_checksum"}),
    "an archive of another version": (
        v(engine_archive="{{ inventory_dir }}/AxonIvyEngine11.2.1.zip")
        | {"files": {"AxonIvyEngine11.2.1.zip": "ENGINE"}},
        {"archive-version": "11.2.1"},
    ),
    "an archive of something else": ({"files": {site.ENGINE: "ZIP"}}, {"archive-foreign": "bin/AxonIvyEngine"}),
    "an archive and a URL": (
        v(engine_archive_url="https://x.acme.ch/a.zip", engine_archive_checksum=REMOVED),
        {"option-refused": "engine_archive"},
    ),
    "an application that is not there": (
        v(engine_applications=[{"name": "a.zip", "archive": "/nowhere/a.zip"}]),
        {"archive-missing": "/nowhere/a.zip"},
    ),
    "an archive that is not an application": (
        v(engine_applications=[{"name": "a.zip", "archive": site.ENGINE}]),
        {"archive-foreign": "there is no .iar file at its top"},
    ),
    "an application from an address without a checksum": (
        v(engine_applications=[{"name": "a.zip", "url": "https://x.acme.ch/a.zip"}]),
        {"option-refused": "a url needs a checksum"},
    ),
    "an archive that nobody needs any more": ({"files": {site.ENGINE: None}, **INSTALLED}, {}),
    "an archive that two hosts need": (
        {
            "files": {site.ENGINE: None},
            **INSTALLED,
            "facts": {**INSTALLED["facts"], "engine2": LACKING, "engine3": LACKING},
        },
        {"archive-missing": "it is not installed on engine2, engine3"},
    ),
    "no archive at all for a host that needs one": (
        {**v(engine_archive=REMOVED), **INSTALLED, "facts": {"engine1": LACKING}},
        {"archive-missing": "no archive of engine 11.3.0, and it is not installed on engine1"},
    ),
    "an archive of the search engine that a host needs": (
        {"files": {site.SEARCH: None}, **INSTALLED, "facts": {"search1": LACKING}},
        {"archive-missing": "it is not installed on search1"},
    ),
    "an archive that a host may need that cannot be inspected": (
        {"files": {site.ENGINE: None}, **INSTALLED, "facts": {**INSTALLED["facts"], "engine2": UNSEEN}},
        {"archive-needed": "(engine2)"},
    ),
    # secrets
    "a short key": (v(ivy_cluster_key="CANARY-short"), {"key-too-short": "32 characters"}),
    "a placeholder": (v(ivy_database_password="ChangeMe!"), {"secret-placeholder": "ivy_database_password"}),
    "a placeholder among the shared secrets": (
        v(ivy_shared_secrets={"mail_password": "password", "engine_keys": {"A.B": "todo"}}),
        {"secret-placeholder": "ivy_shared_secrets."},
    ),
    "a short password": (v(ivy_database_password="Ab3$x"), {"password-short": "8 characters"}),
    # the source
    "no YAML": (
        {
            "files": {
                "shared_config/configuration/ivy.yaml": site.HEADER + "a: [1\n",
                "shared_config/configuration/ivy.yaml.j2": None,
            }
        },
        {"release": "it is not YAML"},
    ),
    "a key that the range renamed": (
        {"files": {"shared_config/configuration/ivy.yaml.j2": site.HEADER + "SearchEngine:\n  ExternalServer: {}\n"}},
        {"release": "Elasticsearch"},
    ),
    "a secret in clear": (
        {"files": {"shared_config/configuration/ivy.yaml.j2": site.HEADER + "EMail.Server.Password: CANARYclear7\n"}},
        {"release": "EMail.Server.Password"},
    ),
    "no source": (v(ivy_shared_config_source="/nowhere/source"), {"release": "does not exist"}),
    # the stages
    "the system's PostgreSQL is known by facts": (
        {
            "stage": "facts",
            "vars": {"ivy_accept_unsupported": ["postgresql-version"]},
            "facts": {"db1": {"distribution": "Debian", "distribution_major_version": "13", "memtotal_mb": 4096}},
        },
        {"acknowledged": "this is 17"},
    ),
    "an option that facts make wrong": (
        {
            "stage": "facts",
            "vars": {
                "engine_heap_max": "{{ ansible_facts['memtotal_mb'] // 2 }} MB",
                "engine_start_timeout": "{{ ansible_facts['memtotal_mb'] }}s",
                "ivy_licence_file": "/nowhere",
            },
            "facts": {"engine1": {"memtotal_mb": 4096}},
        },
        {"option": "engine_start_timeout", "option-refused": "2048 MB"},
    ),
}
# Where the other half of preflight would have nothing to ask for.
BROKEN = {
    "an unknown engine version",
    "no engine version at all",
    "a required option is missing",
    "a required option without value is not to be left out",
    "no archive and no licence where they cannot be named",
    "a secret of the user's own in a failure",
    "a whole number as version",
    "an empty required option",
    "a variable that cannot be had",
    "a password that is taken for a template",
    "a lookup that fails",
    "a vault without password",
}


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, t.Any]]:
    """All cases in one process: Ansible takes longer to begin than to look."""
    program = [sys.executable, str(HERE / "preflight_site.py"), str(tmp_path_factory.mktemp("sites"))]
    cases = {name: case for name, (case, _expected) in CASES.items()}
    run = subprocess.run(program, input=json.dumps(cases), capture_output=True, text=True, timeout=1800, check=False)
    assert run.returncode == 0, run.stderr
    assert "CANARY" not in run.stdout
    results: dict[str, dict[str, t.Any]] = json.loads(run.stdout)
    return results


def printed(finding: t.Mapping[str, str]) -> str:
    return f"{finding['subject']}: {finding['message']}. {finding['fix']}"


@pytest.mark.parametrize("name", CASES)
def test_a_fault_is_found_and_nothing_else(name: str, found: dict[str, dict[str, t.Any]]) -> None:
    result, expected = found[name], CASES[name][1]
    assert not result.get("failed"), result["msg"]
    findings = result["findings"]
    assert {finding["code"] for finding in findings} == set(expected), [printed(finding) for finding in findings]
    for code, words in expected.items():
        assert any(words in printed(finding) for finding in findings if finding["code"] == code), [
            printed(finding) for finding in findings
        ]
    assert all(finding["message"] and finding["area"] for finding in findings)


@pytest.mark.parametrize("name", CASES)
def test_the_hosts_are_inspected_unless_what_is_asked_of_them_has_no_value(
    name: str, found: dict[str, dict[str, t.Any]]
) -> None:
    assert found[name]["look_at_hosts"] is (name not in BROKEN)
