"""Verification codes: what a guess is told, and when it locks (security.md D1-D6)."""

from __future__ import annotations

import dataclasses
import enum
import hmac
from typing import NamedTuple

import peewee

from postroom_server.clock import HOUR, Clock, Millis
from postroom_server.mail.form_checks import BIZ_KEY
from postroom_server.mail.limits import Limits
from postroom_server.message import address
from postroom_server.refusals import Violation, refuse_all
from postroom_server.store import history
from postroom_server.store.codes import CodeMaker, CodeSeed, Turn, take_turn
from postroom_server.store.history import Kind
from postroom_server.store.ids import IdMint, first_id_at
from postroom_server.store.models import Code, CodeGuess, Delivery, DeliveryState
from postroom_server.store.statement import Statement, bind, insert

_MOST_CODE_CHARACTERS = 160
CODES_AT_ONCE = 500

_OF_ADDRESS = (Code.tenant_id == bind("tenant_id")) & (Code.address_key == bind("address_key"))
# The code handed over last: from then on the older ones are dead, used or not.
_LATEST = Statement(
    lambda: (
        Code.select(
            Code.id, Code.email_id, Code.delivery_id, Code.nonce, Code.key_id, Code.validity,
            Code.hand_over_time, Code.consume_time,
        )
        .where(_OF_ADDRESS & (Code.biz_key == bind("biz_key")) & Code.hand_over_time.is_null(False))
        .order_by(Code.hand_over_time.desc(), Code.id.desc())
        .limit(1)
    )
)  # fmt: skip
# How often an address was guessed wrong, for each purpose that it was sent codes for.
_TALLIES = Statement(
    lambda: CodeGuess.select(CodeGuess.biz_key, CodeGuess.wrong_count, CodeGuess.window_start_time).where(
        (CodeGuess.tenant_id == bind("tenant_id"))
        & (CodeGuess.address_key == bind("address_key"))
        # The index is by purpose first.
        & CodeGuess.biz_key.in_(Code.select(Code.biz_key).where(_OF_ADDRESS))
    )
)
_IS_TALLY = (
    (CodeGuess.tenant_id == bind("tenant_id"))
    & (CodeGuess.biz_key == bind("biz_key"))
    & (CodeGuess.address_key == bind("address_key"))
)
_CONSUME = Statement(lambda: Code.update(consume_time=bind("now")).where(Code.id == bind("id")))
_COUNT = Statement(
    lambda: CodeGuess.update(wrong_count=bind("wrong"), window_start_time=bind("now")).where(_IS_TALLY)
)
_FORGET = Statement(lambda: CodeGuess.delete().where(_IS_TALLY))
_TALLY = insert(CodeGuess)


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


class _Latest(NamedTuple):
    """The code that guesses are judged by."""

    id: int
    email_id: int
    delivery_id: int
    nonce: bytes
    key_id: str
    validity: Millis
    hand_over_time: Millis
    consume_time: Millis | None


