# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write a licence for the stand-in engine. A real engine rejects it, since it has no signature."""

from __future__ import annotations

import argparse
import datetime
import sys
from pathlib import Path

HEADER = """\
# Licence of the STAND-IN engine, for tests of the collection ivy.cluster.
# It has the fields of a real licence but no signature, so a real Axon Ivy Engine rejects it.
"""


def text(
    engine_version: str, nodes: int, public_urls: str, valid_from: datetime.date, valid_until: datetime.date, kind: str
) -> str:
    """Return the licence file."""
    major = engine_version.split(".", maxsplit=1)[0]
    fields = {
        "licence.type": kind,
        "licence.keyversion": f"axonivy/{int(major) * 1000}",
        "licence.valid.until": valid_until.isoformat(),
        "public.urls": public_urls,
        "server.nodes.limit": nodes,
        "server.sessions.limit": 100,
        "server.users.limit": 1000,
    }
    if int(major) < 13:
        fields["licence.valid.from"] = valid_from.isoformat()
    return HEADER + "".join(f"{name}={value}\n" for name, value in fields.items())


def main() -> int:
    """Write the licence that the command line describes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("output", type=Path, help="file to write; its name must end with .lic")
    parser.add_argument("--engine-version", default="11.3.0", help="default: %(default)s")
    parser.add_argument("--nodes", type=int, default=3, help="limit of cluster nodes, default: %(default)s")
    parser.add_argument("--public-urls", default="", help="comma-separated host names, with * for any text")
    parser.add_argument(
        "--valid-from",
        type=datetime.date.fromisoformat,
        default=datetime.date(2020, 1, 1),
        help="first day, only for engines before 13, default: %(default)s",
    )
    parser.add_argument(
        "--valid-until",
        type=datetime.date.fromisoformat,
        default=datetime.date(2099, 12, 31),
        help="last day, default: %(default)s",
    )
    parser.add_argument("--type", default="Enterprise Edition", help="default: %(default)s")
    arguments = parser.parse_args()
    licence = text(
        arguments.engine_version,
        arguments.nodes,
        arguments.public_urls,
        arguments.valid_from,
        arguments.valid_until,
        arguments.type,
    )
    arguments.output.write_text(licence, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
