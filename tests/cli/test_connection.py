"""How commands reach a server: tokens, and TLS towards everybody but this machine."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
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
    assert "--tls-ca" in result.stderr
    assert not server.metadata


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--target", "{plain}", "--tls"], "{plain} does not speak TLS: say --plaintext if that is meant"),
        (["--target", "{tls}"], "{tls} speaks TLS, and was called in plaintext: say --tls, or name"),
        (["--target", "{tls}", "--tls"], "{tls} has a certificate that is refused ("),
        (
            ["--target", "{wrong}", "--tls-ca", "ca.pem"],
            "{wrong} has a certificate that is refused (",
        ),
        (["--target", "{picky}", "--tls-ca", "ca.pem"], "{picky} asks for a client's certificate: name one"),
        (
            [
                "--target",
                "{picky}",
                "--tls-ca",
                "ca.pem",
                "--tls-cert",
                "stranger.pem",
                "--tls-key",
                "key.pem",
            ],
            "{picky} does not accept this client's certificate",
        ),
        (["--target", "{web}"], "{web} is an HTTP port; gRPC has one of its own"),
        (["--target", "nowhere.invalid:50051", "--plaintext"], "there is no host nowhere.invalid"),
        (["--target", "127.0.0.1:99999"], "--target 127.0.0.1:99999: there is no port 99999"),
        (["--target", "localhost"], "--target localhost has no port: write host:port"),
        (["--target", "http://localhost:8080"], "--target http://localhost:8080 is a URL: write host:port"),
        (["--target", "{tls}", "--tls-ca", "no.pem"], "--tls-ca no.pem holds no certificate in PEM"),
        (["--target", "{tls}", "--tls-ca", "none"], "cannot read none: No such file"),
        (["--tls-cert", "no.pem", "--tls-key", "key.pem"], "--tls-cert no.pem holds no certificate in PEM"),
        (["--tls-cert", "ca.pem", "--tls-key", "no.pem"], "--tls-key no.pem holds no private key in PEM"),
        (
            ["--tls-cert", "ca.pem", "--tls-key", "key.pem"],
            "--tls-key key.pem does not belong to --tls-cert",
        ),
    ],
)
def test_a_server_that_cannot_be_reached_is_named_with_the_cause(
    arguments: list[str], said: str, postroom: Postroom, server: CannedServer, places: dict[str, str]
) -> None:
    Path("no.pem").write_text("# a readme\n")
    result = postroom("email", "list", *(argument.format(**places) for argument in arguments))
    assert result.stderr.startswith(f"postroom: {said.format(**places)}")
    assert result.stderr.count("\n") == 1
    assert not server.metadata


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--tls", "--plaintext"], "--tls and --plaintext contradict each other"),
        (["--tls-cert", "a"], "--tls-cert needs --tls-key"),
        (["--tls-key", "a"], "--tls-key needs --tls-cert"),
        (["--plaintext", "--tls-cert", "a", "--tls-key", "b"], "--tls-cert and --tls-key are for TLS"),
        (["--token", ""], "--token is empty"),
    ],
)
def test_options_that_contradict_each_other_are_wrong_usage(
    arguments: list[str], said: str, postroom: Postroom
) -> None:
    result = postroom("email", "list", *arguments)
    assert result.exit_code == 2
    assert said in result.stderr


def test_a_misspelt_variable_is_told_and_the_command_goes_on(
    postroom: Postroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POSTROOM_TARGT", "127.0.0.1:1")
    result = postroom("email", "list")
    assert result.stderr.startswith("postroom: POSTROOM_TARGT is set, but there is no such setting; did you")
    assert result.exit_code == 0


class Web(BaseHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def places(tls_target: str, server: CannedServer, tmp_path: Path) -> Iterator[dict[str, str]]:
    """Addresses where something else listens than was thought, by what it is."""
    stranger = trustme.CA().issue_cert("127.0.0.1")
    stranger.cert_chain_pems[0].write_to_path(str(tmp_path / "stranger.pem"))
    stranger.private_key_pem.write_to_path(str(tmp_path / "key.pem"))
    picky = grpc.server(ThreadPoolExecutor(2))
    authority = (tmp_path / "ca.pem").read_bytes()
    pair = ((tmp_path / "server.key").read_bytes(), (tmp_path / "server.pem").read_bytes())
    port = picky.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([pair], authority, True))
    picky.start()
    web = ThreadingHTTPServer(("127.0.0.1", 0), Web)
    serving = threading.Thread(target=web.serve_forever, args=(0.05,))
    serving.start()
    yield {
        "plain": server.target,
        "tls": tls_target,
        "wrong": tls_target.replace("localhost", "127.0.0.1"),
        "picky": f"localhost:{port}",
        "web": f"127.0.0.1:{web.server_port}",
    }
    web.shutdown()
    web.server_close()
    serving.join()
    picky.stop(None).wait()


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
    (tmp_path / "server.pem").write_bytes(chain)
    certificate.private_key_pem.write_to_path(str(tmp_path / "server.key"))
    credentials = grpc.ssl_server_credentials([(certificate.private_key_pem.bytes(), chain)])
    listening = grpc.server(ThreadPoolExecutor(2))
    canned_handlers(server, listening)
    port = listening.add_secure_port("127.0.0.1:0", credentials)
    listening.start()
    yield f"localhost:{port}"
    listening.stop(None).wait()
