# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The balancer's configuration as Ansible renders it for several inventories, and the options that the role rejects.

The outside tests check that HAProxy accepts the configuration and behaves as configured.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.ivy.cluster.plugins.module_utils.haproxy.saved_states import parse_configured_servers
from ansible_collections.ivy.cluster.tests.in_process import PLAYBOOK

ROOT = Path(__file__).resolve().parents[3]
# One host in each inventory, with the options of a balancer.
CASES: dict[str, dict[str, Any]] = {
    "plain": {},
    "behind": {
        "haproxy_trusted_proxies": ["192.0.2.1", "198.51.100.0/24"],
        "haproxy_proxy_protocol_sources": ["203.0.113.7"],
        "haproxy_limit_exempt_sources": ["192.0.2.99"],
    },
    "off": {
        "haproxy_security_headers": {},
        "haproxy_removed_response_headers": [],
        "haproxy_compressed_types": [],
        "haproxy_hsts_max_age": 0,
        "haproxy_max_body_bytes": 0,
        "haproxy_limit_connections": 0,
        "haproxy_limit_requests": 0,
        "haproxy_limit_logins": 0,
        "haproxy_limit_failed_logins": 0,
    },
    "odd": {
        "haproxy_security_headers": {"Content-Security-Policy": "frame-ancestors 'self' 100%", "X-Frame-Options": ""},
        "haproxy_login_paths": [],
        "haproxy_global_lines": ["log /dev/log local1", "log 192.0.2.9:514 local0 notice", "log-tag ivy"],
    },
    "own_health": {"ivy_health_requests": [{"path": "/app/alive?x=1", "status": "200-204,401"}]},
    "slow_connect": {"haproxy_timeout_connect": "1500ms"},
    "old": {"ivy_engine_version": "12.0.6"},
    "new": {"ivy_engine_version": "12.0.9"},
    "sso": {
        "ivy_shared_config_source": "{{ out }}/source",
        "ivy_shared_values": {"header": "X-Corp-User"},
        "haproxy_trusted_proxies": ["192.0.2.1"],
        "haproxy_removed_request_headers": ["X-Key", "Client-IP"],
    },
    "kept": {
        "haproxy_removed_request_headers": ["X-Key", "Client-IP"],
        # As the task registers it that asks the host.
        "__haproxy_present": {"observed": {"balancer": {"sso_headers": ["x-old", "client-ip", "x-key", "x-a\nlog"]}}},
    },
    "not_kept": {"haproxy_removed_request_headers": ["X-Key", "Client-IP"]},
    "allowed": {
        "haproxy_allowed_paths": ["/", "/Demo", "/default/demo"],
        "haproxy_root_redirect": "/demo/home.xhtml",
    },
    "other_port": {
        "ivy_public_url": "https://ivy.example.com:8443/",
        "haproxy_accepted_hosts": ["Other.example.com"],
        "haproxy_trusted_proxies": ["192.0.2.1"],
    },
    "only_start_page": {"haproxy_allowed_paths": ["/"], "haproxy_system_paths": []},
    "bad_redirect": {"haproxy_allowed_paths": ["/"], "haproxy_root_redirect": "/demo"},
    "own_page": {"haproxy_unavailable_page": "{{ out }}/own.html"},
    "own_maintenance": {"haproxy_maintenance_page": "{{ out }}/own.html"},
    "bad_page": {"haproxy_maintenance_page": "/nowhere/own.html"},
    "members": {"ivy_database_manager": "patroni", "haproxy_database_port": 6432},
    "not_reused": {"haproxy_engine_keep_alive": 0},
    "node_tls": {"ivy_node_tls": "require"},
    "node_tls_not_used_yet": {"ivy_node_tls": "allow"},
    "node_tls_not_reused": {"ivy_node_tls": "prefer", "haproxy_engine_keep_alive": 0},
    "bad_node_tls": {
        "ivy_node_tls": "require",
        "ivy_node_tls_ca_file": "/nowhere.pem",
        "haproxy_backend_lines": ["default-server check-ssl"],
    },
    "own_sni": {"haproxy_backend_lines": ["default-server ssl ca-file /etc/ssl/nodes.pem sni str(nodes.example.com)"]},
    "verified": {"haproxy_backend_lines": ["default-server ssl verify required ca-file /etc/ssl/nodes.pem"]},
    "verified_by_default": {"haproxy_backend_lines": ["default-server ssl ca-file /etc/ssl/nodes.pem"]},
    "not_verified": {"haproxy_backend_lines": ["default-server ssl verify none check-sni nodes.example.com"]},
    "sni_of_request": {"haproxy_backend_lines": ["default-server ssl verify none sni req.hdr(host)"]},
    "own_name": {"haproxy_backend_lines": ["default-server pool-conn-name req.hdr(host)"]},
    "bad_values": {
        "haproxy_bind_addresses": [],
        "haproxy_metrics_address": "10.0.0.1 8405",
        "haproxy_certificate_file": "/etc/my pki/balancer.pem",
        "haproxy_metrics_directory": "metrics",
        "haproxy_tls_ciphers": "A:B\n    stats socket /tmp/x",
        "haproxy_max_connections": 0,
        "haproxy_check_fall": 0,
        "haproxy_server_max_connections": -1,
        "haproxy_timeout_connect": "0s",
        "haproxy_timeout_client": "25d",
        "haproxy_slow_start": "0s",
        "haproxy_timeout_server": "10s\n",
        "haproxy_cookie_name": "A\n",
        "ivy_health_requests": [{"path": "/", "status": "200", "require": [""], "reject": ["a\nb"]}],
    },
    "bad": {
        "haproxy_engine_keep_alive": 1,
        "haproxy_allowed_paths": ["/a/", "app", "/a/../b", "/demo"],
        "haproxy_root_redirect": "/demonstration",
        "ivy_health_requests": [{"path": "/a b", "status": "200-"}, {"path": "app", "status": "200,20"}],
        "haproxy_security_headers": {"X Frame": "1", "X-Two": "a\nb", "X-Number": 5},
        "haproxy_compressed_types": ["text", "text/event-stream"],
        "haproxy_limit_requests": -1,
        "haproxy_max_header_bytes": 10,
        "haproxy_login_paths": ["/log in"],
        "haproxy_system_paths": [
            "/system",
            "/sys%74em",
            "/a/../system",
            "/system/",
            "/sys;tem",
            "/s\u00ffstem",
            "system",
        ],
        "haproxy_trusted_proxies": ["192.0.2.1"],
        "haproxy_proxy_protocol_sources": ["192.0.2.1", "proxy.example.com"],
        "haproxy_limit_exempt_sources": ["nobody"],
    },
}
PLAY = """
- hosts: load_balancers
  gather_facts: false
  tasks:
    # Without option problems this entry point only loads the role's defaults and variables.
    - ansible.builtin.include_role: {name: ivy.cluster.haproxy, tasks_from: validate, public: true}
      vars: {haproxy_option_problems: []}
    # One file for each host: to copy one takes longer than to render all.
    - ansible.builtin.copy:
        content: |-
          {{ {
            'json': haproxy_option_problems | to_json,
            'pages': __haproxy_error_files | to_json,
            'health': ivy_health | to_json,
            'loaded': __haproxy_loaded_files | to_json,
            'search': lookup('ansible.builtin.template', root ~ '/roles/haproxy/templates/haproxy.cfg.j2',
              template_vars={'ivy_search_front_end': true, 'ivy_search_server_addresses': searches})
              if inventory_hostname == 'plain' else '',
            'cfg': lookup('ansible.builtin.template', root ~ '/roles/haproxy/templates/haproxy.cfg.j2')
          } | to_json }}
        dest: "{{ out }}/{{ inventory_hostname }}.all"
"""


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the configuration and the problems of each case."""
    out = tmp_path_factory.mktemp("haproxy")
    inventory = {
        "all": {
            "vars": {
                "ansible_connection": "local",
                "ansible_python_interpreter": "{{ ansible_playbook_python }}",
                "ivy_cluster_name": "unit",
                "ivy_engine_version": "11.3.0",
                "ivy_public_url": "https://ivy.example.com/",
                "ivy_cluster_key": "0" * 64,
                "ivy_database_password": "unused",
                "root": str(ROOT),
                "searches": {"s1": "10.0.0.41", "s2": "fd00::42", "s3": "search3"},
                "out": str(out),
            },
            "children": {
                "load_balancers": {
                    "hosts": {name: {"ivy_address": "10.0.0.1", **options} for name, options in CASES.items()}
                },
                "engine_nodes": {
                    "hosts": {
                        "engine1": {
                            "ivy_address": "10.0.0.2",
                            "ivy_shared_values": {"header": "X-Corp-User"},
                            "ivy_shared_secrets": {"engine_keys": {"SSO.UserHeader": "X-Key"}},
                            "engine_environment": {"IVY_SECURITYSYSTEMS_A_SSO_USERHEADER": "X-Variable"},
                        }
                    }
                },
                "database_servers": {"hosts": {"db1": {"ivy_address": "10.0.0.3"}}},
                "search_servers": {"hosts": {"search1": {"ivy_address": "10.0.0.4"}}},
            },
        }
    }
    # Where a play finds its templates.
    (out / "templates").symlink_to(ROOT / "roles/haproxy/templates")
    (out / "own.html").write_text("<p>Our own page</p>\n", encoding="utf-8")
    (out / "source/configuration").mkdir(parents=True)
    template = "SecuritySystems.default.SSO.UserHeader: {{ shared.header }}\n"
    (out / "source/configuration/ivy.yaml.j2").write_text(template, encoding="utf-8")
    (out / "hosts.yml").write_text(json.dumps(inventory), encoding="utf-8")
    (out / "play.yml").write_text(PLAY, encoding="utf-8")
    done = subprocess.run(
        [*PLAYBOOK, "-i", str(out / "hosts.yml"), str(out / "play.yml")],
        check=False,
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"},
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr
    for case in CASES:
        for kind, content in json.loads((out / f"{case}.all").read_text(encoding="utf-8")).items():
            (out / f"{case}.{kind}").write_text(content, encoding="utf-8")
    return out


def configuration(rendered: Path, case: str) -> list[str]:
    return [line.strip() for line in (rendered / f"{case}.cfg").read_text(encoding="utf-8").splitlines()]


def problems(rendered: Path, case: str) -> list[str]:
    found: list[str] = json.loads((rendered / f"{case}.json").read_text(encoding="utf-8"))
    return found


def loaded_files(rendered: Path, case: str) -> list[str]:
    loaded: list[str] = json.loads((rendered / f"{case}.loaded").read_text(encoding="utf-8"))
    return loaded


def test_only_a_database_of_several_servers_has_a_front_end(rendered: Path) -> None:
    assert "listen database" not in configuration(rendered, "plain")
    lines = configuration(rendered, "members")
    section = lines[lines.index("listen database") : lines.index("frontend metrics")]
    assert "bind *:6432" in section
    assert "server database-db1 10.0.0.3:5432" in section
    assert "http-check send meth OPTIONS uri /primary ver HTTP/1.1 hdr Host patroni" in section
    (check,) = [line for line in section if line.startswith("default-server")]
    assert check == (
        "default-server check port 8008 check-ssl verify required ca-file /etc/ivy-cluster-pki/cluster-ca.pem "
        "inter 1s fastinter 300ms downinter 500ms fall 2 rise 1 on-marked-down shutdown-sessions"
    )
    loaded = json.loads((rendered / "members.loaded").read_text(encoding="utf-8"))
    assert "/etc/ivy-cluster-pki/cluster-ca.pem" in loaded


@pytest.mark.parametrize("case", [name for name in CASES if not name.startswith("bad")])
def test_the_program_that_saves_the_states_finds_every_server(rendered: Path, case: str) -> None:
    """It keeps no state of a server that it does not find in the configuration."""
    text = (rendered / f"{case}.cfg").read_text(encoding="utf-8")
    names = {line.split()[1] for line in configuration(rendered, case) if line.startswith("server ")}
    assert names
    assert {name for _backend, name in parse_configured_servers(text)} == names


def test_several_search_servers_are_one_service(rendered: Path) -> None:
    lines = configuration(rendered, "plain")
    text = (rendered / "plain.search").read_text(encoding="utf-8")
    added = [line.strip() for line in text.splitlines() if line.strip() not in lines]
    assert [line for line in added if line.startswith(("frontend", "bind", "backend", "server"))] == [
        "frontend search",
        "bind *:9200",
        "backend search_servers",
        "server s1 10.0.0.41:9200",
        "server s2 [fd00::42]:9200",
        "server s3 search3:9200",
    ]
    assert "option httpchk GET /_cluster/health?timeout=1s&master_timeout=1s" in added
    assert {("search_servers", name) for name in ("s1", "s2", "s3")} < set(parse_configured_servers(text))


def test_the_program_is_one_of_the_files_that_need_a_reload_when_they_were_replaced(rendered: Path) -> None:
    loaded = json.loads((rendered / "plain.loaded").read_text(encoding="utf-8"))
    drop_in = (ROOT / "roles/haproxy/templates/service.conf.j2").read_text(encoding="utf-8")
    (program,) = re.findall(r"^ExecReload=(/\S+/haproxy) ", drop_in, re.MULTILINE)
    assert program in loaded
    assert "/etc/haproxy/haproxy.cfg" in loaded
    assert any(name.endswith("503.http") for name in loaded)


@pytest.mark.parametrize("case", [name for name in CASES if not name.startswith("bad")])
def test_valid_options_are_accepted(rendered: Path, case: str) -> None:
    assert problems(rendered, case) == []


def test_headers_are_set_if_the_response_has_none(rendered: Path) -> None:
    lines = configuration(rendered, "plain")
    for header, value in (
        ("Referrer-Policy", "strict-origin-when-cross-origin"),
        ("X-Content-Type-Options", "nosniff"),
        ("X-Frame-Options", "SAMEORIGIN"),
    ):
        assert f"http-after-response set-header {header} '{value}' unless {{ res.hdr({header}) -m found }}" in lines
    assert "http-after-response del-header Server" in lines


def test_the_value_of_a_header_is_escaped_for_haproxy(rendered: Path) -> None:
    lines = configuration(rendered, "odd")
    expected = r"http-after-response set-header Content-Security-Policy 'frame-ancestors '\''self'\'' 100%%' "
    assert [line for line in lines if line.startswith(expected)] != []
    assert [line for line in lines if "X-Frame-Options" in line] == []


@pytest.mark.parametrize(("case", "seconds"), [("plain", 5.0), ("slow_connect", 3.5)])
def test_sessions_of_a_lost_node_end_when_no_request_can_be_connecting_any_more(
    rendered: Path, case: str, seconds: float
) -> None:
    lines = configuration(rendered, case)
    # It would cut the requests that are connecting.
    assert not any("on-marked-down" in line for line in lines)
    (after,) = [line.split()[-1] for line in lines if line.startswith("setenv IVY_SESSIONS_END_AFTER ")]
    assert float(after) == seconds
    script = ROOT / "roles/haproxy/files/haproxy-sessions.lua"
    assert f"lua-load /usr/local/lib/ivy-cluster/{script.name}" in lines
    assert "backend engine_nodes" in lines
    assert 'core.backends["engine_nodes"]' in script.read_text(encoding="utf-8")


def test_the_lists_of_nodes_are_there_before_the_configuration(rendered: Path) -> None:
    lines = configuration(rendered, "plain")
    tasks = (ROOT / "roles/haproxy/tasks/write_configuration.yml").read_text(encoding="utf-8")
    assert tasks.index("__haproxy_first_files") < tasks.index("name: Write the configuration if HAProxy accepts it")
    variables = yaml.safe_load((ROOT / "roles/haproxy/vars/main/internal.yml").read_text(encoding="utf-8"))
    first = variables["__haproxy_first_files"]
    assert all(f"haproxy_{name}_nodes_file" in first for name in ("closed", "preferred"))
    assert "acl of_closed_node req.cook(IVYNODE) -m str -f /var/lib/haproxy/closed-nodes" in lines
    several = "http-request del-header Cookie if moved { req.cook_cnt(IVYNODE) gt 1 }"
    (replace,) = [line for line in lines if line.startswith("http-request replace-header Cookie ")]
    assert lines.index(several) + 1 == lines.index(replace)
    assert "setenv IVY_CLOSED_NODES /var/lib/haproxy/closed-nodes" in lines
    # The cookie that the rule sets is HAProxy's own.
    assert "cookie IVYNODE insert indirect nocache httponly secure attr SameSite=Lax" in lines
    (own,) = [line for line in lines if line.startswith("http-after-response add-header Set-Cookie ")]
    assert "'IVYNODE=%[srv_name]; path=/; HttpOnly; Secure; SameSite=Lax'" in own


def test_each_limit_has_its_table_and_its_rule(rendered: Path) -> None:
    lines = configuration(rendered, "plain")
    text = "\n".join(lines)
    assert lines.count("tcp-request connection reject if { sc0_conn_cur gt 400 }") == 2
    assert "deny_status 429" in text
    assert "Retry-After 10 if { sc1_http_req_rate gt 3000 }" in text
    assert "{ sc2_gpc1_rate gt 120 }" in text
    assert "{ sc2_gpc0_rate ge 30 }" in text
    assert {"backend connections_of_clients", "backend requests_of_clients", "backend logins_of_clients"} <= set(lines)
    assert "http-request deny deny_status 413 if { req.body_size gt 104857600 }" in lines
    assert "tune.bufsize 16384" in lines


def test_no_parameter_of_a_path_is_logged(rendered: Path) -> None:
    """Such as ;jsessionid=, with which anybody takes over the session."""
    lines = configuration(rendered, "plain")
    formats = [line for line in lines if line.startswith("log-format ")]
    assert len(formats) == 2
    for line in formats:
        assert "%{+Q,+E}[var(txn.logged_path)]" in line
        assert not any(word in line for word in ("HPO", "HU ", "HQ", "}r "))
    for frontend in ("public_http", "public_https"):
        first = next(line for line in lines[lines.index(f"frontend {frontend}") :] if line.startswith("http-request "))
        assert first == "http-request set-var(txn.logged_path) path,regsub(;[^/]*,,g)"


def test_disabled_features_are_not_in_the_configuration(rendered: Path) -> None:
    text = "\n".join(configuration(rendered, "off"))
    for word in (
        "deny_status 429",
        "deny_status 413",
        "track-sc",
        "compression",
        "del-header Server",
        "after-response set-header",
        "after-response del-header",
        "_of_clients",
    ):
        assert word not in text


def test_the_connections_of_outer_proxies_and_exempt_users_are_not_limited(rendered: Path) -> None:
    lines = configuration(rendered, "behind")
    expected = "if !{ src 192.0.2.99 192.0.2.1 198.51.100.0/24 203.0.113.7 }"
    assert [line.endswith(expected) for line in lines if "track-sc0" in line] == [True, True]
    # Requests are counted by the user's address, or by the proxy's if the proxy sends no user address.
    assert "acl limit_exempt var(txn.client) -m ip 192.0.2.99" in lines


def test_the_proxy_protocol_is_expected_from_the_configured_proxies_only(rendered: Path) -> None:
    lines = configuration(rendered, "behind")
    assert lines.count("tcp-request connection expect-proxy layer4 if { src 203.0.113.7 }") == 2
    assert "expect-proxy" not in "\n".join(configuration(rendered, "plain"))
    assert "accept-proxy" not in "\n".join(lines)


def test_a_stream_of_events_is_never_compressed(rendered: Path) -> None:
    (types,) = [line for line in configuration(rendered, "plain") if line.startswith("compression type")]
    # HAProxy compares prefixes, so text/ would include the stream.
    assert not [name for name in types.split()[2:] if "text/event-stream".startswith(name)]


def test_a_redirect_to_a_blocked_path_is_reported(rendered: Path) -> None:
    (problem,) = problems(rendered, "bad_redirect")
    assert problem.startswith("haproxy_root_redirect (/demo) is not below one of haproxy_allowed_paths")


def test_all_invalid_options_are_reported_together(rendered: Path) -> None:
    text = "\n".join(problems(rendered, "bad"))
    for part in (
        "X Frame, which is not a valid header name",
        "X-Two contains a line break",
        "X-Number is not a string",
        "haproxy_compressed_types contains text.",
        "text/event-stream",
        "must not be negative",
        "haproxy_max_header_bytes",
        "haproxy_login_paths contains /log in",
        "haproxy_system_paths contains /sys%74em,",
        "haproxy_system_paths contains /a/../system,",
        "haproxy_system_paths contains /system/,",
        "haproxy_system_paths contains /sys;tem,",
        "haproxy_system_paths contains /s\u00ffstem,",
        "haproxy_system_paths contains system,",
        "192.0.2.1 is in both haproxy_trusted_proxies and haproxy_proxy_protocol_sources",
        "haproxy_proxy_protocol_sources: an entry",
        "haproxy_limit_exempt_sources: an entry",
        "haproxy_engine_keep_alive must be 0 or at least 2",
        "haproxy_allowed_paths contains /a/,",
        "haproxy_allowed_paths contains app,",
        "haproxy_allowed_paths contains /a/../b,",
        "haproxy_root_redirect (/demonstration) is not below one of haproxy_allowed_paths",
        "ivy_health_requests contains the path /a b.",
        "ivy_health_requests contains the path app.",
        "ivy_health_requests contains the status 200-.",
        "ivy_health_requests contains the status 200,20.",
    ):
        assert part in text, text


def test_values_that_haproxy_would_reject_or_take_for_something_else_are_reported_together(rendered: Path) -> None:
    found = problems(rendered, "bad_values")
    text = "\n".join(found)
    for part in (
        "haproxy_bind_addresses is empty",
        "haproxy_metrics_address contains 10.0.0.1 8405,",
        "haproxy_metrics_directory (/etc/my pki/balancer.pem) is not",
        "haproxy_metrics_directory (metrics) is not",
        "is not a list in the notation of OpenSSL",
        "haproxy_check_fall and haproxy_check_rise must be at least 1",
        "haproxy_server_max_connections must not be negative",
        "haproxy_timeout_connect must be more than 0",
        "haproxy_timeout_client must be more than 0 and at most 24d",
        "haproxy_timeout_server is not a duration",
        "haproxy_cookie_name (A",
        "an empty text in require or reject",
        "a line break or another control character in a text of require or reject",
    ):
        assert part in text, text
    assert len(found) == 13
    assert "haproxy_slow_start" not in text


def server_lines(rendered: Path, case: str) -> list[str]:
    return [line for line in configuration(rendered, case) if line.startswith("server ")]


@pytest.mark.parametrize("case", ["plain", "not_verified"])
def test_a_connection_is_reused_only_for_requests_without_effects(rendered: Path, case: str) -> None:
    lines = configuration(rendered, case)
    assert "http-reuse safe" in lines
    assert "option http-server-close" not in lines
    assert "default-server pool-purge-delay 500ms" in lines
    # HAProxy 3.0 ignores pool-conn-name of default-server, so the name is an option of each server.
    start = lines.index(".if version_atleast(3.0)")
    assert lines[start + 1 : start + 5] == [
        "server engine1 10.0.0.2:8080 cookie engine1 pool-conn-name var(txn.connection)",
        ".else",
        "server engine1 10.0.0.2:8080 cookie engine1 sni var(txn.connection)",
        ".endif",
    ]
    for action in ("set-header Connection close", "disable-l7-retry"):
        assert f"http-request {action} if {{ var(txn.connection) -m found }}" in lines


@pytest.mark.parametrize("case", ["not_reused", "sni_of_request", "own_name"])
def test_no_connection_is_reused_if_that_is_disabled_or_not_possible(rendered: Path, case: str) -> None:
    lines = configuration(rendered, case)
    assert "option http-server-close" in lines
    assert "retry-on conn-failure" in lines
    assert "empty-response" not in "\n".join(lines)
    assert server_lines(rendered, case) == ["server engine1 10.0.0.2:8080 cookie engine1"]


@pytest.mark.parametrize("case", ["verified", "verified_by_default"])
def test_a_connection_with_its_own_tls_options_is_reused_since_haproxy_3(rendered: Path, case: str) -> None:
    lines = configuration(rendered, case)
    server = "server engine1 10.0.0.2:8080 cookie engine1"
    branch = "all"
    conditional: dict[str, list[str]] = {"newer": [], "older": [], "all": []}
    for line in lines:
        branch = {".if version_atleast(3.0)": "newer", ".else": "older", ".endif": "all"}.get(line, branch)
        conditional[branch].append(line)
    assert {"http-reuse safe", "retry-on conn-failure empty-response"} <= set(conditional["newer"])
    assert f"{server} pool-conn-name var(txn.connection)" in conditional["newer"]
    # The name of a connection would be its SNI, and the node's certificate would not contain it.
    assert {"option http-server-close", "retry-on conn-failure", server} <= set(conditional["older"])
    assert "sni var" not in "\n".join(lines)
    assert not {"http-reuse safe", "option http-server-close"} & set(conditional["all"])


def test_the_certificate_and_the_name_of_each_node_are_verified(rendered: Path) -> None:
    lines = configuration(rendered, "node_tls")
    authority = "/etc/ivy-cluster-pki/cluster-ca.pem"
    assert f"default-server ssl verify required ca-file {authority} ssl-min-ver TLSv1.2" in lines
    server = "server engine1 10.0.0.2:8443 cookie engine1 verifyhost engine1"
    # HAProxy verifies a name that it sends instead of verifyhost, so it may send none but the node's.
    assert server_lines(rendered, "node_tls") == [
        f"{server} pool-conn-name var(txn.connection)",
        f"{server} sni var(txn.connection),regsub(.+,engine1)",
    ]
    assert "http-reuse safe" in lines
    assert authority in loaded_files(rendered, "node_tls")
    assert server_lines(rendered, "node_tls_not_reused") == [server]


def test_balancers_use_http_until_every_node_serves_https(rendered: Path) -> None:
    lines = configuration(rendered, "node_tls_not_used_yet")
    assert lines == configuration(rendered, "plain")
    assert "/etc/ivy-cluster-pki/cluster-ca.pem" not in loaded_files(rendered, "node_tls_not_used_yet")


def test_two_places_cannot_configure_tls_to_the_nodes(rendered: Path) -> None:
    assert problems(rendered, "bad_node_tls") == [
        "haproxy_backend_lines configures TLS, and so does ivy_node_tls. Remove the line, "
        "or set ivy_node_tls: disable.",
        "/nowhere.pem (ivy_node_tls_ca_file) is not a file on the controller.",
    ]


def test_a_constant_sni_tells_connections_apart_before_haproxy_3(rendered: Path) -> None:
    lines = configuration(rendered, "own_sni")
    start = lines.index("http-request set-var(txn.sni) str(nodes.example.com)")
    assert lines[start + 1] == "http-request set-var(txn.sni) var(txn.sni),upper if { var(txn.connection) -m found }"
    server = "server engine1 10.0.0.2:8080 cookie engine1"
    assert server_lines(rendered, "own_sni") == [
        f"{server} pool-conn-name var(txn.connection)",
        f"{server} sni var(txn.sni)",
    ]
    assert "http-reuse safe" in lines
    assert "option http-server-close" not in lines


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        ("plain", [("/", "200,301-303,307-308"), ("/system/info.jsp", "200")]),
        ("old", [("/", "200,301-303,307-308"), ("/system/engine-cockpit/faces/info.xhtml", "200")]),
        ("new", [("/system/health", "200"), ("/system/engine-cockpit/faces/info.xhtml", "200")]),
        ("own_health", [("/app/alive?x=1", "200-204,401")]),
    ],
)
def test_the_balancer_uses_the_same_definition_of_healthy_as_the_gate(
    rendered: Path, case: str, expected: list[tuple[str, str]]
) -> None:
    definition = json.loads((rendered / f"{case}.health").read_text(encoding="utf-8"))
    assert [(request["path"], request["status"]) for request in definition["requests"]] == expected
    checks = [line for line in configuration(rendered, case) if line.startswith("http-check")]
    headers = "".join(f" hdr {name} {value}" for name, value in definition["headers"].items())
    wanted = []
    for request in definition["requests"]:
        wanted += [
            "http-check connect default",
            f"http-check send meth GET uri {request['path']} ver HTTP/1.1 hdr Host ivy.example.com{headers}",
            f"http-check expect status {request['status']}",
            *(f"http-check expect string '{text}'" for text in request.get("require", [])),
            *(f"http-check expect ! string '{text}'" for text in request.get("reject", [])),
        ]
    assert checks == wanted


def test_a_change_of_a_server_is_in_the_journal_once(rendered: Path) -> None:
    """HAProxy writes it to its standard error as well, which systemd puts into the journal."""
    for case, servers in (("plain", []), ("odd", ["log 192.0.2.9:514 local0 notice"])):
        text = (rendered / f"{case}.cfg").read_text(encoding="utf-8")
        backend = text.split("\nbackend engine_nodes\n")[1].split("\nbackend ")[0]
        logs = [line.strip() for line in backend.splitlines() if re.match(r"\s*(no\s+)?log(\s|$)", line)]
        # A log server gets them, since it does not read the journal.
        assert logs == ["no log", *servers]
        assert "option log-health-checks" in backend


def test_the_header_of_the_single_sign_on_is_removed_unless_a_trusted_proxy_sends_it(rendered: Path) -> None:
    lines = configuration(rendered, "sso")
    removed = [line for line in lines if line.startswith("http-request del-header") and " -m " not in line]
    assert set(removed) == {
        "http-request del-header Cookie if moved { req.cook_cnt(IVYNODE) gt 1 }",
        *(
            f"http-request del-header {header} unless from_trusted_proxy"
            for header in ("x-key", "client-ip", "x-corp-user", "x-variable")
        ),
        "http-request del-header http2-settings",
    }
    # The process reports it, so that a rollout can check a balancer that it does not set up.
    (description,) = [line for line in lines if line.startswith("description ")]
    assert description.endswith(' sso:x-corp-user sso:x-key sso:x-variable del:client-ip"')


@pytest.mark.parametrize(("case", "port", "number"), [("plain", "", "443"), ("other_port", ":8443", "8443")])
def test_the_engine_sees_the_public_url_whatever_a_request_says(
    rendered: Path, case: str, port: str, number: str
) -> None:
    lines = configuration(rendered, case)
    trusts = case == "other_port"
    rules = [line for line in lines if line.startswith("http-request")]
    start = rules.index(f"http-request set-header Host %[var(txn.host)]{port}")

    def unless_sent(header: str) -> str:
        return f" unless from_trusted_proxy {{ req.hdr({header}) -m found }}" if trusts else ""

    assert rules[start + 1 : start + 4] == [
        f"http-request set-header X-Forwarded-Proto https{unless_sent('x-forwarded-proto')}",
        f"http-request set-header X-Forwarded-Port {number}{unless_sent('x-forwarded-port')}",
        f"http-request set-header X-Forwarded-Host %[req.fhdr(host)]{unless_sent('x-forwarded-host')}",
    ]
    # The names come from requests that were accepted before.
    assert rules.index("http-request deny deny_status 421 if !accepted_host") < start
    (others,) = [rule for rule in rules[:start] if "forwarded-(" in rule]
    action, pattern, match, kind, *condition = others.removeprefix("http-request ").split()
    assert (action, match, kind) == ("del-header", "-m", "reg")
    assert condition == (["unless", "from_trusted_proxy"] if trusts else [])
    for name in ("forwarded", "x-forwarded-prefix", "x-forwarded-host", "x-original-url", "x-rewrite-url", "x-host"):
        assert re.search(pattern.strip("'"), name), name
    for name in ("x-forwarded-for", "x-forwarded-user", "x-real-ip", "host", "x-forwarded-host-user"):
        assert not re.search(pattern.strip("'"), name), name


def test_a_header_of_an_earlier_release_is_removed_as_before(rendered: Path) -> None:
    """Engines that have not restarted yet trust it. The source no longer names it."""
    lines = configuration(rendered, "kept")
    removed = {line for line in lines if line.startswith("http-request del-header") and " -m " not in line}
    assert {f"http-request del-header {header}" for header in ("x-old", "client-ip", "x-key", "x-variable")} < removed
    (description,) = [line for line in lines if line.startswith("description ")]
    assert description.endswith(' sso:client-ip sso:x-key sso:x-old sso:x-variable"')
    # The digest is compared before the host has reported which ones it has.
    (other,) = [line for line in configuration(rendered, "not_kept") if line.startswith("description ")]
    assert other.endswith(' sso:x-key sso:x-variable del:client-ip"')
    assert description.split()[2] == other.split()[2]


def test_only_allowed_paths_reach_the_engine(rendered: Path) -> None:
    lines = configuration(rendered, "allowed")
    redirect = (
        "http-request redirect code 302 location https://ivy.example.com/demo/home.xhtml if { var(txn.path) -m str / }"
    )
    start = lines.index(redirect)
    assert lines[start + 1 : start + 4] == [
        "acl allowed_path var(txn.path) -m str / /demo /default/demo",
        "acl allowed_path var(txn.path) -m beg /demo/ /default/demo/",
        "http-request deny deny_status 404 if !allowed_path !system_path",
    ]
    # After the rule for the administration, to which its own rule applies.
    assert start > lines.index("http-request deny deny_status 403 if system_path")
    assert "http-request deny deny_status 404 if !allowed_path" in configuration(rendered, "only_start_page")
    assert "allowed_path" not in "\n".join(configuration(rendered, "plain"))


ERRORS = {
    "400": "Bad Request",
    "403": "Forbidden",
    "404": "Not Found",
    "413": "Content Too Large",
    "502": "Bad Gateway",
    "503": "Service Unavailable",
    "504": "Gateway Timeout",
}


def pages(rendered: Path, case: str) -> dict[str, str]:
    found = json.loads((rendered / f"{case}.pages").read_text(encoding="utf-8"))
    return {Path(path).name: text for path, text in found.items()}


def test_users_see_a_readable_page_for_each_error(rendered: Path) -> None:
    lines, found = configuration(rendered, "plain"), pages(rendered, "plain")
    assert sorted(found) == sorted(
        [
            *(f"ivy-cluster-{status}.http" for status in ERRORS),
            "ivy-cluster-429.html",
            "ivy-cluster-maintenance.html",
        ]
    )
    for status, reason in ERRORS.items():
        assert f"errorfile {status} /etc/haproxy/errors/ivy-cluster-{status}.http" in lines
        head, _blank, body = found[f"ivy-cluster-{status}.http"].partition("\n\n")
        assert head.splitlines()[0] == f"HTTP/1.1 {status} {reason}"
        assert "Content-Type: text/html; charset=utf-8" in head.splitlines()
        assert ("Retry-After: 15" in head.splitlines()) is (status in ("502", "503", "504"))
        assert "<h1>" in body
        # With the smallest header limit, HAProxy's buffer has 5 KiB.
        assert len(found[f"ivy-cluster-{status}.http"]) < 4096
    assert "<h1>Too many requests</h1>" in found["ivy-cluster-429.html"]
    limited = [line for line in lines if "deny_status 429" in line]
    assert len(limited) == 3
    for line in limited:
        assert (
            'content-type "text/html; charset=utf-8" file /etc/haproxy/errors/ivy-cluster-429.html hdr Retry-After'
            in line
        )


def test_the_page_of_the_maintenance_is_a_file_of_its_own(rendered: Path) -> None:
    assert (
        "<h1>This application is being maintained</h1>" in pages(rendered, "own_page")["ivy-cluster-maintenance.html"]
    )
    own = {name for name, text in pages(rendered, "own_maintenance").items() if "<p>Our own page</p>" in text}
    assert own == {"ivy-cluster-maintenance.html"}
    assert problems(rendered, "bad_page") == [
        "/nowhere/own.html (haproxy_maintenance_page) is not a file on the controller."
    ]


def test_a_proxy_that_names_no_user_gets_no_one_past_the_maintenance(rendered: Path) -> None:
    rule = "http-request unset-var(txn.maintenance) if maintenance_source"
    assert rule in configuration(rendered, "plain")
    lines = configuration(rendered, "behind")
    assert f"{rule} !client_is_proxy" in lines
    # The rules know the address of the user, and no limit counts what they answer.
    first = next(number for number, line in enumerate(lines) if "in_maintenance" in line)
    assert lines.index("acl client_is_proxy var(txn.client) -m ip 192.0.2.1 198.51.100.0/24") < first
    last = max(number for number, line in enumerate(lines) if line.endswith("if in_maintenance"))
    assert last < next(number for number, line in enumerate(lines) if "track-sc1" in line)


def test_an_own_page_is_shown_while_no_node_answers(rendered: Path) -> None:
    found = pages(rendered, "own_page")
    own = {name for name, text in found.items() if "<p>Our own page</p>" in text}
    assert own == {"ivy-cluster-502.http", "ivy-cluster-503.http", "ivy-cluster-504.http"}


def test_only_a_websocket_may_change_the_protocol(rendered: Path) -> None:
    lines = configuration(rendered, "plain")
    assert "acl upgrade req.fhdr_cnt(upgrade) gt 0" in lines
    assert "acl websocket req.fhdr(upgrade) -m str -i websocket" in lines
    # A condition on a header holds if one of several headers fulfils it, so a second one is rejected.
    first = lines.index("http-request deny deny_status 400 if upgrade !websocket")
    assert lines[first + 1] == "http-request deny deny_status 400 if { req.fhdr_cnt(upgrade) gt 1 }"
    assert "http-response deny deny_status 502 if { status 101 } !{ var(txn.websocket) -m found }" in lines


def test_a_path_that_skips_the_normalization_has_only_one_interpretation(rendered: Path) -> None:
    (line,) = [line for line in configuration(rendered, "plain") if line.startswith("acl plain_path path -m reg '")]
    plain = re.compile(line.partition("'")[2].rstrip("'").replace("*+", "*").replace(r"\z", r"\Z"))
    for path in ("/", "/app", "/app/", "/App/faces/page.xhtml", "/system", "/a-b/c_d/1.2.css"):
        assert plain.match(path), path
    spellings = ["", "app", "*", "//", "/a//b", "/.", "/./a", "/..", "/a/..", "/a/../b", "/a/.b", "/a\n", "/a/\n"]
    for path in (
        *spellings,
        *(f"/a{chr(code)}b" for code in range(256) if not re.match(r"[\w./-]", chr(code), re.ASCII)),
    ):
        assert not plain.match(path), path
