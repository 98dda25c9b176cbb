"""The refusal that a call ends with."""

from __future__ import annotations

from typing import Any

import pytest

from postroom_server.refusals import Refusal


async def refusal_of(awaitable: Any) -> Refusal:
    with pytest.raises(Refusal) as caught:
        await awaitable
    return caught.value
