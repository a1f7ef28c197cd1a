# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The node half of one shared configuration.

This package runs twice from the same files: inside Ansible's modules, and installed on the host where the engine's
unit starts it. So it uses the standard library only, imports itself relatively, and never exits the process.
"""
