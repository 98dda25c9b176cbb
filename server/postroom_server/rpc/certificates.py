"""Certificates, keys and authorities in files: whether they are any, before gRPC or ssl is given them."""

from __future__ import annotations

from pathlib import Path

from postroom_server.rpc.endpoint import ConfigurationError


def read_pair(cert_name: str, cert: Path, key_name: str, key: Path) -> tuple[bytes, bytes]:
    """The key and the certificate chain that belong together, as gRPC wants them. Raises ConfigurationError.

    The names are those of the settings or flags, for the message.
    """
    # Imported here: clients without certificates need not wait for it.
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    key_pem, chain = _read(key), _read(cert)
    try:
        public_key = load_pem_private_key(key_pem, None).public_key()
    except TypeError:
        raise ConfigurationError(f"{key_name} {key} is encrypted: name a key without passphrase") from None
    except (ValueError, UnsupportedAlgorithm):
        raise ConfigurationError(f"{key_name} {key} holds no private key in PEM") from None
    try:
        certificate = x509.load_pem_x509_certificates(chain)[0]
    except ValueError:
        raise ConfigurationError(f"{cert_name} {cert} holds no certificate in PEM") from None
    if certificate.public_key() != public_key:
        raise ConfigurationError(f"{key_name} {key} does not belong to {cert_name} {cert}")
    return key_pem, chain


def read_authorities(name: str, path: Path) -> bytes:
    """Certificates of authorities. Raises ConfigurationError."""
    from cryptography import x509

    pem = _read(path)
    try:
        x509.load_pem_x509_certificates(pem)
    except ValueError:
        raise ConfigurationError(f"{name} {path} holds no certificate in PEM") from None
    return pem


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"cannot read {path}: {error.strerror}") from None
