"""What becomes of accepted mail: audiences are looked up, files are fetched, the engine hands over."""

from __future__ import annotations

import asyncio
import contextlib
import math

from postroom_server.clock import Clock
from postroom_server.delivery.endpoints import Endpoints, SmtpSettings
from postroom_server.delivery.engine import Engine, EngineSettings
from postroom_server.delivery.expanding import Expanding, ExpandingSettings
from postroom_server.delivery.letters import Letters
from postroom_server.delivery.metrics import DeliveryMetrics
from postroom_server.delivery.preparing import Preparing, PreparingSettings
from postroom_server.delivery.queue import QueueWatch
from postroom_server.delivery.unsubscribing import UnsubscribeLinks
from postroom_server.delivery.worker import Presence, rescue_all
from postroom_server.fetch import Fetcher, Rules
from postroom_server.mail.admission import Admission
from postroom_server.mail.audience_expansion import AudienceExpansion
from postroom_server.mail.limits import Limits
from postroom_server.message.unsubscribe import UnsubscribeBase
from postroom_server.rpc.endpoint import ConfigurationError
from postroom_server.sender.ways import Use
from postroom_server.settings import Settings
from postroom_server.store.codes import CodeMaker
from postroom_server.store.ids import IdMint
from postroom_server.store.known import Memory
from postroom_server.store.opening import Address, OpenDatabase
from postroom_server.store.sealing import Sealer
from postroom_server.store.time import database_now
from postroom_server.store.unsubscribe_tokens import UnsubscribeTokens


class Outbound:
    """Made in every process, for calls wake, cancel and look; begun in those that hand over.

    `presence`: this process among those of a PostgreSQL database; None on SQLite, where it is alone. Raises
    ConfigurationError where the settings contradict themselves.
    """

    def __init__(
        self,
        settings: Settings,
        limits: Limits,
        clock: Clock,
        database: OpenDatabase,
        memory: Memory,
        mint: IdMint,
        presence: Presence | None,
        metrics: DeliveryMetrics,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._store = database.store
        self._mint = mint
        self._alone = presence is None
        self._metrics = metrics
        # Where processes share a database, its clock decides what is due.
        self._due_now = clock.now if presence is None else database_now
        self._ending = contextlib.AsyncExitStack()
        self.owner = 0 if presence is None else presence.number  # of leases made here
        path = Address(settings.database_url).sqlite_path
        self.admission = Admission(clock, limits, data_folder=path.parent if path is not None else None)
        self.url_rules = _url_rules(settings)
        self.endpoints = Endpoints(Sealer(database.key), _smtp_settings(settings))
        base = unsubscribe_base(settings)
        links = UnsubscribeLinks(base, UnsubscribeTokens(database.key)) if base else None
        self.letters = Letters(database.store, memory, CodeMaker(database.key), links)
        self.engine = self._engine(memory, presence)
        self._steps = self._audience_steps(memory, limits)
        poll_seconds = settings.poll_ms / 1000
        self.expanding = Expanding(
            database.store,
            self._steps,
            settings=ExpandingSettings(poll_seconds=poll_seconds),
            on_ready=self.engine.wake,
        )
        self.preparing = Preparing(
            database.store,
            Fetcher(
                self.url_rules,
                ca_file=str(settings.attachment_ca_file) if settings.attachment_ca_file else None,
                max_bytes=settings.limit_attachment_bytes,
            ),
            mint,
            settings=PreparingSettings(
                slots=settings.preparing_slots,
                total_bytes=settings.limit_attachments_bytes,
                poll_seconds=poll_seconds,
            ),
            due_now=self._due_now,
            on_ready=self._prepared,
        )

    async def start(self) -> None:
        """Takes up what a predecessor left, and begins."""
        if self._alone:
            await rescue_all(self._store, self._mint, self._clock, None, self._metrics.rescued)
            await self._store.write(self._steps.resume)
        await self.engine.start()
        self._ending.push_async_callback(self.engine.drain, self._settings.drain_seconds)
        await self.preparing.start()
        self._ending.push_async_callback(self.preparing.stop)
        await self.expanding.start()
        self._ending.push_async_callback(self.expanding.stop)
        queue = QueueWatch(self._store, self._due_now)
        watching = asyncio.create_task(queue.run(), name="queue")
        self._ending.push_async_callback(asyncio.wait, [watching])
        self._ending.callback(watching.cancel)
        engine = self.engine
        self._metrics.watch(
            lambda: engine.in_hand, engine.breakers, lambda: queue.waiting, lambda: engine.has_sender
        )

    async def stop(self) -> None:
        """Ends what was begun, the engine last: it waits for what has its dot, and writes all outcomes."""
        await self._ending.aclose()

    def _prepared(self) -> None:
        self.engine.wake()
        self.expanding.wake()

    def _engine(self, memory: Memory, presence: Presence | None) -> Engine:
        settings = self._settings
        return Engine(
            self._store,
            memory,
            self._mint,
            self.letters,
            self.endpoints,
            self._clock,
            owner=self.owner,
            settings=EngineSettings(
                capacity=8 * settings.delivery_slots,
                server_slots=settings.server_connections,
                sender=Use(settings.sender_process),
                poll_seconds=settings.poll_ms / 1000,
            ),
            due_now=self._due_now,
            still_ours=presence.check_ours if presence else lambda: None,
            believed_until=presence.believed_until if presence else lambda: math.inf,
            metrics=self._metrics,
        )

    def _audience_steps(self, memory: Memory, limits: Limits) -> AudienceExpansion:
        return AudienceExpansion(
            self._clock,
            self._mint,
            memory,
            self.admission,
            limits,
            due_now=self._due_now,
            unsubscribe=unsubscribe_base(self._settings),
        )


def unsubscribe_base(settings: Settings) -> UnsubscribeBase | None:
    """Where links to unsubscribe by lead, when that is set."""
    return UnsubscribeBase(settings.unsubscribe_base_url) if settings.unsubscribe_base_url else None


def _url_rules(settings: Settings) -> Rules:
    try:
        return Rules.of(
            http=settings.attachment_http,
            ports=[int(port) for port in settings.attachment_ports],
            hosts=settings.attachment_hosts,
        )
    except ValueError as error:
        raise ConfigurationError(f"attachment_hosts or attachment_ports: {error}") from None


def _smtp_settings(settings: Settings) -> SmtpSettings:
    return SmtpSettings(
        helo_name=settings.helo_name, ca_file=str(settings.smtp_ca_file) if settings.smtp_ca_file else None
    )
