"""Fuzzes the REST APIs: Schemathesis against a server of its own, by what /openapi.json says.

`make fuzz-rest` runs it; not part of CI, for it takes minutes and finds something else each time. It fails on
a 5xx, on an answer that is not described, and on what the server logged as unexpected.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
POSTROOM = Path(sys.executable).with_name("postroom")
SCHEMATHESIS = ROOT / ".venv" / "fuzz" / "bin" / "schemathesis"
PATIENCE = 30
# What is described must be true. Whether input is refused is the documents' affair, and they are lenient.
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "response_headers_conformance",
)
# Limits that would answer most calls instead of what lies behind them.
WIDE = {
    "POSTROOM_LIMIT_CODE_INTERVAL_SECONDS": "0",
    "POSTROOM_LIMIT_CODES_PER_HOUR": "1000000",
    "POSTROOM_LIMIT_CODES_PER_DAY": "1000000",
    "POSTROOM_LIMIT_URGENT_PER_MINUTE": "1000000",
    "POSTROOM_LIMIT_URGENT_BURST": "1000000",
}
BEARER = "UserHttpBearer"  # what openapi.json calls it
# An apiUser/apiKey pair is two ordinary parameters; in the query they come before any in a body.
HOOKS = """
import os
import urllib.parse

import schemathesis

PAIR = dict(urllib.parse.parse_qsl(os.environ["FUZZ_PAIR"]))


@schemathesis.hook
def before_call(context, case, kwargs):
    if case.path.startswith("/apiv2/"):
        case.query = {**PAIR, **(case.query or {}), **PAIR}
"""
BAD_WORDS = ("Traceback", "unanswered", "unexpected", "Exception in ASGI application")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--max-examples", type=int, default=100, help="of each operation and phase")
    parser.add_argument("--seed", type=int)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, _serving(Path(folder)) as url:
        code = _fuzz(Path(folder), url, arguments.max_examples, arguments.seed)
        log = (Path(folder) / "log").read_text(encoding="utf-8", errors="replace")
    bad = [line for line in log.splitlines() if any(word in line for word in BAD_WORDS)]
    if bad:
        print("the server logged:", *bad[:20], sep="\n")
    return 1 if bad else code


@contextlib.contextmanager
def _serving(folder: Path) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("POSTROOM_")}
    environment = {**inherited, **WIDE}
    command = [
        POSTROOM, "dev", "--grpc-address", "127.0.0.1:0", "--http-address", f"127.0.0.1:{port}",
        "--metrics-address", "", "--catcher-port", "0",
    ]  # fmt: skip
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)
    try:
        _wait_ready(f"http://127.0.0.1:{port}", process)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(PATIENCE)


def _wait_ready(url: str, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(OSError), urllib.request.urlopen(f"{url}/readyz", timeout=PATIENCE):
            return
        time.sleep(0.1)
    raise SystemExit("the server did not start")


def _fuzz(folder: Path, url: str, max_examples: int, seed: int | None) -> int:
    token = (folder / "data" / "dev.token").read_text(encoding="ascii").strip()
    pair = (folder / "data" / "dev.api-user").read_text(encoding="ascii").strip()
    config, hooks = folder / "schemathesis.toml", folder / "hooks.py"
    config.write_text(f'[auth.openapi.{BEARER}]\nbearer = "{token}"\n', encoding="ascii")
    hooks.write_text(HOOKS, encoding="ascii")
    environment = {**os.environ, "SCHEMATHESIS_HOOKS": str(hooks), "FUZZ_PAIR": pair}
    command = [
        SCHEMATHESIS, "--config-file", config, "run", f"{url}/openapi.json",
        "--checks", ",".join(CHECKS), "--max-examples", str(max_examples), "--continue-on-failure",
        "--generation-database", "none", "--suppress-health-check", "all", "--warnings", "off",
    ]  # fmt: skip
    if seed is not None:
        command += ["--seed", str(seed)]
    return subprocess.run(command, cwd=folder, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
