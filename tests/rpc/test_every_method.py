"""Every method of the contract: who may call it, and which are not served yet.

The lists are exact: a method that is added to the contract fails a test until it is placed.
"""

from __future__ import annotations

from typing import Any

import pytest

from neighbours import BY_LINK, NEEDED, SCOPES, UNSERVED
from postroom_server.mail.caller import Scope
from serving import ACME, METHODS, Served, served

__all__ = ["served"]

# What ends at once whatever is stored: a watch would wait for events.
HARMLESS: dict[str, dict[str, Any]] = {"EmailService.WatchEvents": {"cursor": "none of ours"}}


def from_somewhere(number: int) -> tuple[tuple[str, str], ...]:
    """A client address of its own: who guesses tokens too often waits (E7)."""
    return (("x-postroom-client-address", f"192.0.2.{number}"),)


def test_every_method_of_the_contract_is_placed() -> None:
    assert set(NEEDED) | BY_LINK == set(METHODS)
    assert len(METHODS) == 54


async def test_every_method_asks_for_a_token(served: Served) -> None:
    for number, method in enumerate(NEEDED):
        for channel in (served.local, served.socket):
            told = await served.call(method, None, channel=channel)
            assert (told.code, told.reason) == ("UNAUTHENTICATED", "TOKEN_MISSING"), method
        for wrong in ("guess", "pr_" + "A" * 43):
            told = await served.call(method, wrong, metadata=from_somewhere(number))
            assert (told.code, told.reason) == ("UNAUTHENTICATED", "TOKEN_INVALID"), method


async def test_the_methods_of_links_ask_for_the_links_token_and_for_nothing_else(served: Served) -> None:
    everything = await served.token("everything", 0, Scope)
    for method in sorted(BY_LINK):
        for channel in (served.local, served.socket):
            for secret in (None, "guess", everything):
                told = await served.call(method, secret, channel=channel)
                assert (told.code, told.reason) == ("UNAUTHENTICATED", "TOKEN_INVALID"), method


@pytest.mark.parametrize("scope", list(SCOPES))
async def test_e3_a_method_needs_its_scope_and_no_other(served: Served, scope: Scope) -> None:
    others = await served.token("others", ACME, frozenset(Scope) - {scope})
    only = await served.token("only", ACME, {scope})
    for method in SCOPES[scope].split():
        fields = HARMLESS.get(method, {})
        told = await served.call(method, others, **fields)
        assert (told.code, told.reason) == ("PERMISSION_DENIED", "SCOPE_MISSING"), method
        assert told.metadata == (("scope", scope.value),)
        told = await served.call(method, only, **fields)
        assert told.code not in ("UNAUTHENTICATED", "PERMISSION_DENIED", "INTERNAL"), (method, told)


async def test_exactly_these_methods_are_not_served_yet(served: Served) -> None:
    everything = await served.token("everything", 0, Scope)
    unserved = set()
    for method in METHODS:
        told = await served.call(method, everything, **HARMLESS.get(method, {}))
        assert (told.code == "UNIMPLEMENTED") is (told.reason == "UNIMPLEMENTED")
        if told.code == "UNIMPLEMENTED":
            unserved.add(method)
    assert unserved == UNSERVED
