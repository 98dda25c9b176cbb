"""Certificates and keys in files: mistakes are named before gRPC meets them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives import serialization

from postroom_server.rpc.certificates import read_authorities, read_pair
from postroom_server.rpc.endpoint import ConfigurationError
from postroom_server.rpc.listener import ListenerSettings, credentials_of


@pytest.fixture(autouse=True)
def _files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    authority = trustme.CA()
    authority.cert_pem.write_to_path("ca.pem")
    mine, other = authority.issue_cert("localhost"), authority.issue_cert("localhost")
    mine.cert_chain_pems[0].write_to_path("server.pem")
    mine.private_key_pem.write_to_path("server.key")
    other.private_key_pem.write_to_path("me.key")
    key = serialization.load_pem_private_key(mine.private_key_pem.bytes(), None)
    pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    Path("locked.key").write_bytes(
        key.private_bytes(pem, pkcs8, serialization.BestAvailableEncryption(b"secret"))
    )


def test_a_pair_that_belongs_together_is_read() -> None:
    pair = read_pair("cert", Path("server.pem"), "key", Path("server.key"))
    assert pair == (Path("server.key").read_bytes(), Path("server.pem").read_bytes())


@pytest.mark.parametrize(
    ("cert", "key", "said"),
    [
        ("server.pem", "me.key", "grpc_tls_key me.key does not belong to grpc_tls_cert server.pem"),
        ("server.key", "server.key", "grpc_tls_cert server.key holds no certificate in PEM"),
        ("server.pem", "server.pem", "grpc_tls_key server.pem holds no private key in PEM"),
        ("server.pem", "locked.key", "grpc_tls_key locked.key is encrypted: name a key without passphrase"),
        ("none.pem", "server.key", "cannot read none.pem: No such file or directory"),
    ],
)
def test_a_server_says_which_file_is_wrong(cert: str, key: str, said: str) -> None:
    settings = ListenerSettings(grpc_tls_cert=Path(cert), grpc_tls_key=Path(key))
    with pytest.raises(ConfigurationError, match=f"^{re.escape(said)}$"):
        credentials_of(settings)


def test_authorities_must_be_certificates() -> None:
    assert read_authorities("ca", Path("ca.pem")) == Path("ca.pem").read_bytes()
    with pytest.raises(ConfigurationError, match=r"^ca server\.key holds no certificate in PEM$"):
        read_authorities("ca", Path("server.key"))
