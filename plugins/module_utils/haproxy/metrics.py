# Copyright: the ivy.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificate expiry metrics for a Prometheus node exporter."""

from __future__ import annotations

import os

from .certificates import authority_expiry, loaded_certificate_expiry
from .new_file import create_file
from .runtime_socket import RuntimeSocket

_METRIC = "ivy_certificate_expiry_timestamp_seconds"


def write_certificate_metrics(socket_path: str, authority: str, directory: str) -> None:
    """Write a file for the textfile collector. Without its directory there is no collector, and nothing is written."""
    if not os.path.isdir(directory):
        return
    expiry = [("authority", name, end) for name, end in authority_expiry(authority).items()]
    expiry += [("balancer", name, end) for name, end in loaded_certificate_expiry(RuntimeSocket(socket_path)).items()]
    lines = [f"# HELP {_METRIC} Time at which a certificate expires.", f"# TYPE {_METRIC} gauge"]
    for kind, name, end in expiry:
        quoted = name.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ")
        lines.append(f'{_METRIC}{{kind="{kind}",name="{quoted}"}} {end}')
    file = os.path.join(directory, "ivy_certificates.prom")
    with create_file(f"{file}.new") as stream:
        os.fchmod(stream.fileno(), 0o644)
        stream.write("\n".join(lines) + "\n")
    os.replace(f"{file}.new", file)
