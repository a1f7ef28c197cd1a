# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Changes that an administrator makes on a host by hand, and how each of them is seen from outside."""

from __future__ import annotations

from dataclasses import dataclass

# Available to each command below. Addresses are written as @engine1@, the password of the database role as @password@.
FUNCTIONS = r"""
state() {
  stat -c '%F %a %U:%G' "$1" && if [ -L "$1" ]; then readlink "$1"; elif [ -f "$1" ]; then sha256sum <"$1"; fi
}
unit() { systemctl show --property="$2" "$1"; }
enabled() { systemctl is-enabled "$1"; }
package() { dpkg-query --show --showformat '${db:Status-Status}\n' "$1"; }
remove() { DEBIAN_FRONTEND=noninteractive dpkg --force-depends --remove "$1"; }
query() { psql -U postgres -d "${2:-AxonIvySystemDatabase}" -qAt -v ON_ERROR_STOP=1 -c "$1"; }
until_true() { n=0; until "$@"; do n=$((n + 1)); [ $n -lt 600 ] || return 1; sleep 0.2; done; }
listens() { ss --listening --numeric --tcp --no-header "sport = :$1" | grep -q .; }
reach() {
  python3 -c 'import socket, sys
try: socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=120); print("open")
except OSError as error: print(type(error).__name__)' "$1" "$2"
}
fetch() {
  python3 -c 'import sys, urllib.request
print(urllib.request.urlopen(sys.argv[1], timeout=120).read().decode())' "$1"
}
add_line() { printf '%s\n' "$2" >>"$1"; }
in_place_of_link() { cp -p "$1" "/run/${1##*/}" && ln -sf "/run/${1##*/}" "$1"; }
"""

# Compares the verifier that the database has stored with the cluster's password.
VERIFY_PASSWORD = """query "SELECT rolpassword FROM pg_authid WHERE rolname = '@login@'" | python3 -c '
import base64, hashlib, hmac, sys
_kind, salted, keys = sys.stdin.read().strip().split("$")
rounds, salt = salted.split(":")
password = hashlib.pbkdf2_hmac("sha256", b"@password@", base64.b64decode(salt), int(rounds))
stored = hashlib.sha256(hmac.new(password, b"Client Key", "sha256").digest()).digest()
print(base64.b64encode(stored).decode() == keys.split(":")[0])'"""

ENGINE = "/opt/ivy/versions/11.3.0"
CONFIGURATION = f"{ENGINE}/configuration"
LIBRARY = "/usr/local/lib/ivy-cluster"
SYSTEMD = "/etc/systemd/system"
POSTGRES = "/etc/postgresql/15/main"
SETTINGS = f"{POSTGRES}/conf.d/50-ivy-cluster.conf"
PKI = "/etc/ivy-cluster-pki"
HAPROXY = "/etc/haproxy/haproxy.cfg"
SEARCH = "/etc/elasticsearch"
SEARCH_HOME = "/opt/elasticsearch"


@dataclass(frozen=True)
class Change:
    """One change on one host. site repairs it if the view is afterwards what it was before the change."""

    name: str
    host: str
    # Commands that make the change, run as root.
    make: str
    # Commands whose output shows what the change is about. The change alters it.
    view: str
    # Text in the result of a changed task: its name, item, path or difference. Empty if site repairs silently.
    reported: str
    # The same for check mode. None if equal, empty if check mode cannot predict the repair.
    predicted: str | None = None
    # Another host that the view is taken from.
    seen_from: str = ""
    # Other hosts that share what was changed; one of them repairs and reports it.
    shared_with: tuple[str, ...] = ()


def on_path(host: str, path: str, kind: str, make: str, reported: str = "") -> Change:
    """A change of a file or directory that is visible in its type, mode, owner or content."""
    return Change(f"{host}: {kind}: {path}", host, make, f"state {path}", reported or path)


def mode(host: str, path: str, value: str, reported: str = "") -> Change:
    return on_path(host, path, f"mode {value}", f"chmod {value} {path}", reported)


def owner(host: str, path: str, value: str, reported: str = "") -> Change:
    return on_path(host, path, f"owner {value}", f"chown {value} {path}", reported)


def edited(host: str, path: str, line: str = "# By hand", reported: str = "") -> Change:
    return on_path(host, path, "edited", f"add_line {path} '{line}'", reported)


