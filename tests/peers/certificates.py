"""Certificates for tests of TLS: good ones, and those that a client must not take."""

from __future__ import annotations

import dataclasses
import ssl
from pathlib import Path

import trustme


@dataclasses.dataclass(frozen=True)
class Certificates:
    """An authority that clients trust, a server certificate of its making, and one of somebody else's."""

    ca_file: str
    server: ssl.SSLContext
    stranger: ssl.SSLContext
    other_host: ssl.SSLContext


def issue(folder: Path, host: str, *, other_host: str) -> Certificates:
    """Certificates of servers at `host`, but for the one at the other; the authority's is in `folder`."""
    trusted, unknown = trustme.CA(), trustme.CA()
    trusted.cert_pem.write_to_path(str(folder / "ca.pem"))

    def server(authority: trustme.CA, name: str) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(name).configure_cert(context)
        return context

    return Certificates(
        ca_file=str(folder / "ca.pem"),
        server=server(trusted, host),
        stranger=server(unknown, host),
        other_host=server(trusted, other_host),
    )
