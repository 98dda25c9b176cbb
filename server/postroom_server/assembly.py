"""Puts a server together from its settings, runs it, and takes it down in order. Knows everyone."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import functools
import inspect
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from datetime import timedelta

import structlog

from postroom_server.clock import Clock, SteeredClock
from postroom_server.delivery.engine import Engine
from postroom_server.delivery.held import expire_held_forever
from postroom_server.delivery.metrics import DeliveryMetrics
from postroom_server.delivery.worker import Presence, Rhythm, rescue_all
from postroom_server.exposition import new_registry, serve_metrics
from postroom_server.mail.default_templates.installation import ensure_default_templates
from postroom_server.mail.housekeeping import Housekeeping
from postroom_server.mail.limits import Limits
from postroom_server.mail.recognition import Tokens
from postroom_server.mail.template_usage import TemplateUsage
from postroom_server.mail.tenants import ensure_platform
from postroom_server.outbound import Outbound
from postroom_server.rest import gateway_trust, http_settings, serve_rest
from postroom_server.rpc.access import LineWriter, Write
from postroom_server.rpc.in_flight import InFlight
from postroom_server.rpc.listener import Listener, ListenerSettings, credentials_of
from postroom_server.rpc.local_channel import LocalChannel
from postroom_server.rpc.metrics import Metrics
from postroom_server.rpc.scope_table import SCOPES
from postroom_server.rpc.services import Services
from postroom_server.rpc.stack import stack
from postroom_server.servicers import Parts, register
from postroom_server.settings import Settings
from postroom_server.stopping import stopping_on_signals
from postroom_server.store.ids import IdMint
from postroom_server.store.known import Memory, read_generation
from postroom_server.store.opening import Address, OpenDatabase, open_database
from postroom_server.store.time import database_now
from postroom_server.store.unit import Store

log = structlog.get_logger()


@dataclasses.dataclass(frozen=True, slots=True)
class Running:
    """A server that is up."""

    settings: Settings
    store: Store
    channel: LocalChannel
    engine: Engine
    grpc_port: int  # 0: this process does not listen
    http_port: int  # the same


async def serve(
    settings: Settings, *, on_ready: Callable[[Running], Awaitable[None] | None] | None = None
) -> None:
    """Runs a server until SIGTERM or SIGINT, then drains it.

    Raises, before anything is served, DatabaseUnusableError, StoreInUseError, DataKeyError,
    OldDatabaseError or ConfigurationError: what an operator has to mend, in one line.
    """
    told_to_stop = asyncio.Event()
    with stopping_on_signals(told_to_stop):
        async with running(settings, on_fenced=told_to_stop.set) as server:
            if on_ready is not None:
                answer = on_ready(server)
                if inspect.isawaitable(answer):
                    await answer
            await told_to_stop.wait()
            log.info("draining")


@contextlib.asynccontextmanager
async def running(
    settings: Settings, *, clock: Clock | None = None, on_fenced: Callable[[], None] = lambda: None
) -> AsyncIterator[Running]:
    """A server for as long as the context lasts; leaving it drains."""
    server = _Server(settings, clock or _clock_of(settings), on_fenced)
    try:
        yield await server.start()
    finally:
        await server.stop()


class _Server:
    """The parts of one process and the order in which they start and stop."""

    def __init__(self, settings: Settings, clock: Clock, on_fenced: Callable[[], None]) -> None:
        self._settings = settings
        self._clock = clock
        self._on_fenced = on_fenced
        self._in_flight = InFlight()
        self._memory = Memory()
        self._ending = contextlib.AsyncExitStack()

    async def start(self) -> Running:
        settings = self._settings
        serves_grpc = settings.only in ("", "api")
        # The address is judged before the database is touched: it is the likelier mistake.
        listener_settings = _listener_settings(settings)
        credentials_of(listener_settings)
        http = http_settings(settings) if serves_grpc and settings.http_address else None
        database = self._open()
        self._ending.callback(database.close)
        registry = new_registry()
        if settings.metrics_address:
            self._ending.callback(serve_metrics(registry, settings.metrics_address))
        store = database.store
        if isinstance(self._clock, SteeredClock):
            self._clock.steer(await store.read(database_now), self._clock.monotonic())
        await store.write(ensure_platform, self._clock.now())
        metrics = DeliveryMetrics(registry)
        mint, presence = await self._join(store, metrics)
        await store.write(ensure_default_templates, self._clock, mint)
        limits = Limits(**settings.limits())
        outbound = Outbound(settings, limits, self._clock, database, self._memory, mint, presence, metrics)
        engine = outbound.engine
        tokens = Tokens(store, self._clock)
        self._ending.push_async_callback(tokens.close)
        services = Services(
            stack(
                clock=self._clock,
                metrics=Metrics(registry),
                in_flight=self._in_flight,
                authenticate=tokens.authenticate,
                trusts_gateway=gateway_trust(settings),
                was_recognised=tokens.was_recognised,
                scopes=SCOPES,
                access_lines=self._access_lines(),
            )
        )
        register(
            services,
            Parts(
                settings=settings,
                limits=limits,
                clock=self._clock,
                database=database,
                mint=mint,
                memory=self._memory,
                outbound=outbound,
                tokens=tokens,
                registry=registry,
                usage=TemplateUsage() if settings.template_guard_days else None,
            ),
        )
        if presence:
            # Before the engine starts, so that it goes on beating while the engine drains.
            self._beat(presence, mint, engine)
        if settings.only in ("", "delivery"):
            self._ending.push_async_callback(outbound.stop)
            await outbound.start()
        self._beside("held", expire_held_forever(store, self._clock))
        housekeeping = Housekeeping(store, self._clock, limits, guard_days=settings.template_guard_days)
        self._beside("housekeeping", housekeeping.run())
        channel = LocalChannel(services)
        self._ending.push_async_callback(channel.close)
        grpc_port = await self._listen(services, listener_settings, store) if serves_grpc else 0
        http_port = 0
        if http is not None:
            rest = await serve_rest(settings, http, channel, registry, clock=self._clock, is_remote=False)
            self._ending.push_async_callback(rest.drain, self._drain_limit)
            http_port = rest.port
        # What began last ends first: nothing new is leased while callers are still waited for.
        self._ending.callback(engine.stop_leasing)
        return Running(settings, store, channel, engine, grpc_port, http_port)

    @property
    def _drain_limit(self) -> timedelta:
        return timedelta(seconds=self._settings.drain_seconds)

    async def stop(self) -> None:
        """What began last ends first: callers, then the engine, then the database."""
        await self._ending.aclose()

    def _open(self) -> OpenDatabase:
        settings = self._settings
        return open_database(
            Address(settings.database_url),
            key_text=settings.data_key.get_secret_value() or None,
            key_file=settings.data_key_file,
            auto_migrate=settings.auto_migrate,
            connections=settings.database_connections,
        )

    async def _join(self, store: Store, metrics: DeliveryMetrics) -> tuple[IdMint, Presence | None]:
        """On PostgreSQL this process is one of many and takes a number; on SQLite it is alone."""
        if Address(self._settings.database_url).sqlite_path is not None:
            return IdMint(self._clock), None
        settings = self._settings
        presence = Presence(
            store,
            self._clock,
            Rhythm(settings.beat_seconds, settings.dead_after_seconds),
            on_rescued=metrics.rescued,
        )
        number = await presence.claim()
        mint = IdMint(self._clock, node=number, may_mint=presence.is_alive)
        self._ending.push_async_callback(presence.leave, mint)
        # Should an earlier bearer of the number have left anything, then nobody else would find it.
        await rescue_all(store, mint, self._clock, number, metrics.rescued)
        return mint, presence

    def _beat(self, presence: Presence, mint: IdMint, engine: Engine) -> None:
        def fenced() -> None:
            engine.halt()
            self._on_fenced()

        beating = presence.beat_forever(
            mint,
            on_cancels=engine.cancel,
            on_silent=engine.halt,
            on_heard=engine.go_on,
            on_fenced=fenced,
        )
        self._beside("beat", beating)

    def _beside(self, name: str, work: Coroutine[None, None, None]) -> None:
        """Runs something until the server stops."""
        task = asyncio.create_task(work, name=name)

        async def stop() -> None:
            task.cancel()
            await asyncio.wait([task])

        self._ending.push_async_callback(stop)

    async def _listen(self, services: Services, settings: ListenerSettings, store: Store) -> int:
        probe = functools.partial(store.read, read_generation)
        listener = Listener(services, self._in_flight, settings, probe=probe)
        await listener.start()
        self._ending.push_async_callback(listener.drain, self._drain_limit)
        log.info("listening", address=settings.address, port=listener.port)
        return listener.port

    def _access_lines(self) -> Write:
        settings = self._settings
        if settings.log_level in ("warning", "error"):
            return lambda _: None
        lines = LineWriter(sys.stderr, as_json=settings.log_format == "json")
        self._ending.callback(lines.flush)
        return lines


def _clock_of(settings: Settings) -> Clock:
    """The machine's where it is the only one; else all processes follow the database's."""
    return Clock() if Address(settings.database_url).sqlite_path is not None else SteeredClock()


def _listener_settings(settings: Settings) -> ListenerSettings:
    return ListenerSettings(
        address=settings.grpc_address,
        grpc_tls_cert=settings.grpc_tls_cert,
        grpc_tls_key=settings.grpc_tls_key,
        grpc_tls_client_ca=settings.grpc_tls_client_ca,
        grpc_plaintext_ok=settings.grpc_plaintext_ok,
        reflection=settings.reflection,
    )
