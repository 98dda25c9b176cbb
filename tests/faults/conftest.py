"""What the fault tests share: their chance, which can be had again."""

from __future__ import annotations

import os
import random

import pytest


@pytest.fixture
def chance() -> random.Random:
    """Other numbers on request: POSTROOM_TEST_SEED. A run prints its seed, and a failing one shows it."""
    seed = int(os.environ.get("POSTROOM_TEST_SEED", "20261122"))
    print(f"seed {seed}")  # noqa: T201 - a failing run shows it
    return random.Random(seed)
