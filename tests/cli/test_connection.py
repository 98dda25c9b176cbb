"""How commands reach a server: tokens, and TLS towards everybody but this machine."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest
import trustme

from peers.canned_server import CannedServer, Postroom, canned_handlers
from postroom.v1.email_service_pb2 import ListEmailsResponse


@pytest.fixture(autouse=True)
def _answers(server: CannedServer) -> None:
    server.answers["ListEmails"] = ListEmailsResponse()


def test_the_development_token_is_taken_from_its_file(
    postroom: Postroom, server: CannedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("POSTROOM_TOKEN")
    Path("data").mkdir()
    Path("data/dev.token").write_text("pr_dev\n")
    assert postroom("email", "list").exit_code == 0
    assert server.metadata[0]["authorization"] == "Bearer pr_dev"


def test_the_development_token_is_not_sent_to_another_machine(
    postroom: Postroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("POSTROOM_TOKEN")
    Path("data").mkdir()
    Path("data/dev.token").write_text("pr_dev\n")
    result = postroom("email", "list", "--target", "mail.example.com:50051")
    assert result.stderr.startswith("postroom: no token: ")
    assert result.exit_code == 1


def test_a_token_file_that_is_missing_is_one_line(
    postroom: Postroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("POSTROOM_TOKEN")
    assert postroom("email", "list", "--token-file", "nowhere").stderr.startswith(
        "postroom: cannot read nowhere: "
    )


def test_tls_checks_the_server_against_the_given_authority(
    postroom: Postroom, server: CannedServer, tls_target: str
) -> None:
    result = postroom("email", "list", "--target", tls_target, "--tls-ca", "ca.pem")
    assert (result.exit_code, result.stderr) == (0, "0 of 0\n")
    assert server.metadata[0]["authorization"] == "Bearer secret"


def test_a_server_of_another_authority_gets_no_token(
    postroom: Postroom, server: CannedServer, tls_target: str
) -> None:
    trustme.CA().cert_pem.write_to_path("other.pem")
    result = postroom("email", "list", "--target", tls_target, "--tls-ca", "other.pem")
    assert result.exit_code == 1
    assert not server.metadata


def test_another_machine_is_spoken_to_in_tls_unless_told_otherwise(
    postroom: Postroom, server: CannedServer
) -> None:
    # 0.0.0.0 is this machine, and does not look like it.
    target = f"0.0.0.0:{server.port}"
    assert postroom("email", "list", "--target", target).exit_code == 1
    assert not server.metadata
    assert postroom("email", "list", "--target", target, "--plaintext").exit_code == 0


@pytest.fixture
def tls_target(server: CannedServer, tmp_path: Path) -> Iterator[str]:
    authority = trustme.CA()
    certificate = authority.issue_cert("localhost")
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    chain = b"".join(blob.bytes() for blob in certificate.cert_chain_pems)
    credentials = grpc.ssl_server_credentials([(certificate.private_key_pem.bytes(), chain)])
    listening = grpc.server(ThreadPoolExecutor(2))
    canned_handlers(server, listening)
    port = listening.add_secure_port("127.0.0.1:0", credentials)
    listening.start()
    yield f"localhost:{port}"
    listening.stop(None).wait()