def deleted(host: str, path: str, reported: str = "") -> Change:
    return on_path(host, path, "deleted", f"rm {path}", reported)


def linked(host: str, path: str, reported: str = "") -> Change:
    return on_path(host, path, "replaced by a link to an equal file", f"in_place_of_link {path}", reported)


def disguised(host: str, path: str, change: str, reported: str = "") -> Change:
    """An edit that leaves the size and the time of the file as they were."""
    make = f"touch -r {path} /run/by-hand && sed -i {change} {path} && touch -r /run/by-hand {path}"
    return on_path(host, path, "edited with the same size and time", make, reported)


def released(host: str, package: str) -> Change:
    view = "apt-mark showhold"
    return Change(f"{host}: hold of {package} released", host, f"apt-mark unhold {package}", view, "Hold the packages")


def removed(host: str, package: str) -> Change:
    view = f"package {package}"
    return Change(f"{host}: package {package} removed", host, f"remove {package}", view, f"Install .*{package}")


def account(host: str, name: str, option: str, value: str, reported: str) -> Change:
    make = f"usermod --{option} '{value}' {name}"
    return Change(f"{host}: {option} of {name}", host, make, f"getent passwd {name}", reported)


def sql(name: str, statement: str, view: str, reported: str, predicted: str | None = None) -> Change:
    return Change(f"db1: {name}", "db1", f'query "{statement}"', f'query "{view}"', reported, predicted)


