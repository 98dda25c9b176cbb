"""Verification codes: how often they are sent, and what a guess is told (security.md D1-D6)."""

from __future__ import annotations

import dataclasses
import enum
import hmac
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import peewee

from postroom_server.clock import DAY, HOUR, Clock, Millis
from postroom_server.mail.limits import Limits
from postroom_server.message import address
from postroom_server.refusals import Reason, Refusal, Violation, refuse_all
from postroom_server.store import history
from postroom_server.store.codes import CodeMaker, CodeSeed
from postroom_server.store.history import Kind
from postroom_server.store.ids import IdMint
from postroom_server.store.models import Code, CodeGuess
from postroom_server.store.statement import Statement, as_list, bind, is_postgresql, one_of

_SENDS = Statement(
    lambda: Code.select(Code.address_key, Code.create_time).where(
        (Code.tenant_id == bind("tenant_id"))
        & one_of(Code.address_key, "address_keys")
        & (Code.create_time > bind("since"))
    )
)
_MOST_CODE_CHARACTERS = 160


class CodeOutcome(enum.StrEnum):
    """What a guess is told; the contract's VerificationOutcome."""

    VALID = "VALID"
    WRONG = "WRONG"
    EXPIRED = "EXPIRED"  # unknown, used up or over
    LOCKED = "LOCKED"


@dataclasses.dataclass(frozen=True, slots=True)
class Guess:
    biz_key: str
    address_key: str
    code: str


