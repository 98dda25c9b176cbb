"""Postfix's smtp-source: mails made of nothing, sent as fast as a sink takes them. Nobody is faster."""

from __future__ import annotations

import subprocess
import time

from bench.postfix import Package

OCTETS = 6000


def send(package: Package, port: int, *, mails: int, connections: int) -> float:
    """Sends mails of 6 kB over kept connections; gives when it began (time.perf_counter)."""
    began = time.perf_counter()
    subprocess.run(
        [
            package.program("sbin/smtp-source"), "-d",
            "-s", str(connections), "-m", str(mails), "-l", str(OCTETS),
            "-f", "me@bench.test", "-t", "you@bench.test", f"127.0.0.1:{port}",
        ],
        check=True, env=package.environment, capture_output=True,
    )  # fmt: skip
    return began