# Everything runs, and most changes are in effect in the running processes.
RUNNING = (
    released("lb1", "haproxy"),
    mode("lb1", "/etc/haproxy/errors", "0777"),
    owner("lb1", LIBRARY, "nobody", f'path": "{LIBRARY}"'),
    mode("lb1", f"{SYSTEMD}/haproxy.service.d", "0700", f'path": "{SYSTEMD}/haproxy.service.d"'),
    edited("lb1", f"{LIBRARY}/haproxy-server-state"),
    deleted("lb1", f"{LIBRARY}/haproxy-certificate-metrics"),
    edited("lb1", f"{LIBRARY}/haproxy/metrics.py"),
    mode("lb1", f"{LIBRARY}/haproxy/saved_states.py", "0666"),
    linked("lb1", f"{LIBRARY}/haproxy/certificates.py"),
    disguised("lb1", f"{LIBRARY}/haproxy/runtime_socket.py", "s/HAProxy/haproxy/"),
    owner("lb1", f"{LIBRARY}/haproxy/__init__.py", ":haproxy"),
    mode("lb1", "/etc/haproxy/errors/ivy-cluster-503.http", "0600"),
    Change(
        "lb1: drop-in of haproxy.service edited and loaded",
        "lb1",
        f"sed -i s/^Restart=always/Restart=no/ {SYSTEMD}/haproxy.service.d/ivy-cluster.conf && systemctl daemon-reload",
        "unit haproxy.service Restart,NeedDaemonReload",
        "haproxy.service.d/ivy-cluster.conf",
    ),
    Change(
        "lb1: unit of the metrics edited",
        "lb1",
        f"add_line {SYSTEMD}/ivy-certificate-metrics.service '# By hand'",
        f"state {SYSTEMD}/ivy-certificate-metrics.service; unit ivy-certificate-metrics.service NeedDaemonReload",
        "ivy-certificate-metrics.service",
    ),
    Change(
        "lb1: timer of the metrics disabled",
        "lb1",
        "systemctl disable --now ivy-certificate-metrics.timer",
        "unit ivy-certificate-metrics.timer ActiveState,UnitFileState",
        "Enable certificate expiry metrics",
    ),
    Change("lb1: haproxy.service disabled", "lb1", "systemctl disable haproxy", "enabled haproxy", "Start HAProxy"),
    mode("lb1", PKI, "0777", "Create the directory for certificates"),
    edited("lb1", f"{PKI}/ca.pem"),
    Change(
        "lb1: certificate of another authority that expires tomorrow",
        "lb1",
        f"openssl req -x509 -new -key {PKI}/balancer.pem.key -days 1 -subj /CN=by-hand -out {PKI}/balancer.pem",
        f"openssl x509 -in {PKI}/balancer.pem -noout -issuer -checkend 8640000",
        "Sign the certificate",
    ),
    Change(
        "lb1: haproxy serves another configuration than its file, which was restored",
        "lb1",
        f"cp -p {HAPROXY} /run/haproxy.cfg && sed -i 's/description .*/description \"by hand\"/' {HAPROXY} "
        f"&& printf 'frontend by-hand\\n    bind 127.0.0.1:8099\\n    http-request deny\\n' >>{HAPROXY} "
        f"&& systemctl reload haproxy && until_true listens 8099; cp -p /run/haproxy.cfg {HAPROXY}",
        f"state {HAPROXY}; reach 127.0.0.1 8099; echo | openssl s_client -connect 127.0.0.1:443 2>&1 | grep ^issuer",
        "Reload HAProxy",
    ),
    # After the reload, which writes it.
    Change(
        "lb1: file of the saved states deleted",
        "lb1",
        "rm /var/lib/haproxy/server-state",
        "stat -c '%a %U:%G' /var/lib/haproxy/server-state",
        "Create the files of saved states",
    ),
    released("db1", "postgresql-15"),
    removed("db1", "logrotate"),
    mode("db1", "/etc/postgresql-common/createcluster.d", "0777", "Create the directory of the defaults"),
    deleted("db1", "/etc/postgresql-common/createcluster.d/ivy-cluster.conf"),
    Change(
        "db1: work_mem set in the file and loaded",
        "db1",
        f"sed -i \"s/^work_mem = .*/work_mem = '1MB'/\" {SETTINGS} && query 'SELECT pg_reload_conf()'; "
        'until_true sh -c \'[ "$(psql -U postgres -Atc "SHOW work_mem")" = 1MB ]\'',
        f"state {SETTINGS}; query 'SHOW work_mem'",
        "Write the settings if PostgreSQL accepts them",
    ),
    edited("db1", f"{POSTGRES}/pg_hba.conf", "host all all 0.0.0.0/0 trust", "Write the access rules"),
    Change(
        "db1: another account mapped to the administrator",
        "db1",
        f"sed -i '/^ivy_cluster  root/i ivy_cluster  nobody  postgres' {POSTGRES}/pg_ident.conf",
        f"state {POSTGRES}/pg_ident.conf",
        "Map root to the administrator",
    ),
    deleted("db1", f"{SYSTEMD}/postgresql@15-main.service.d/ivy-cluster.conf", "Make the unit wait for its addresses"),
    deleted("db1", f"{LIBRARY}/postgres-await-addresses", "Make the unit wait for its addresses"),
    mode(
        "db1",
        f"{SYSTEMD}/postgresql@15-main.service.d",
        "0700",
        r"Create the directories.*postgresql@15-main\.service\.d",
    ),
    Change(
        "db1: postgresql disabled",
        "db1",
        "systemctl disable postgresql@15-main",
        "enabled postgresql@15-main",
        "Start the server now and at boot",
    ),
    Change(
        "db1: log_checkpoints set with ALTER SYSTEM and loaded",
        "db1",
        "query 'ALTER SYSTEM SET log_checkpoints = off' && query 'SELECT pg_reload_conf()'",
        "grep -c log_checkpoints /var/lib/postgresql/15/main/postgresql.auto.conf; query 'SHOW log_checkpoints'",
        '"item": "log_checkpoints"',
    ),
    sql(
        "CREATEROLE and SUPERUSER given to the role",
        "ALTER ROLE ivy SUPERUSER CREATEROLE",
        "SELECT rolsuper, rolcreaterole FROM pg_roles WHERE rolname = 'ivy'",
        "Create the engine's role",
    ),
    sql(
        "rights on the database granted to PUBLIC",
        'GRANT ALL ON DATABASE \\"AxonIvySystemDatabase\\" TO PUBLIC',
        "SELECT datacl FROM pg_database WHERE datname = 'AxonIvySystemDatabase'",
        "Revoke other roles' privileges on the database",
    ),
    sql(
        "another owner of the schema",
        "ALTER SCHEMA public OWNER TO postgres",
        "SELECT nspowner::regrole FROM pg_namespace WHERE nspname = 'public'",
        "Make the engine's role the owner of the schema",
    ),
    sql(
        "CREATE on the schema granted to PUBLIC",
        "GRANT CREATE ON SCHEMA public TO PUBLIC",
        "SELECT p.privilege_type FROM pg_namespace, aclexplode(nspacl) p WHERE nspname = 'public' AND p.grantee = 0 "
        "ORDER BY 1",
        "Revoke other roles' right to create objects in the schema",
    ),
    sql(
        "extension dropped",
        "DROP EXTENSION pgstattuple",
        "SELECT extname FROM pg_extension ORDER BY 1",
        "Install the extensions",
    ),
    sql(
        "membership revoked",
        "REVOKE pg_stat_scan_tables FROM ivy",
        "SELECT roleid::regrole FROM pg_auth_members WHERE member = 'ivy'::regrole",
        "Allow the engine to read table statistics",
    ),
    Change(
        "db1: max_connections set with ALTER SYSTEM, server restarted",
        "db1",
        "query 'ALTER SYSTEM SET max_connections = 77' && systemctl restart postgresql@15-main",
        "query 'SHOW max_connections'",
        "Restart the server if settings require it",
        # Only after the reset it is known which settings require a restart.
        predicted='"item": "max_connections"',
    ),
    released("search1", "openjdk-17-jre-headless"),
    removed("search1", "unzip"),
    account("search1", "elasticsearch", "shell", "/bin/bash", "Create the user"),
    mode("search1", SEARCH, "0755", f'path": "{SEARCH}"'),
    mode("search1", "/var/lib/elasticsearch", "0777"),
    owner("search1", "/var/log/elasticsearch", "root"),
    mode("search1", f"{SEARCH_HOME}/versions", "0777"),
    Change(
        "search1: the process has read another configuration than the file, which was restored",
        "search1",
        f"cp -p {SEARCH}/elasticsearch.yml /run && add_line {SEARCH}/elasticsearch.yml 'node.attr.by_hand: \"yes\"' "
        "&& systemctl restart elasticsearch && until_true listens 9200; "
        f"cp -p /run/elasticsearch.yml {SEARCH}/elasticsearch.yml",
        f"state {SEARCH}/elasticsearch.yml; fetch 'http://127.0.0.1:9200/_cat/nodeattrs?h=attr' | grep -c by_hand",
        "Restart the search engine",
    ),
    edited("search1", f"{SEARCH}/jvm.options", "-Dby.hand=1", "jvm.options"),
    mode("search1", f"{SEARCH}/log4j2.properties", "0666", "log4j2.properties"),
    edited("search1", f"{SEARCH_HOME}/describe-start"),
    Change(
        "search1: unit edited and not loaded",
        "search1",
        f"sed -i s/^LimitNOFILE=.*/LimitNOFILE=40000/ {SYSTEMD}/elasticsearch.service",
        f"state {SYSTEMD}/elasticsearch.service; unit elasticsearch.service NeedDaemonReload,LimitNOFILE",
        f"{SYSTEMD}/elasticsearch.service",
    ),
    # The task is skipped in check mode.
    Change(
        "search1: mode 0666 of the keystore",
        "search1",
        f"chmod 0666 {SEARCH}/elasticsearch.keystore",
        f"state {SEARCH}/elasticsearch.keystore",
        "Set owner and mode of the keystore",
        predicted="",
    ),
    on_path(
        "search1",
        f"{SEARCH_HOME}/current",
        "link to no version",
        f"ln -sfn versions/none {SEARCH_HOME}/current",
        "Link to the version",
    ),
    Change(
        "search1: firewall flushed",
        "search1",
        "nft delete table inet ivy_search",
        "reach @search1@ 9200",
        "Load the rules, now and at boot",
        seen_from="lb1",
    ),
    mode("search1", "/etc/nftables.d", "0777", "Create the directories"),
    deleted("search1", f"{SYSTEMD}/nftables.service.d/ivy-search.conf"),
    edited("search1", f"{SYSTEMD}/ivy-search-firewall.service"),
    account("engine1", "ivy", "shell", "/bin/bash", "Create the engine's user"),
    removed("engine1", "fontconfig"),
    Change(
        "engine1: mode 0777 of the shared data",
        "engine1",
        "chmod 0777 /srv/ivy/data",
        "state /srv/ivy/data",
        '"/srv/ivy/data"',
        shared_with=("engine2", "engine3"),
    ),
    mode("engine1", "/opt/ivy", "0777", 'path": "/opt/ivy"'),
    owner("engine1", "/opt/ivy/artefacts", "nobody"),
    mode("engine1", "/etc/ivy-cluster", "0755", 'path": "/etc/ivy-cluster"'),
    mode("engine1", "/etc/ivy-cluster/secrets", "0777"),
    edited("engine1", "/etc/tmpfiles.d/ivy-cluster-engine.conf"),
    mode("engine1", "/etc/nftables.d", "2755", 'path": "/etc/nftables.d"'),
    Change(
        "engine1: firewall flushed",
        "engine1",
        "nft delete table inet ivy_engine",
        "reach @engine1@ 7800",
        "Load the rules, now and at boot",
        seen_from="lb1",
    ),
    edited("engine1", f"{LIBRARY}/config-guard"),
    edited("engine1", f"{CONFIGURATION}/jvm.options", "-Dby.hand=1", "configuration/jvm.options"),
    mode("engine1", "/etc/ivy-cluster/shared.env", "0644", "shared.env"),
    released("engine2", "openjdk-17-jre-headless"),
    account("engine2", "ivy", "home", "/tmp", "Create the engine's user"),
    on_path(
        "engine2",
        "/opt/ivy/current",
        "link to no version",
        "ln -sfn versions/none /opt/ivy/current",
        "Link the version",
    ),
    mode("engine2", f"{ENGINE}/logs", "0777"),
    owner("engine2", "/var/lib/axonivy-engine-dumps", "root"),
    mode("engine2", LIBRARY, "0777", f'path": "{LIBRARY}"'),
    disguised("engine2", "/etc/tmpfiles.d/ivy-cluster-engine.conf", "s/90d/10d/"),
    Change(
        "engine2: the balancer added to the rules, and these loaded",
        "engine2",
        "sed -i 's/elements = { /&@lb1@, /' /etc/nftables.d/ivy-engine.nft && nft -f /etc/nftables.d/ivy-engine.nft",
        "reach @engine2@ 7800",
        "/etc/nftables.d/ivy-engine.nft",
        seen_from="lb1",
    ),
    # The engine encrypts a password in this file again, so its digest is another one.
    Change(
        "engine2: key added to ivy.yaml",
        "engine2",
        f"add_line {CONFIGURATION}/ivy.yaml 'ByHand: 1'",
        f"grep -c ByHand {CONFIGURATION}/ivy.yaml",
        "configuration/ivy.yaml",
    ),
    deleted("engine2", f"{CONFIGURATION}/applications/demo/app.yaml", "applications/demo/app.yaml"),
    edited("engine2", "/etc/ivy-cluster/node.env", 'BY_HAND="1"', "node.env"),
    edited("engine2", f"{LIBRARY}/record-start", reported="record-start"),
    edited("engine2", f"{SYSTEMD}/ivy-config-guard.service"),
    account("engine3", "ivy", "comment", "By hand", "Create the engine's user"),
    mode("engine3", "/opt/ivy/versions", "0777", 'path": "/opt/ivy/versions"'),
    owner("engine3", "/var/lib/axonivy-engine-dumps", ":nogroup"),
    on_path(
        "engine3",
        "/etc/tmpfiles.d/ivy-cluster-engine.conf",
        "emptied",
        ": >/etc/tmpfiles.d/ivy-cluster-engine.conf",
    ),
    Change(
        "engine3: firewall disabled",
        "engine3",
        "systemctl disable ivy-engine-firewall",
        "enabled ivy-engine-firewall",
        "Load the rules, now and at boot",
    ),
    linked("engine3", "/etc/nftables.d/ivy-engine.nft"),
    mode("engine3", f"{SYSTEMD}/nftables.service.d", "0777", "Create the directories"),
    mode("engine3", f"{CONFIGURATION}/applications/demo/app.yaml", "0666", "applications/demo/app.yaml"),
    Change(
        "engine3: unit of the engine edited and not loaded",
        "engine3",
        f"sed -i s/^LimitNOFILE=.*/LimitNOFILE=40000/ {SYSTEMD}/axonivy-engine.service",
        f"state {SYSTEMD}/axonivy-engine.service; unit axonivy-engine.service NeedDaemonReload,LimitNOFILE",
        "axonivy-engine.service",
    ),
    Change(
        "engine3: drop-in added to the engine's unit and loaded",
        "engine3",
        f"mkdir -p {SYSTEMD}/axonivy-engine.service.d && cd {SYSTEMD}/axonivy-engine.service.d "
        "&& printf '[Service]\\nNice=5\\n' >by-hand.conf && systemctl daemon-reload",
        "unit axonivy-engine.service DropInPaths,Nice",
        "by-hand.conf",
    ),
    edited("engine3", f"{LIBRARY}/ivy_node/gate/check.py", reported="ivy_node/gate/check.py"),
    edited("engine3", f"{CONFIGURATION}/jgroups.xml", "<!-- By hand -->", "configuration/jgroups.xml"),
    edited("engine3", f"{SYSTEMD}/ivy-config-guard.timer"),
)

