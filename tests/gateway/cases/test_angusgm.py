"""Plays the case files in angusgm/."""

from __future__ import annotations

import pytest

from gateway.player import play
from gateway.script import Case, cases_of
from gateway.stage import Stages

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.mark.parametrize("case", cases_of("angusgm"))
async def test_case(stages: Stages, case: Case) -> None:
    await play(case, await stages.with_settings(case.settings))