class _Tally(NamedTuple):
    """Wrong guesses for one purpose."""

    wrong_count: int
    window_start_time: Millis


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
        if not BIZ_KEY.fullmatch(biz_key):
            problem = "must be upper-case letters, digits and underscores, at most 64"
            found.append(Violation("biz_key", problem if biz_key else "is required"))
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

        Wrong guesses count per purpose and address, so that asking for a new code does not reset them. Only
        guesses at a code that is alive count: others can hit nothing, and would fill the table.
        """
        now = self._clock.now()
        take_turn(Turn.GUESS, tenant_id, [guess.address_key])
        code = self._alive(_latest(tenant_id, guess), now)
        tallies = _tallies(tenant_id, guess.address_key)
        own = tallies.pop(guess.biz_key, None)
        wrong = _still_counted(own, code, now)
        elsewhere = sum(_still_counted(tally, None, now) for tally in tallies.values())
        if self._is_locked(wrong, elsewhere):
            return CodeOutcome.LOCKED
        if code is None:
            return CodeOutcome.EXPIRED
        seed = CodeSeed(tenant_id, guess.biz_key, guess.address_key, bytes(code.nonce), code.email_id)
        if hmac.compare_digest(self._maker.code(seed).encode(), guess.code.encode("utf-8", "replace")):
            _end(tenant_id, code, now, CodeOutcome.VALID)
            _FORGET.execute(tenant_id=tenant_id, biz_key=guess.biz_key, address_key=guess.address_key)
            return CodeOutcome.VALID
        self._count(tenant_id, guess, wrong + 1, now)
        if not self._is_locked(wrong + 1, elsewhere):
            return CodeOutcome.WRONG
        # Locked once is locked for good: what was guessed at must not come back to life (security.md D6).
        _end(tenant_id, code, now, CodeOutcome.LOCKED)
        return CodeOutcome.LOCKED

    def _alive(self, code: _Latest | None, now: Millis) -> _Latest | None:
        if code is None or code.consume_time is not None or now >= code.hand_over_time + code.validity:
            return None
        # Made with a data key that is gone: nobody can say any more what it was.
        return code if code.key_id == self._maker.key_id else None

    def _is_locked(self, wrong: int, elsewhere: int) -> bool:
        limits = self._limits
        return wrong >= limits.code_guesses or wrong + elsewhere >= limits.code_failures_per_hour

    def _count(self, tenant_id: int, guess: Guess, wrong: int, now: Millis) -> None:
        counted = _COUNT.change(
            tenant_id=tenant_id,
            biz_key=guess.biz_key,
            address_key=guess.address_key,
            wrong=wrong,
            now=now,
        )
        if not counted:
            _TALLY.many([(self._mint.one(), tenant_id, guess.biz_key, guess.address_key, wrong, now)])


def _still_counted(tally: _Tally | None, code: _Latest | None, now: Millis) -> int:
    """The wrong guesses of the last hour, which begins anew with each of them, and all those at `code`.

    Otherwise a code that is valid for a day could be guessed at for a day, four times an hour.
    """
    if tally is None:
        return 0
    is_old = now >= tally.window_start_time + HOUR
    is_of_another = code is None or code.hand_over_time > tally.window_start_time
    return 0 if is_old and is_of_another else tally.wrong_count


def _latest(tenant_id: int, guess: Guess) -> _Latest | None:
    rows = _LATEST.rows(tenant_id=tenant_id, biz_key=guess.biz_key, address_key=guess.address_key)
    return _Latest(*rows[0]) if rows else None


def _tallies(tenant_id: int, address_key: str) -> dict[str, _Tally]:
    """By purpose."""
    rows = _TALLIES.rows(tenant_id=tenant_id, address_key=address_key)
    return {biz_key: _Tally(wrong_count, start) for biz_key, wrong_count, start in rows}


def _end(tenant_id: int, code: _Latest, now: Millis, outcome: CodeOutcome) -> None:
    """Makes a code unusable, and says so. The caller has taken the address's turn."""
    _CONSUME.execute(id=code.id, now=now)
    history.append(
        [
            history.event(
                tenant_id,
                Kind.CODE_SETTLED,
                now,
                email_id=code.email_id,
                delivery_id=code.delivery_id,
                state=outcome.value,
            )
        ]
    )


def forget_codes(after: int, before: Millis) -> int:
    """Deletes codes made before `before` that can never be valid again; of up to 500 with greater ids.

    Returns the last id it has looked at, 0 when there are no more. A unit of work. What is still to be sent,
    perhaps in a year, keeps its code.
    """
    ids = Code.id.between(after + 1, first_id_at(before) - 1)
    looked_at = [row.id for row in Code.select(Code.id).where(ids).order_by(Code.id).limit(CODES_AT_ONCE)]
    if not looked_at:
        return 0
    is_over = Code.hand_over_time.is_null(False) & (Code.hand_over_time + Code.validity < before)
    still_going = Delivery.select(Delivery.id).where(
        (Delivery.id == Code.delivery_id)
        & Delivery.state.not_in((DeliveryState.DONE, DeliveryState.CANCELLED))
    )
    has_not_left = Code.hand_over_time.is_null() & ~peewee.fn.EXISTS(still_going)
    Code.delete().where(Code.id.in_(looked_at) & (is_over | has_not_left)).execute()
    last: int = looked_at[-1]
    return last


def forget_guesses(before: Millis) -> None:
    """Deletes the counts of wrong guesses at codes that are long over. A unit of work."""
    CodeGuess.delete().where(CodeGuess.window_start_time < before).execute()
