"""Postfix from its Debian package, unpacked into a folder of ours: nothing on the machine is changed.

Its master needs root to start; `smtp-sink` does not. What cannot be had is reported as absent.
"""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from bench.children import ROOT, end, free_port, wait_for_port

_UNPACKED = ROOT / "bench" / "results" / "postfix"
# Tuned for the task: every limit that would hold it back here is lifted. Its queue is synced, as it comes.
_MAIN = """
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
command_directory = {package}/usr/sbin
daemon_directory = {package}/usr/lib/postfix/sbin
shlib_directory = {package}/usr/lib/postfix
meta_directory = {folder}/conf
import_environment = LD_LIBRARY_PATH={libraries} MAIL_CONFIG={folder}/conf
mail_owner = mail
setgid_group = uucp
default_privs = nobody
myhostname = bench.test
mydestination =
local_recipient_maps =
alias_maps =
mynetworks = 127.0.0.0/8
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
smtpd_relay_restrictions = permit_mynetworks, reject
smtpd_client_connection_count_limit = 0
smtpd_client_connection_rate_limit = 0
smtpd_peername_lookup = no
relayhost = [127.0.0.1]:{sink}
smtp_host_lookup = native
disable_dns_lookups = yes
smtp_tls_security_level =
smtpd_tls_security_level =
smtp_destination_concurrency_limit = {sessions}
initial_destination_concurrency = {sessions}
smtp_connection_cache_destinations = [127.0.0.1]:{sink}
smtp_connection_reuse_count_limit = 0
in_flow_delay = 0
qmgr_message_active_limit = 40000
queue_run_delay = 20s
minimal_backoff_time = 60s
maximal_backoff_time = 60s
default_process_limit = 100
header_checks =
"""
_MASTER = """
{port}    inet  n - n - {sessions} smtpd
cleanup   unix  n - n - 0 cleanup
qmgr      unix  n - n 300 1 qmgr
rewrite   unix  - - n - - trivial-rewrite
bounce    unix  - - n - 0 bounce
defer     unix  - - n - 0 bounce
trace     unix  - - n - 0 bounce
verify    unix  - - n - 1 verify
flush     unix  n - n 1000? 0 flush
proxymap  unix  - - n - - proxymap
smtp      unix  - - n - {sessions} smtp
relay     unix  - - n - {sessions} smtp
error     unix  - - n - - error
retry     unix  - - n - - error
discard   unix  - - n - - discard
anvil     unix  - - n - 1 anvil
scache    unix  - - n - 1 scache
"""


class Package:
    """The unpacked package."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.libraries = folder / "usr/lib/postfix"
        self.environment = os.environ | {"LD_LIBRARY_PATH": str(self.libraries)}
        self.as_nobody = ("-u", "nobody") if os.geteuid() == 0 else ()

    def program(self, path: str) -> str:
        return str(self.folder / "usr" / path)

    @functools.cached_property
    def version(self) -> str:
        return (self.folder / "version").read_text().strip()


def fetch() -> Package | None:
    """Downloads and unpacks the package once; None where that cannot be done."""
    if not (_UNPACKED / "version").exists():
        if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
            return None
        with tempfile.TemporaryDirectory() as folder:
            got = subprocess.run(
                ["apt-get", "download", "postfix"], cwd=folder, capture_output=True, check=False
            )
            found = sorted(Path(folder).glob("postfix_*.deb"))
            if got.returncode or not found:
                return None
            _UNPACKED.mkdir(parents=True, exist_ok=True)
            subprocess.run(["dpkg-deb", "-x", str(found[0]), str(_UNPACKED)], check=True)
            field = subprocess.run(
                ["dpkg-deb", "-f", str(found[0]), "Version"], check=True, capture_output=True, text=True
            )
            (_UNPACKED / "version").write_text(field.stdout)
    package = Package(_UNPACKED)
    tried = subprocess.run(
        ["ldd", package.program("sbin/smtp-sink")], env=package.environment, capture_output=True, check=False
    )
    return None if tried.returncode or b"not found" in tried.stdout else package


def can_run() -> bool:
    return os.geteuid() == 0


@contextlib.contextmanager
def relay(package: Package, sink_port: int, sessions: int) -> Iterator[int]:
    """A Postfix that relays everything to the sink; gives the port on which it takes mail."""
    port = free_port()
    folder = Path(tempfile.mkdtemp(prefix="postroom-bench-postfix-"))
    try:
        folder.chmod(0o755)
        _set_up(folder, package, port, sink_port, sessions)
        master = subprocess.Popen(
            [package.program("lib/postfix/sbin/master"), "-c", str(folder / "conf"), "-d"],
            env=package.environment, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            wait_for_port(port, master)
            yield port
        finally:
            end(master)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _set_up(folder: Path, package: Package, port: int, sink: int, sessions: int) -> None:
    conf = folder / "conf"
    conf.mkdir()
    values = {
        "folder": folder, "package": package.folder, "libraries": package.libraries,
        "port": f"127.0.0.1:{port}", "sink": sink, "sessions": sessions,
    }  # fmt: skip
    (conf / "main.cf").write_text(_MAIN.format(**values))
    (conf / "master.cf").write_text(_MASTER.format(**values))
    (conf / "dynamicmaps.cf").write_text("")
    (folder / "data").mkdir()
    shutil.chown(folder / "data", "mail")
    queue = folder / "queue"
    queue.mkdir()
    for name in ("pid", "active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming",
                 "private", "saved", "trace", "maildrop", "public"):  # fmt: skip
        (queue / name).mkdir()
        if name != "pid":
            shutil.chown(queue / name, "mail", "uucp" if name in ("maildrop", "public") else None)
            (queue / name).chmod(0o730 if name == "maildrop" else 0o710 if name == "public" else 0o700)
