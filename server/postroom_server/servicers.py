"""Makes the servicers of every service over their use cases, and registers them."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable, Sequence
from datetime import timedelta

import prometheus_client

from postroom.v1 import (
    directory_service_pb2_grpc,
    email_service_pb2_grpc,
    mail_server_service_pb2_grpc,
    suppression_service_pb2_grpc,
    template_service_pb2_grpc,
    tenant_service_pb2_grpc,
    token_service_pb2_grpc,
)
from postroom_server.clock import Clock
from postroom_server.delivery.engine import Engine
from postroom_server.delivery.trial import Trial
from postroom_server.failpoints import reach
from postroom_server.mail.accept import Acceptance, Accepted
from postroom_server.mail.bindings import Bindings
from postroom_server.mail.bounces import Bounces
from postroom_server.mail.changes import Changes
from postroom_server.mail.codes import CodeChecks
from postroom_server.mail.cursor import Cursors
from postroom_server.mail.events import Events
from postroom_server.mail.limits import Limits
from postroom_server.mail.member_list import MemberList
from postroom_server.mail.members import Members
from postroom_server.mail.page_token import PageTokens
from postroom_server.mail.recipients import Recipients
from postroom_server.mail.recognition import Tokens
from postroom_server.mail.records import Records
from postroom_server.mail.rendering import Rendering
from postroom_server.mail.retries import Retries
from postroom_server.mail.server_list import ServerList
from postroom_server.mail.server_test import ServerTest
from postroom_server.mail.servers import BreakerFacts, Servers
from postroom_server.mail.suppression_list import SuppressionList
from postroom_server.mail.suppressions import Suppressions
from postroom_server.mail.template_guard import PublishingGuard
from postroom_server.mail.template_list import TemplateList
from postroom_server.mail.template_review import Reviews
from postroom_server.mail.template_usage import TemplateUsage
from postroom_server.mail.template_versions import TemplateVersions
from postroom_server.mail.templates import Templates
from postroom_server.mail.tenant_list import TenantList
from postroom_server.mail.tenants import Tenants, TenantSettings
from postroom_server.mail.token_list import TokenList
from postroom_server.mail.unsubscribing import Unsubscribing
from postroom_server.message.unsubscribe import UnsubscribeBase
from postroom_server.outbound import Outbound, unsubscribe_base
from postroom_server.refusals import Refusal
from postroom_server.rpc.directory_servicer import DirectoryServicer
from postroom_server.rpc.email_repairs import Repairing
from postroom_server.rpc.email_sends import Sending
from postroom_server.rpc.email_servicer import EmailServicer, Reading
from postroom_server.rpc.event_stream import Bell, EventStream
from postroom_server.rpc.mail_server_servicer import MailServerServicer
from postroom_server.rpc.metrics import unsubscribed_counter
from postroom_server.rpc.services import Services
from postroom_server.rpc.suppression_servicer import SuppressionServicer
from postroom_server.rpc.template_servicer import TemplateServicer, TemplateUses
from postroom_server.rpc.tenant_servicer import TenantServicer
from postroom_server.rpc.token_servicer import TokenServicer
from postroom_server.settings import Settings
from postroom_server.store.codes import CodeMaker
from postroom_server.store.ids import IdMint
from postroom_server.store.known import Memory
from postroom_server.store.opening import OpenDatabase
from postroom_server.store.sealing import Sealer
from postroom_server.store.unsubscribe_tokens import UnsubscribeTokens


@dataclasses.dataclass(frozen=True, slots=True)
class Parts:
    """What use cases are made of."""

    settings: Settings
    limits: Limits
    clock: Clock
    database: OpenDatabase
    mint: IdMint
    memory: Memory
    outbound: Outbound
    tokens: Tokens
    registry: prometheus_client.CollectorRegistry
    usage: TemplateUsage | None  # None: templates are not guarded

    @property
    def tenant_settings(self) -> TenantSettings:
        return TenantSettings(review_mode=self.settings.review_mode.upper())

    @property
    def pages(self) -> PageTokens:
        return PageTokens(self.database.key.derive("page-tokens"))

    @property
    def guard(self) -> PublishingGuard | None:
        if self.usage is None:
            return None
        return PublishingGuard(self.clock, self.memory, self.settings.template_guard_days)

    @property
    def unsubscribe_base(self) -> UnsubscribeBase | None:
        return unsubscribe_base(self.settings)


def register(services: Services, parts: Parts) -> None:
    """Registers every service of the contract. Call it in the event loop that will serve them."""
    store, clock, mint, pages = parts.database.store, parts.clock, parts.mint, parts.pages
    services.add(email_service_pb2_grpc.add_EmailServiceServicer_to_server, _email(parts))
    services.add(template_service_pb2_grpc.add_TemplateServiceServicer_to_server, _template(parts))
    services.add(mail_server_service_pb2_grpc.add_MailServerServiceServicer_to_server, _mail_server(parts))
    services.add(
        tenant_service_pb2_grpc.add_TenantServiceServicer_to_server,
        TenantServicer(store, Tenants(clock, mint, parts.tenant_settings), TenantList(pages)),
    )
    services.add(
        token_service_pb2_grpc.add_TokenServiceServicer_to_server,
        TokenServicer(store, clock, mint, TokenList(pages)),
    )
    services.add(
        directory_service_pb2_grpc.add_DirectoryServiceServicer_to_server,
        DirectoryServicer(store, Members(clock, mint), MemberList(pages)),
    )
    services.add(
        suppression_service_pb2_grpc.add_SuppressionServiceServicer_to_server,
        SuppressionServicer(
            store,
            Suppressions(clock, mint),
            SuppressionList(pages),
            Unsubscribing(clock, mint, UnsubscribeTokens(parts.database.key)),
            unsubscribed_counter(parts.registry),
        ),
    )


def _email(parts: Parts) -> EmailServicer:
    store, clock, memory, limits = parts.database.store, parts.clock, parts.memory, parts.limits
    outbound = parts.outbound
    acceptance = Acceptance(
        clock,
        parts.mint,
        memory,
        outbound.admission,
        limits,
        default_language=parts.settings.default_language,
        code_key_id=parts.database.key.key_id,
        url_rules=outbound.url_rules,
        cc_every_copy=parts.settings.cc_every_copy,
        unsubscribe=parts.unsubscribe_base,
        usage=parts.usage,
    )
    bell = Bell()
    loop = asyncio.get_running_loop()

    def on_due(_: object) -> None:
        outbound.engine.wake()
        outbound.preparing.wake()
        loop.call_soon_threadsafe(bell.ring)

    def on_accepted(outcomes: Sequence[Accepted | Refusal]) -> None:
        reach("after_accept_commit")
        fresh = [outcome for outcome in outcomes if isinstance(outcome, Accepted) and outcome.due is not None]
        if parts.usage is not None:
            parts.usage.remember([one for outcome in fresh for one in outcome.noticed])
        # What is due later than the engine's next look does not disturb it now.
        soon = clock.now() + parts.settings.poll_ms
        if any(outcome.due <= soon for outcome in fresh if outcome.due is not None):
            outbound.engine.wake()
        if any(outcome.fetches for outcome in fresh):
            outbound.preparing.wake()
        if any(outcome.expands for outcome in fresh):
            outbound.expanding.wake()
        loop.call_soon_threadsafe(bell.ring)

    events = Events(Cursors(parts.database.stream_epoch))
    poll = timedelta(milliseconds=parts.settings.poll_ms)
    return EmailServicer(
        store,
        Sending(
            memory,
            acceptance,
            ServerTest(acceptance, memory, clock),
            Trial(
                store, memory, parts.mint, outbound.letters, outbound.endpoints, clock, owner=outbound.owner
            ),
            on_accepted,
        ),
        Reading(
            Records(parts.pages),
            Recipients(parts.pages),
            Changes(clock, limits),
            events,
            EventStream(store, events, clock, is_in_force=parts.tokens.is_in_force, bell=bell, poll=poll),
            outbound.engine.cancel,
        ),
        CodeChecks(clock, parts.mint, CodeMaker(parts.database.key), limits),
        Repairing(Retries(clock, limits), Bounces(clock, parts.mint), on_due),
    )


def _template(parts: Parts) -> TemplateServicer:
    clock, mint, limits, pages = parts.clock, parts.mint, parts.limits, parts.pages
    return TemplateServicer(
        parts.database.store,
        TemplateUses(
            templates=Templates(clock, mint, limits, parts.tenant_settings, parts.guard),
            templates_listed=TemplateList(pages),
            versions=TemplateVersions(clock, mint, pages, parts.tenant_settings, parts.guard),
            reviews=Reviews(clock, parts.tenant_settings, parts.guard),
            bindings=Bindings(clock, mint, pages),
            rendering=Rendering(parts.memory, limits, parts.tenant_settings, parts.unsubscribe_base),
            memory=parts.memory,
        ),
    )


def _mail_server(parts: Parts) -> MailServerServicer:
    servers = Servers(
        parts.clock,
        parts.mint,
        Sealer(parts.database.key),
        parts.limits,
        plaintext_hosts=parts.settings.smtp_plaintext_hosts,
    )
    return MailServerServicer(
        parts.database.store, servers, ServerList(parts.pages), _breakers(parts.outbound.engine, parts.clock)
    )


def _breakers(engine: Engine, clock: Clock) -> Callable[[int], BreakerFacts | None]:
    def facts(server_id: int) -> BreakerFacts | None:
        breaker = engine.breaker_of(server_id)
        if breaker is None:
            return None
        return BreakerFacts(
            state=breaker.state(clock.now()).value,
            failure_count=breaker.failures,
            reopen_time=breaker.reopen_time or None,
            phase=breaker.phase.value if breaker.phase else "",
            reply=breaker.reply,
        )

    return facts
