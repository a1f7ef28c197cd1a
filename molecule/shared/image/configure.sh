#!/bin/sh
# Turns a minimal Debian into a test host; runs inside the root file system that becomes the image.
set -eu

useradd --create-home --shell /bin/bash ivyadmin
printf 'ivyadmin ALL=(ALL) NOPASSWD: ALL\n' > /etc/sudoers.d/ivyadmin
chmod 0440 /etc/sudoers.d/ivyadmin

# The key is added when the host is created; nobody can log in to a host of the bare image.
install -d -m 0755 /etc/ssh/authorized_keys.d
cat > /etc/ssh/sshd_config.d/test-host.conf <<'CONF'
AuthorizedKeysFile /etc/ssh/authorized_keys.d/%u
AuthenticationMethods publickey
PermitRootLogin no
UseDNS no
CONF

# Each host generates its own keys at the first start, so that host key checking is meaningful.
rm -f /etc/ssh/ssh_host_*
cat > /etc/systemd/system/ssh-host-keys.service <<'UNIT'
[Unit]
Description=SSH host keys of this host
Before=ssh.service
ConditionPathExists=!/etc/ssh/ssh_host_ed25519_key

[Service]
Type=oneshot
ExecStart=/usr/bin/ssh-keygen -A
RemainAfterExit=yes

[Install]
WantedBy=multi-user.target
UNIT
systemctl enable ssh-host-keys.service ssh.service

# There is no console, and unattended upgrades during a test would hold apt's lock.
systemctl mask console-getty.service getty@tty1.service apt-daily.timer apt-daily-upgrade.timer

printf 'Acquire::Retries "3";\n' > /etc/apt/apt.conf.d/80retries
# Test hosts are disposable: losing packages in a power cut costs less than a sync for every file.
printf 'force-unsafe-io\n' > /etc/dpkg/dpkg.cfg.d/unsafe-io

printf 'LANG=C.UTF-8\n' > /etc/default/locale
: > /etc/machine-id
rm -f /var/lib/dbus/machine-id
