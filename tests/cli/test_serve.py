"""`postroom serve`: what it says when it has started."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

POSTROOM = Path(sys.executable).with_name("postroom")
PATIENCE = 30


def test_a_start_names_version_and_database_and_the_missing_mail_server(tmp_path: Path) -> None:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("POSTROOM_")}
    process = subprocess.Popen(
        [POSTROOM, "serve", "--grpc-address", "127.0.0.1:0", "--http-address", "", "--metrics-address", ""],
        cwd=tmp_path,
        env=clean,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    lines = [process.stderr.readline() for _ in range(3)]
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=PATIENCE)
    assert "listening" in lines[0]
    assert "database=sqlite:///data/postroom.db version=" in lines[1]
    assert "postroom server add" in lines[2]
