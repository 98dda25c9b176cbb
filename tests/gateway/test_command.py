"""`postroom gateway`: a process without a database, and what it refuses in one line."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.conftest import Certificates
from gateway.wire import fetch
from serving import ACME, serving

POSTROOM = Path(sys.executable).with_name("postroom")
PATIENCE = 30
CLEAN = {name: value for name, value in os.environ.items() if not name.startswith("POSTROOM_")}


async def test_a_gateway_serves_before_a_server_elsewhere_and_leaves_in_good_order(
    sqlite_database: str, tmp_path: Path, certificates: Certificates
) -> None:
    server = {"grpc_tls_cert": certificates.cert, "grpc_tls_key": certificates.key}
    folder = tmp_path / "gateway"
    folder.mkdir()
    async with serving(sqlite_database, **server) as served:
        key = await served.token("pair", ACME, api_user="acme")
        target = f"localhost:{served.running.grpc_port}"
        process = await asyncio.create_subprocess_exec(
            POSTROOM, "gateway", "--target", target, "--tls-ca", certificates.ca,
            "--http-address", "127.0.0.1:0",
            "--http-tls-cert", certificates.cert, "--http-tls-key", certificates.key,
            cwd=folder, env=CLEAN, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        assert process.stderr is not None
        line = (await asyncio.wait_for(process.stderr.readline(), PATIENCE)).decode()
        port = int(re.findall(r"listening_http .* port=(\d+)", line)[0])
        target = f"/apiv2/template/list?apiUser=acme&apiKey={key}"
        answer = await fetch(port, "GET", target, tls=certificates.client())
        assert answer.json["info"] == {"dataList": [], "total": 0, "count": 0}
        process.send_signal(signal.SIGTERM)
        _, said = await asyncio.wait_for(process.communicate(), PATIENCE)
        assert process.returncode == 0
    assert key not in said.decode()
    assert "path=/apiv2/template/list status=200" in said.decode()
    assert os.listdir(folder) == []  # noqa: PTH208


def test_why_a_server_cannot_be_reached_is_logged_once_and_nothing_else(tmp_path: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        target = f"127.0.0.1:{unused.getsockname()[1]}"
        process = subprocess.Popen(
            [POSTROOM, "gateway", "--target", target, "--http-address", "127.0.0.1:0"],
            cwd=tmp_path, env=CLEAN, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert process.stderr is not None
        assert "listening_http" in process.stderr.readline()
        line = process.stderr.readline()
        assert "server_unreachable" in line
        assert f"nothing listens on {target}" in line
        process.send_signal(signal.SIGTERM)
        _, rest = process.communicate(timeout=PATIENCE)
    assert [line.split("]")[1].split()[0] for line in rest.splitlines()] == ["draining"]


@pytest.mark.parametrize(
    ("arguments", "environment", "said"),
    [
        (["gateway", "--http-address", "0.0.0.0:0"], {}, "0.0.0.0:0 is reachable from other machines"),
        (["gateway", "--http-address", ""], {}, "a gateway without http_address serves nobody"),
        (["gateway", "--tls-ca", "none.pem"], {}, "cannot read none.pem"),
        (["gateway", "--http-time-zone", "Asia/Nowhere"], {}, "http_time_zone (flag): is no time zone"),
        (["gateway", "--http-trusted-proxies", "proxy"], {}, "http_trusted_proxies (flag): proxy is neither"),
        (["gateway"], {"POSTROOM_GATEWAY_TOKEN": "short"}, "gateway_token (POSTROOM_GATEWAY_TOKEN): must"),
        (["gateway"], {"POSTROOM_GATEWAY_TOKEN": "x" * 15 + "\n"}, "gateway_token (POSTROOM_GATEWAY_TOKEN)"),
        (["serve", "--only", "gateway"], {}, "only (flag): a gateway needs no database: run"),
        (["gateway", "--target", "localhost:99999"], {}, "--target localhost:99999: there is no port 99999"),
        (["gateway"], {"POSTROOM_TARGT": "x:1"}, "POSTROOM_TARGT is set, but there is no such setting; did"),
        (["serve", "--http-address", "nonsense"], {}, "http_address nonsense is not host:port"),
    ],
)  # fmt: skip
def test_what_cannot_be_served_is_said_in_one_line(
    arguments: list[str], environment: dict[str, str], said: str, tmp_path: Path
) -> None:
    started = subprocess.run(
        [POSTROOM, *arguments], cwd=tmp_path, env={**CLEAN, "POSTROOM_METRICS_ADDRESS": "", **environment},
        capture_output=True, text=True, timeout=PATIENCE,
    )  # fmt: skip
    assert started.returncode == 1
    assert started.stderr.startswith(f"postroom: {said}")
    assert started.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_gateways_token_is_no_flag() -> None:
    said = subprocess.run([POSTROOM, "gateway", "--help"], capture_output=True, text=True, timeout=PATIENCE)
    assert "--gateway-token" not in said.stdout
    assert "--database-url" not in said.stdout
