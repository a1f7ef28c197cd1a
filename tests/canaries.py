# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Texts of all kinds with a secret in them, for unit tests and for tests on live hosts. In each, {} is the secret."""

from __future__ import annotations

from collections.abc import Iterator

# What can only be a secret, so that a source that holds it is refused.
CERTAIN = {
    "url": "http://elastic:{}@search.acme.ch:9200/",
    "url-slash": "http://elastic:pa/{}@search",
    "url-at": "https://dl:p@{}@files.acme.ch/a.zip",
    "url-question-mark": "https://dl:pa?{}@files.acme.ch",
    "url-number-sign": "ldap://cn:pa#{}@ldap",
    "url-colon": "amqp://me:a:{}@mq:5672/x",
    "url-in-json": '{{"url":"https:\\/\\/me:{}@host\\/x"}}',
    "api-key": "https://maps.acme.ch/x?zoom=3&api_key={}&b=2",
    "sas": "https://acme.blob.core.windows.net/x?sv=2024-01-01&sig={}&se=2030",
    "account-key": "DefaultEndpointsProtocol=https;AccountName=acme;AccountKey={}==;EndpointSuffix=core",
    "jdbc-parameter": "jdbc:postgresql://db/ivy?user=ivy&password={}&ssl=true",
    "jdbc-oracle": "jdbc:oracle:thin:ivy/{}@//db:1521/x",
    "jdbc-oracle-sid": "jdbc:oracle:thin:ivy/{}@db:1521:x",
    "jdbc-mssql": "jdbc:sqlserver://db;user=ivy;password={};encrypt=true",
    "pem": "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----",
    "pem-rsa": "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\n{}\n-----END RSA PRIVATE KEY-----",
    "pem-ec": "-----BEGIN EC PRIVATE KEY-----\n{}\n-----END EC PRIVATE KEY-----",
    "pem-openssh": "-----BEGIN OPENSSH PRIVATE KEY-----\n{}\n-----END OPENSSH PRIVATE KEY-----",
    "pem-without-end": "-----BEGIN PRIVATE KEY-----\n{}\nmore\n",
    "pem-in-one-line": '{{"key": "-----BEGIN PRIVATE KEY-----\\n{}\\n-----END PRIVATE KEY-----\\n"}}',
    "pgp": "-----BEGIN PGP PRIVATE KEY BLOCK-----\n\n{}\n-----END PGP PRIVATE KEY BLOCK-----",
    "name": "password={}",
    "name-with-blanks": "password = correct {} staple",
    "name-quoted": 'keyStorePassword="a {}"',
    "name-colon": "  Password: {}",
    "name-continued": "password=start\\\n    {}",
    "name-with-bracket": "password=a<{}",
    "name-with-semicolon": "password=a;{}",
    "name-pass": "Pass: {}",
    "name-pw": "ldap.bindPw={}",
    "name-pw-lower": "bindpw: {}",
    "name-access-key": "accessKey={}",
    "json": '{{"clientSecret": "{}"}}',
    "json-list": '{{"passwords": 1, "password": ["a", "{}"]}}',
    "xml": "<a><password>{}</password></a>",
    "xml-cdata": "<a><password><![CDATA[x]]{}]]></password></a>",
    "xml-attribute": '<Connector keystorePass="{}" port="1"/>',
    "xml-attribute-bracket": "<Resource password='a>{}'/>",
    "xml-property": '<property name="db.password" value="{}"/>',
    "xml-property-turned": '<property value="{}" name="db.password"/>',
    "xml-entry": '<entry key="smtp.password">{}</entry>',
    "xml-pair": "<param-name>smtp.password</param-name>\n<param-value>{}</param-value>",
}

# What is hidden wherever it is printed, since it may be a secret.
POSSIBLE = {
    "url-blank": "http://elastic:pa {}@search",
    "url-token": "https://{}@git.acme.ch/x.git",
    "url-token-slash": "https://ab/{}@git.acme.ch",
    "url-encoded": "https%3A%2F%2Fme%3A{}%40host%2Fx",
    "url-without-scheme": "elastic:{}@search:9200",
    "code": "https://acme.azurewebsites.net/api/x?code={}",
    "nested": "<credentials><user>a</user><value>{}</value></credentials>",
    "block-text": "password: |\n  first\n  {}\nnext: 1",
    "list": "tokens:\n  - first\n  - {}\nnext: 1",
    "next-line": "Token:\n  {}\n",
    "option": "java -jar x.jar --password {} --port 1",
    "sql": "ALTER ROLE ivy PASSWORD '{}' LOGIN",
    "haproxy": "user admin insecure-password {}",
    "haproxy-auth": "stats auth admin:{}",
    "header": "Authorization: Basic {}",
    "bearer": "sent Bearer 0{}",
    "cookie": "Set-Cookie: JSESSIONID={}; Path=/",
    "signature": "x-amz-signature={}",
    "properties-blank": "db.password {}",
    "encrypt": "Note: ${{encrypt:{}}}",
    "pem-without-begin": "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC\n{}MIIEvQIBADANBgkqhkiG\n-----END PRIVATE KEY-----",
    "putty": "PuTTY-User-Key-File-3: ssh-ed25519\nPrivate-Lines: 1\n{}\nPrivate-MAC: 00",
}

ALL = {**CERTAIN, **POSSIBLE}

# What surrounds such a text where it is printed.
AROUND = {
    "alone": "{}",
    "log": "2026-11-28 12:00:00,123 ERROR [main] (Connector.java:12) cannot connect:\n{}\n\tat a.b.C(D.java:1)\n",
    "end of a line": "2026-11-28T12:00:00Z engine1 java[12]: refused {}",
    "several": "first\n{}\nlast\n",
}

# What must stay readable.
HARMLESS = (
    'FATAL:  password authentication failed for user "ivy"',
    "http://search:9200/_cluster/health answered 503",
    "jdbc:postgresql://db:5432/ivy?user=ivy&ssl=true",
    "https://ivy.acme.ch/users/me@example.com",
    "2026-11-28 12:00:00,123 INFO  [main] Engine started in 12.3 s",
    "[ALERT] (12) : parsing [/etc/haproxy/haproxy.cfg:12] : unknown keyword 'bnd' in 'frontend' section",
    "Bypass: true, Compass=north",
    "sha256: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "mailto:me@example.com",
    "org.elasticsearch.bootstrap.StartupException: java.lang.IllegalStateException: failed to obtain node locks",
)


def texts(secret: str, kinds: dict[str, str] | None = None) -> Iterator[tuple[str, str]]:
    """The name of each kind, and its text with the secret."""
    for name, kind in (ALL if kinds is None else kinds).items():
        yield name, kind.format(secret)