# Services are stopped, and what excludes a change above is changed.
STOPPED = (
    removed("lb1", "python3-cryptography"),
    deleted("lb1", f"{PKI}/ca.pem"),
    Change(
        "lb1: another key",
        "lb1",
        f"openssl ecparam -name prime256v1 -genkey -noout -out {PKI}/balancer.pem.key",
        f'[ "$(openssl pkey -in {PKI}/balancer.pem.key -pubout)" = '
        f'"$(openssl x509 -in {PKI}/balancer.pem -noout -pubkey)" ]; echo $?',
        "Sign the certificate",
        # Check mode needs the package above to read the key.
        predicted="",
    ),
    Change(
        "lb1: mode 0644 of the key",
        "lb1",
        f"chmod 0644 {PKI}/balancer.pem.key",
        f"stat -c '%a %U:%G' {PKI}/balancer.pem.key",
        "Create the key",
        predicted="",
    ),
    edited("lb1", HAPROXY),
    edited("lb1", "/etc/haproxy/errors/ivy-cluster-503.http"),
    mode("lb1", f"{SYSTEMD}/ivy-certificate-metrics.timer", "0666"),
    mode("lb1", f"{SYSTEMD}/haproxy.service.d/ivy-cluster.conf", "0600"),
    Change(
        "lb1: systemd has loaded another drop-in of haproxy.service than the file, which was restored",
        "lb1",
        f"cd {SYSTEMD}/haproxy.service.d && cp ivy-cluster.conf /run && sed -i s/^Restart=always/Restart=no/ "
        "ivy-cluster.conf && systemctl daemon-reload && sleep 0.01 && cp /run/ivy-cluster.conf ivy-cluster.conf",
        "unit haproxy.service Restart,NeedDaemonReload",
        "",
    ),
    Change(
        "lb1: timer of the metrics stopped",
        "lb1",
        "systemctl stop ivy-certificate-metrics.timer",
        "unit ivy-certificate-metrics.timer ActiveState",
        "Enable certificate expiry metrics",
    ),
    Change("lb1: haproxy stopped", "lb1", "systemctl stop haproxy", "reach 127.0.0.1 443", "Start HAProxy"),
    removed("db1", "python3-psycopg2"),
    mode("db1", "/etc/postgresql-common/createcluster.d/ivy-cluster.conf", "0666"),
    mode("db1", SETTINGS, "0666"),
    mode("db1", f"{POSTGRES}/pg_hba.conf", "0666", "Write the access rules"),
    edited("db1", f"{SYSTEMD}/postgresql@15-main.service.d/ivy-cluster.conf"),
    # Check mode cannot predict what is in a database that does not run.
    Change(
        "db1: another password of the role",
        "db1",
        "query \"ALTER ROLE @login@ PASSWORD 'by-hand'\"",
        VERIFY_PASSWORD,
        "Create the engine's role",
        predicted="",
    ),
    sql(
        "another owner of the database",
        'ALTER DATABASE \\"AxonIvySystemDatabase\\" OWNER TO postgres',
        "SELECT datdba::regrole FROM pg_database WHERE datname = 'AxonIvySystemDatabase'",
        "Create the system database",
        predicted="",
    ),
    Change(
        "db1: postgresql stopped",
        "db1",
        "systemctl stop postgresql@15-main",
        "unit postgresql@15-main ActiveState",
        "Start the server now and at boot",
    ),
    account("search1", "elasticsearch", "home", "/tmp", "Create the user"),
    owner("search1", SEARCH, "nobody", f'path": "{SEARCH}"'),
    deleted("search1", f"{SEARCH}/elasticsearch.yml", "elasticsearch.yml"),
    Change(
        "search1: keystore deleted",
        "search1",
        f"rm {SEARCH}/elasticsearch.keystore",
        f"stat -c '%a %U:%G' {SEARCH}/elasticsearch.keystore",
        "Create the keystore",
    ),
    mode("search1", f"{SYSTEMD}/elasticsearch.service", "0666"),
    mode("search1", f"{SEARCH_HOME}/describe-start", "0644"),
    edited("search1", "/etc/nftables.d/ivy-search.nft"),
    Change(
        "search1: firewall disabled and stopped",
        "search1",
        "systemctl disable --now ivy-search-firewall",
        "unit ivy-search-firewall ActiveState,UnitFileState",
        "Load the rules, now and at boot",
    ),
    Change(
        "search1: elasticsearch disabled and stopped",
        "search1",
        "systemctl disable --now elasticsearch",
        "unit elasticsearch ActiveState,UnitFileState",
        "Start the search engine now and at boot",
    ),
    deleted("engine1", "/etc/tmpfiles.d/ivy-cluster-engine.conf", "Configure systemd to remove old logs and dumps"),
    Change(
        "engine1: ivy.yaml deleted",
        "engine1",
        f"rm {CONFIGURATION}/ivy.yaml",
        f"stat -c '%a %U:%G' {CONFIGURATION}/ivy.yaml",
        "configuration/ivy.yaml",
    ),
    Change(
        "engine1: firewall stopped",
        "engine1",
        "systemctl stop ivy-engine-firewall",
        "unit ivy-engine-firewall ActiveState; nft list table inet ivy_engine | grep -c reject",
        "Load the rules, now and at boot",
    ),
    Change(
        "engine1: timer of the guard stopped",
        "engine1",
        "systemctl stop ivy-config-guard.timer",
        "unit ivy-config-guard.timer ActiveState",
        "Start the timer",
    ),
    Change(
        "engine1: engine stopped",
        "engine1",
        "systemctl stop axonivy-engine",
        "unit axonivy-engine ActiveState; reach @engine1@ 8080",
        "Start the engine",
    ),
    Change(
        "engine2: owner root of the cluster's record",
        "engine2",
        "chown root /srv/ivy/cluster",
        "state /srv/ivy/cluster",
        '"/srv/ivy/cluster"',
        shared_with=("engine1", "engine3"),
    ),
    Change(
        "engine2: other rules loaded than those in the file",
        "engine2",
        "sed -e 's/elements = { /&@lb1@, /' -e 's/comment \".*\"/comment \"by hand\"/' /etc/nftables.d/ivy-engine.nft "
        "| nft -f -",
        "reach @engine2@ 7800",
        "Load the rules, now and at boot",
        seen_from="lb1",
    ),
    owner("engine2", f"{ENGINE}/applications", "root"),
    mode("engine2", f"{LIBRARY}/config-guard", "0644"),
    mode("engine2", f"{SYSTEMD}/ivy-engine-firewall.service", "0666"),
    Change(
        "engine2: timer of the guard disabled",
        "engine2",
        "systemctl disable ivy-config-guard.timer",
        "enabled ivy-config-guard.timer",
        "Start the timer",
    ),
    # Inventories name their licence files differently.
    deleted("engine2", f"{CONFIGURATION}/*.lic", r"configuration/[-\w]+\.lic\b.*"),
    Change(
        "engine3: chain of the firewall flushed",
        "engine3",
        "nft flush chain inet ivy_engine input",
        "reach @engine3@ 7800",
        "Load the rules, now and at boot",
        seen_from="lb1",
    ),
    Change(
        "engine3: systemd has loaded another timer of the guard than the file, which was restored",
        "engine3",
        f"cd {SYSTEMD} && cp ivy-config-guard.timer /run && sed -i s/^OnCalendar=.*/OnCalendar=yearly/ "
        "ivy-config-guard.timer && systemctl daemon-reload && sleep 0.01 "
        "&& cp /run/ivy-config-guard.timer ivy-config-guard.timer",
        "unit ivy-config-guard.timer NeedDaemonReload; systemctl cat ivy-config-guard.timer | grep OnCalendar",
        "",
    ),
    Change(
        "engine3: account ivy deleted",
        "engine3",
        "sed -i /^ivy:/d /etc/passwd /etc/shadow",
        "getent passwd ivy",
        "Create the engine's user",
    ),
    deleted("engine3", f"{LIBRARY}/config-guard", "Install the program"),
    deleted("engine3", f"{LIBRARY}/ivy_node/gate/check.py", "ivy_node/gate/check.py"),
)

ROUNDS = {"running": RUNNING, "stopped": STOPPED}
