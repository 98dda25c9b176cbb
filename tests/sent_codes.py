"""Codes sent, handed over and guessed over a real store; the mails themselves need no server here."""

from __future__ import annotations

import functools
from typing import Any

from accepting import Accepting, draft
from peers.configuration import ACME, AUTHOR, OTHER, STRANGER
from postroom_server.delivery.codes import hand_over
from postroom_server.mail.caller import Caller
from postroom_server.mail.codes import CodeChecks, CodeOutcome
from postroom_server.mail.draft import Draft
from postroom_server.mail.limits import Limits
from postroom_server.store.codes import CodeMaker, CodeSeed
from postroom_server.store.models import Code
from postroom_server.store.opening import OpenDatabase

ANN = "ann@example.com"
VALID, WRONG, EXPIRED, LOCKED = CodeOutcome.VALID, CodeOutcome.WRONG, CodeOutcome.EXPIRED, CodeOutcome.LOCKED
CALLERS = {ACME: AUTHOR, OTHER: STRANGER}


def code_mail(*to: str, biz_key: str = "SIGNIN", **changes: Any) -> Draft:
    return draft(**{"to": to or (ANN,), "biz_key": biz_key, "has_verification": True, **changes})


def wrong(code: str, by: int = 1) -> str:
    return f"{(int(code) + by) % 10**6:06d}"


class SentCodes(Accepting):
    """`obtain` sends a code as if its mail had been taken at once, and tells it."""

    def __init__(self, opened: OpenDatabase, limits: Limits | None = None) -> None:
        super().__init__(opened, limits)
        self.maker = CodeMaker(opened.key)
        self.limits = limits or Limits()
        self.checks = CodeChecks(self.clock, self.mint, self.maker, self.limits)

    async def prepare(self) -> SentCodes:
        await self.fill()
        for tenant_id in (ACME, OTHER):
            await self.add_server(tenant_id, f"server-{tenant_id}")
        return self

    async def send(self, *to: str, caller: Caller = AUTHOR, **changes: Any) -> int:
        return (await self.accept(code_mail(*to, **changes), caller)).id

    async def hand_over(self, email_id: int) -> None:
        codes = await self.rows(Code, Code.email_id == email_id)
        await self.store.write(hand_over, [code.delivery_id for code in codes], self.clock.now())

    async def code_of(self, email_id: int, address: str = ANN) -> str:
        (code,) = await self.rows(Code, (Code.email_id == email_id) & (Code.address_key == address.lower()))
        return self.maker.code(
            CodeSeed(code.tenant_id, code.biz_key, code.address_key, bytes(code.nonce), code.email_id)
        )

    async def obtain(
        self, address: str = ANN, biz_key: str = "SIGNIN", tenant_id: int = ACME, **changes: Any
    ) -> str:
        email_id = await self.send(address, caller=CALLERS[tenant_id], biz_key=biz_key, **changes)
        await self.hand_over(email_id)
        return await self.code_of(email_id, address)

    async def check(
        self, code: str, address: str = ANN, biz_key: str = "SIGNIN", tenant_id: int = ACME
    ) -> CodeOutcome:
        guess = self.checks.read(biz_key, address, code)
        return await self.store.write(functools.partial(self.checks.check, tenant_id, guess))

    async def fail(self, times: int, code: str, **where: Any) -> list[CodeOutcome]:
        return [await self.check(wrong(code, n), **where) for n in range(1, times + 1)]
