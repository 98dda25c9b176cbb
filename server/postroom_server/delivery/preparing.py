"""The PREPARING stage: fetches the attachments of accepted emails, once, before they can be leased."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable
from typing import Protocol

import structlog

from postroom_server.clock import Millis
from postroom_server.delivery.preparation import (
    Claimed,
    Concluded,
    Turns,
    claim,
    conclude,
    fail,
    give_back,
    keep,
    next_file,
)
from postroom_server.delivery.stage import Stage, StageSettings
from postroom_server.fetch import Fetched, FetchFailed, FetchRefused
from postroom_server.refusals import Refusal
from postroom_server.store.ids import IdMint
from postroom_server.store.unit import Store

log = structlog.get_logger()


class Fetches(Protocol):
    """What the stage asks of `fetch.Fetcher`."""

    async def fetch(self, url: str, *, max_bytes: int | None = None) -> Fetched: ...


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PreparingSettings(StageSettings):
    total_bytes: int = 20 << 20  # of an email's files together


class Preparing:
    """Runs in the event loop of its process. `wake` may be called from any thread."""

    def __init__(
        self,
        store: Store,
        fetcher: Fetches,
        mint: IdMint,
        *,
        settings: PreparingSettings,
        due_now: Callable[[], Millis],
        on_ready: Callable[[], None],
    ) -> None:
        self._store = store
        self._fetcher = fetcher
        self._mint = mint
        self._settings = settings
        # Called inside units: on PostgreSQL the database's clock decides what is due.
        self._due_now = due_now
        self._on_ready = on_ready
        self._turns = Turns()
        self._stage = Stage("preparing", claim=self._claim, work=self._prepare, settings=settings)

    async def start(self) -> None:
        self._stage.start()

    def wake(self) -> None:
        """Says that something may be due. Cheap; safe from any thread."""
        self._stage.wake()

    async def stop(self) -> None:
        """Stops claiming, breaks off what is being fetched and leaves it to the next process, at once."""
        in_hand = await self._stage.stop_claiming()
        for task in in_hand.values():
            task.cancel()
        await asyncio.gather(*in_hand.values(), return_exceptions=True)
        for email_id in in_hand:
            await self._give_back(email_id)

    async def _claim(self, busy_tenants: list[int], in_hand: list[int]) -> Claimed | None:
        return await self._store.write(claim, self._turns, busy_tenants, in_hand, self._due_now)

    async def _prepare(self, claimed: Claimed) -> None:
        """One round over the files that an email lacks."""
        concluded = await self._round(claimed)
        if concluded.failure:
            log.warning("attachment_not_had", email=claimed.email_id, reason=concluded.failure)
        if concluded.ready:
            self._on_ready()

    async def _round(self, claimed: Claimed) -> Concluded:
        position = -1
        while (
            file := await self._store.write(
                next_file, claimed.email_id, position, self._settings.total_bytes, self._due_now
            )
        ) is not None:
            position = file.position
            try:
                fetched = await self._fetcher.fetch(file.url, max_bytes=file.max_bytes)
            except FetchRefused as refused:
                return await self._store.write(fail, claimed.email_id, refused.detail, self._due_now)
            except FetchFailed as failed:
                log.info("attachment_not_fetched", email=claimed.email_id, error=failed.detail)
                continue
            except Exception:
                # A mistake of ours must not be repeated for days: it counts as a failure too.
                log.exception("attachment_not_fetched", email=claimed.email_id)
                continue
            kept = await self._store.write(
                keep, claimed, file, fetched, self._settings.total_bytes, self._mint, self._due_now
            )
            if not kept:
                return await self._store.write(
                    fail, claimed.email_id, "too many bytes together", self._due_now
                )
        return await self._store.write(conclude, claimed.email_id, self._due_now)

    async def _give_back(self, email_id: int) -> None:
        try:
            await self._store.write(give_back, email_id, self._due_now)
        except Refusal as refusal:
            log.warning("not_given_back", email=email_id, reason=refusal.reason.value)