class CodeSends:
    """Refuses codes that are asked for too often, per tenant and address, whatever they are for."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits

    def check(self, tenant_id: int, addresses: Iterable[tuple[str, str]], earlier: dict[str, list[Millis]],
              now: Millis) -> None:  # fmt: skip
        """`addresses` are (field path, address key). `earlier` collects sends by address over one batch.

        One address over its limit refuses the whole call and is named. Nothing is counted by a refusal.
        """
        listed = list(addresses)
        unread = [key for _, key in listed if key not in earlier]
        for key in unread:
            earlier[key] = []
        if unread:
            rows = _SENDS.rows(tenant_id=tenant_id, address_keys=as_list(unread), since=now - DAY)
            for key, time in rows:
                earlier[key].append(time)
        found: list[Violation] = []
        wait: Millis = 0
        for field, key in listed:
            until = self._free_from(earlier[key], now)
            if until > now:
                found.append(Violation(field, "was sent a code too often of late", Reason.CODE_RATE_LIMITED))
                wait = max(wait, until - now)
        if found:
            raise Refusal(
                Reason.CODE_RATE_LIMITED,
                f"{found[0].field}: {found[0].description}",
                violations=found,
                retry_after=timedelta(milliseconds=wait),
            )
        for _, key in listed:
            earlier[key].append(now)

    def _free_from(self, times: list[Millis], now: Millis) -> Millis:
        """When the next code may be sent to an address that was sent codes at `times`."""
        limits, newest_first = self._limits, sorted(times, reverse=True)
        free = now
        if newest_first:
            free = max(free, newest_first[0] + limits.code_interval)
        for most, span in ((limits.codes_per_hour, HOUR), (limits.codes_per_day, DAY)):
            if len(newest_first) >= most:
                free = max(free, newest_first[most - 1] + span)
        return free


class CodeChecks:
    """Answers guesses. `check` is a unit of work."""

    def __init__(self, clock: Clock, mint: IdMint, maker: CodeMaker, limits: Limits) -> None:
        self._clock = clock
        self._mint = mint
        self._maker = maker
        self._limits = limits

    def read(self, biz_key: str, address_text: str, code: str) -> Guess:
        """Checks the fields of a guess. A code is compared without the spaces that people add."""
        found: list[Violation] = []
        if not biz_key:
            found.append(Violation("biz_key", "is required"))
        key = ""
        try:
            key = address.key(address.parse(address_text))
        except address.InvalidAddress as error:
            found.append(Violation("address", str(error)))
        if not 1 <= len(code) <= _MOST_CODE_CHARACTERS:
            found.append(Violation("code", f"1 to {_MOST_CODE_CHARACTERS} characters"))
        refuse_all(found)
        return Guess(biz_key, key, "".join(code.split()))

    def check(self, tenant_id: int, guess: Guess) -> CodeOutcome:
        """Judges a guess, consumes the code when it is right, counts the guess when it is wrong.

        Wrong guesses count per purpose and address, so that asking for a new code does not reset them.
        """
        now = self._clock.now()
        tally = self._tally(tenant_id, guess, now)
        if self._is_locked(tenant_id, guess, tally, now):
            return CodeOutcome.LOCKED
        code = _latest(tenant_id, guess)
        if code is None or code.consume_time is not None or now >= code.hand_over_time + code.validity:
            return CodeOutcome.EXPIRED
        seed = CodeSeed(tenant_id, code.biz_key, code.address_key, bytes(code.nonce), code.email_id)
        if hmac.compare_digest(self._maker.code(seed).encode(), guess.code.encode("utf-8", "replace")):
            return self._consume(tenant_id, code, tally, now)
        CodeGuess.update(wrong_count=CodeGuess.wrong_count + 1).where(CodeGuess.id == tally.id).execute()
        if tally.wrong_count + 1 >= self._limits.code_guesses:
            _tell_settled(tenant_id, code, "LOCKED", now)
            return CodeOutcome.LOCKED
        return CodeOutcome.WRONG

    def _consume(self, tenant_id: int, code: Code, tally: CodeGuess, now: Millis) -> CodeOutcome:
        unused = (Code.id == code.id) & Code.consume_time.is_null()
        if not Code.update(consume_time=now).where(unused).execute():
            return CodeOutcome.EXPIRED
        CodeGuess.delete().where(CodeGuess.id == tally.id).execute()
        _tell_settled(tenant_id, code, "VALID", now)
        return CodeOutcome.VALID

    def _tally(self, tenant_id: int, guess: Guess, now: Millis) -> CodeGuess:
        """The row that counts wrong guesses, locked: parallel guesses are judged one after the other."""
        CodeGuess.insert(
            id=self._mint.one(),
            tenant_id=tenant_id,
            biz_key=guess.biz_key,
            address_key=guess.address_key,
            wrong_count=0,
            window_start_time=now,
        ).on_conflict_ignore().execute()
        query: Any = CodeGuess.select().where(
            (CodeGuess.tenant_id == tenant_id)
            & (CodeGuess.biz_key == guess.biz_key)
            & (CodeGuess.address_key == guess.address_key)
        )
        tally: CodeGuess = (query.for_update() if is_postgresql() else query).get()
        if now >= tally.window_start_time + HOUR:
            tally.wrong_count, tally.window_start_time = 0, now
            CodeGuess.update(wrong_count=0, window_start_time=now).where(CodeGuess.id == tally.id).execute()
        return tally

    def _is_locked(self, tenant_id: int, guess: Guess, tally: CodeGuess, now: Millis) -> bool:
        if tally.wrong_count >= self._limits.code_guesses:
            return True
        over_all = (
            CodeGuess.select(peewee.fn.COALESCE(peewee.fn.SUM(CodeGuess.wrong_count), 0))
            .where(
                (CodeGuess.tenant_id == tenant_id)
                & (CodeGuess.address_key == guess.address_key)
                & (CodeGuess.window_start_time > now - HOUR)
            )
            .scalar()
        )
        return int(over_all) >= self._limits.code_failures_per_hour


def _latest(tenant_id: int, guess: Guess) -> Code | None:
    """The code handed over last: from then on the older ones are dead, used or not."""
    return (  # type: ignore[no-any-return]
        Code.select()
        .where(
            (Code.tenant_id == tenant_id)
            & (Code.biz_key == guess.biz_key)
            & (Code.address_key == guess.address_key)
            & Code.hand_over_time.is_null(False)
        )
        .order_by(Code.hand_over_time.desc(), Code.id.desc())
        .first()
    )


def _tell_settled(tenant_id: int, code: Code, state: str, now: Millis) -> None:
    history.append(
        [
            history.event(
                tenant_id,
                Kind.CODE_SETTLED,
                now,
                email_id=code.email_id,
                delivery_id=code.delivery_id,
                outcome=state,
            )
        ]
    )
