"""The walk-through in docs/ is true: run as a reader would, it prints what the page says it prints."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from pathlib import Path

import pytest

from acceptance.world import serving
from postroom_server.mail import tokens
from postroom_server.mail.caller import Scope
from postroom_server.store.ids import IdMint
from postroom_server.store.models import PLATFORM_TENANT

PAGE = Path(__file__).parents[2] / "docs" / "walk-through.md"
PATIENCE = 100.0

_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(page: str, language: str) -> list[re.Match[str]]:
    return [found for found in _BLOCK.finditer(page) if found[1] == language]


def program(page: str) -> str:
    """The page's code, every line where it stands in the page, so that tracebacks name its lines."""
    lines = [""] * page.count("\n")
    for block in blocks(page, "python"):
        first = page.count("\n", 0, block.start(2))
        code = block[2].splitlines()
        lines[first : first + len(code)] = code
    return "\n".join(lines) + "\n"


@pytest.mark.every_database
async def test_the_walk_through_prints_what_it_says(database: str, tmp_path: Path) -> None:
    page = PAGE.read_text(encoding="utf-8")
    script = tmp_path / PAGE.name
    script.write_text(program(page), encoding="utf-8")
    async with serving(database) as world:
        form = tokens.TokenForm(name="dev", scopes=tuple(Scope))
        mint = IdMint(world.clock, node=1023)
        token = await world.running.store.write(tokens.create, PLATFORM_TENANT, form, world.clock.now(), mint)
        reader = await asyncio.create_subprocess_exec(
            sys.executable, "-X", "utf8", str(script),
            env=os.environ | {
                "POSTROOM_TARGET": f"127.0.0.1:{world.running.grpc_port}", "POSTROOM_TOKEN": token.secret,
            },
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        try:
            async with asyncio.timeout(PATIENCE):
                printed, complained = await reader.communicate()
        finally:
            if reader.returncode is None:
                reader.kill()
                await reader.wait()
    assert reader.returncode == 0, complained.decode()
    assert printed.decode() == "".join(block[2] for block in blocks(page, "text"))
