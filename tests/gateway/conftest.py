"""Certificates for tests of HTTP over TLS."""

from __future__ import annotations

import dataclasses
import ssl
from pathlib import Path

import pytest
import trustme


@dataclasses.dataclass(frozen=True)
class Certificates:
    """A certificate for localhost and 127.0.0.1, and the authority that clients know it by."""

    cert: Path
    key: Path
    ca: Path

    def server(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.cert, self.key)
        return context

    def client(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.ca))


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    folder = tmp_path_factory.mktemp("certificates")
    made = Certificates(folder / "cert.pem", folder / "key.pem", folder / "ca.pem")
    authority = trustme.CA()
    leaf = authority.issue_cert("localhost", "127.0.0.1")
    leaf.private_key_pem.write_to_path(made.key)
    leaf.cert_chain_pems[0].write_to_path(made.cert)
    authority.cert_pem.write_to_path(made.ca)
    return made
