# Copyright: the ivy.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HAProxy on a load balancer: its runtime socket, server states, certificates and metrics.

Ansible's modules import this package, and the role haproxy installs it on the balancers, where the programs that
systemd runs import it. So it uses the standard library only and imports itself relatively.
"""
