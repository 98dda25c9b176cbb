"""Recognition: from a secret to its caller, without asking the database for secrets seen a moment ago."""

from __future__ import annotations

import asyncio
import dataclasses
import hmac
import json
from datetime import timedelta
from typing import Any

import structlog

from postroom_server.clock import MINUTE, Clock, Millis
from postroom_server.mail.call_rate import CallRate
from postroom_server.mail.caller import Caller, Scope
from postroom_server.mail.tokens import hash_of
from postroom_server.refusals import Reason, Refusal
from postroom_server.store.known import read_generation
from postroom_server.store.models import Token
from postroom_server.store.statement import Statement, bind
from postroom_server.store.unit import Store

log = structlog.get_logger("postroom.tokens")

_FRESH_SECONDS = 1.0
_MOST_KEPT = 10_000
_FIND = Statement(
    lambda: Token.select(
        Token.id,
        Token.tenant_id,
        Token.name,
        Token.scopes,
        Token.test,
        Token.user_id,
        Token.api_user,
        Token.calls_per_minute,
        Token.expire_time,
        Token.last_used_time,
    ).where((Token.secret_hash == bind("secret_hash")) & Token.revoke_time.is_null())
)
_NEVER: Millis = 2**63


@dataclasses.dataclass(slots=True)
class _Entry:
    caller: Caller
    api_user: bytes
    expire_time: Millis
    rate: CallRate | None
    use_due: Millis  # when the next use is worth writing down


class Tokens:
    """The tokens in force, as this process knows them.

    A bearer token is its secret; an apiUser/apiKey pair is presented as `api_user:secret`. What is kept is
    dropped when the generation row has moved, which is looked at once a second at most, so that a revoked
    token ends within a second. Secrets are found by their SHA-256: how long the look-up takes tells about
    the hash of a guess, and nothing about a secret, so there is no comparison whose time could leak one.
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._entries: dict[bytes, _Entry] = {}
        self._recognised: set[bytes] = set()
        self._generation = -1
        self._fresh_until = float("-inf")
        self._refreshing: asyncio.Task[None] | None = None
        self._finding: dict[bytes, asyncio.Task[_Entry | None]] = {}
        self._rates: dict[int, CallRate] = {}
        self._used: dict[int, Millis] = {}
        self._last_written: dict[int, Millis] = {}
        self._writing: asyncio.Task[None] | None = None

    async def authenticate(self, credential: str) -> Caller | None:
        """The caller whose credential this is; None when it is unknown, revoked or expired.

        Raises RATE_LIMITED when the token has made its calls of the minute.
        """
        entry = await self._look_up(credential)
        if entry is None:
            return None
        if entry.rate is not None:
            _refuse_hasty(entry.rate, self._clock.monotonic())
        now = self._clock.now()
        if now >= entry.use_due:
            self._note_use(entry, now)
        return entry.caller

    def was_recognised(self, credential: str) -> bool:
        """Whether this secret has been a right one in this process; it may have ended since."""
        return hash_of(credential.rpartition(":")[2]) in self._recognised

    async def is_in_force(self, credential: str) -> bool:
        """Whether a call that was let in would still be: for streams, which outlive their first look."""
        return await self._look_up(credential) is not None

    async def _look_up(self, credential: str) -> _Entry | None:
        if self._clock.monotonic() >= self._fresh_until:
            await self._refresh()
        api_user, _, secret = credential.rpartition(":")
        secret_hash = hash_of(secret)
        entry = self._entries.get(secret_hash) or await self._find(secret_hash)
        if entry is None or self._clock.now() >= entry.expire_time:
            return None
        if (api_user or entry.api_user) and not hmac.compare_digest(
            api_user.encode(errors="replace"), entry.api_user
        ):
            return None
        return entry

    async def close(self) -> None:
        """Writes down the last uses that are still to be written."""
        if self._writing is not None:
            await self._writing

    async def _refresh(self) -> None:
        # One look for all who wait; it goes on when the caller who began it goes away.
        if self._refreshing is None:
            self._refreshing = asyncio.ensure_future(self._compare_generations())
        await asyncio.shield(self._refreshing)

    async def _compare_generations(self) -> None:
        try:
            began = self._clock.monotonic()
            generation = await self._store.read(read_generation)
            if generation != self._generation:
                # A look-up under way may have read the rows before this change: it is not to be kept either.
                self._entries = {}
                self._finding = {}
                self._generation = generation
            self._fresh_until = began + _FRESH_SECONDS
        finally:
            self._refreshing = None

    async def _find(self, secret_hash: bytes) -> _Entry | None:
        finding = self._finding.get(secret_hash)
        if finding is None:
            finding = asyncio.ensure_future(self._read(secret_hash, self._entries, self._finding))
            self._finding[secret_hash] = finding
        return await asyncio.shield(finding)

    async def _read(
        self,
        secret_hash: bytes,
        entries: dict[bytes, _Entry],
        finding: dict[bytes, asyncio.Task[_Entry | None]],
    ) -> _Entry | None:
        try:
            rows = await self._store.read(_FIND.rows, secret_hash=secret_hash)
        finally:
            finding.pop(secret_hash, None)
        # Unknown secrets are not kept: guessing must not fill the memory, and a new token works at once.
        if not rows:
            return None
        entry = self._entry(rows[0])
        if len(entries) >= _MOST_KEPT:
            entries.clear()
        entries[secret_hash] = entry
        if len(self._recognised) >= _MOST_KEPT:
            self._recognised.clear()
        self._recognised.add(secret_hash)
        return entry

    def _entry(self, row: tuple[Any, ...]) -> _Entry:
        id_, tenant_id, name, scopes, test, user_id, api_user, calls_per_minute, expire_time, last_used = row
        written = max(self._last_written.get(id_, 0), last_used or 0)
        return _Entry(
            caller=Caller(
                tenant_id=tenant_id,
                token_id=id_,
                name=name,
                scopes=frozenset(Scope(value) for value in json.loads(scopes)),
                test=bool(test),
                user_id=user_id,
            ),
            api_user=(api_user or "").encode(),
            expire_time=_NEVER if expire_time is None else expire_time,
            rate=self._rates.setdefault(id_, CallRate(calls_per_minute)) if calls_per_minute else None,
            use_due=written + MINUTE,
        )

    def _note_use(self, entry: _Entry, now: Millis) -> None:
        token_id = entry.caller.token_id
        entry.use_due = now + MINUTE
        self._last_written[token_id] = now
        self._used[token_id] = now
        if self._writing is None:
            self._writing = asyncio.ensure_future(self._write_uses())

    async def _write_uses(self) -> None:
        try:
            while self._used:
                used, self._used = self._used, {}
                await self._store.write(_store_uses, used)
        except Exception:
            # Nobody waits for this. The next use, a minute later, tries again.
            log.warning("token_use_not_written", exc_info=True)
        finally:
            self._writing = None


def _store_uses(used: dict[int, Millis]) -> None:
    for token_id, time in used.items():
        later = Token.last_used_time.is_null() | (Token.last_used_time < time)
        Token.update(last_used_time=time).where((Token.id == token_id) & later).execute()


def _refuse_hasty(rate: CallRate, monotonic: float) -> None:
    wait = rate.take(monotonic)
    if wait > 0:
        raise Refusal(
            Reason.RATE_LIMITED,
            f"this token may make {rate.per_minute} calls a minute",
            metadata={"calls_per_minute": str(rate.per_minute)},
            retry_after=timedelta(seconds=wait),
        )
