"""Acceptance that notices what templates are called with, and the guard that asks for it."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from accepting import Accepting, templated
from fakes import ManualClock
from peers.configuration import ACME, AUTHOR, template
from postroom_server.mail.accept import Acceptance, Accepted, Outcome
from postroom_server.mail.broken_call import RememberedCall
from postroom_server.mail.caller import Caller
from postroom_server.mail.draft import Draft
from postroom_server.mail.limits import Limits
from postroom_server.mail.page_token import PageTokens
from postroom_server.mail.template_calls import find_calls
from postroom_server.mail.template_form import ContentForm, TemplateRecord, VariableForm, VariantForm
from postroom_server.mail.template_guard import PublishingGuard
from postroom_server.mail.template_review import Reviews
from postroom_server.mail.template_usage import TemplateUsage
from postroom_server.mail.template_versions import TemplateVersions
from postroom_server.mail.templates import Templates
from postroom_server.mail.tenants import TenantSettings
from postroom_server.rpc.compiled_first import CompiledFirst
from postroom_server.store.ids import IdMint
from postroom_server.store.models import TemplateCall, TemplateCaller
from postroom_server.store.opening import OpenDatabase


def saying(text: str, *variables: VariableForm, **others: str) -> ContentForm:
    """Content in English, and in the languages that `others` name (`zh_CN="..."`)."""
    languages = {"en": text, **{tag.replace("_", "-"): words for tag, words in others.items()}}
    variants = tuple(VariantForm(tag, "Hello", text=words) for tag, words in languages.items())
    return ContentForm(variants=variants, variables=variables, default_language="en")


class Guarding(Accepting):
    """`send(name="Ann")` is an accepted email; `publish(content)` an update of the template it names."""

    clock: ManualClock

    def __init__(
        self,
        opened: OpenDatabase,
        *,
        days: int = 30,
        usage: TemplateUsage | None = None,
        limits: Limits | None = None,
        node: int = 0,
    ) -> None:
        limits = limits or Limits()
        super().__init__(opened, limits)
        # Another process on the same database has numbers of its own.
        self.mint = IdMint(self.clock, node=node)
        self.usage = usage or TemplateUsage()
        self.guard = PublishingGuard(self.clock, self.memory, days)
        settings = TenantSettings()
        self.templates = Templates(self.clock, self.mint, limits, settings, self.guard)
        self.versions = TemplateVersions(self.clock, self.mint, PageTokens(b"k" * 32), settings, self.guard)
        self.reviews = Reviews(self.clock, settings, self.guard)
        self.acceptance = Acceptance(
            self.clock,
            self.mint,
            self.memory,
            self.admission,
            limits,
            default_language="en",
            code_key_id=opened.key.key_id,
            usage=self.usage,
        )
        self._compiled_first = CompiledFirst(self.store, self.memory)

    async def accept_many(self, drafts: Sequence[Draft], caller: Caller = AUTHOR) -> list[Outcome]:
        """As the servicers do it: what was stored is remembered once the unit is committed."""
        items = self.acceptance.check_batch(caller, len(drafts), drafts)

        def accept(some: Sequence[Any]) -> Awaitable[list[Outcome]]:
            unit = functools.partial(self.acceptance.accept_many, caller, some)
            return self.store.write_then(self._remember, unit)

        return await self._compiled_first.each(items, accept)

    def _remember(self, outcomes: Sequence[Outcome]) -> None:
        accepted = [outcome for outcome in outcomes if isinstance(outcome, Accepted)]
        self.usage.remember([one for outcome in accepted for one in outcome.noticed])

    async def send(
        self, *, caller: Caller = AUTHOR, draft: Draft | None = None, own: dict[str, Any] | None = None,
        labels: dict[str, str] | None = None, language: str = "", **params: Any,
    ) -> Accepted:  # fmt: skip
        made = draft or templated(
            params=params, recipient_params=own or {}, labels=labels or {}, language=language
        )
        (outcome,) = await self.accept_many([made], caller)
        if not isinstance(outcome, Accepted):
            raise outcome
        return outcome

    async def publish(
        self, content: ContentForm, *, caller: Caller = AUTHOR, allow_breaking: bool = False,
        submit: bool = True, tenant_id: int | None = None,
    ) -> TemplateRecord:  # fmt: skip
        checked = await self.store.read(
            self.templates.check_update, caller, tenant_id, template(body=content), ["content"]
        )
        return await self.compiled(
            functools.partial(self.templates.update, caller, checked, submit, allow_breaking=allow_breaking)
        )

    async def compiled(self, unit: Callable[[], TemplateRecord]) -> TemplateRecord:
        return await self._compiled_first.one(lambda: self._write(unit))

    def _write(self, unit: Callable[[], TemplateRecord]) -> Awaitable[TemplateRecord]:
        return self.store.write(unit)

    async def calls(self, invoke_name: str = "welcome", tenant_id: int = ACME) -> list[RememberedCall]:
        found = await self.store.read(
            self.templates.get, AUTHOR, tenant_id, invoke_name, include_platform=True
        )
        return await self.store.read(find_calls, found.id, 0)

    async def shapes(self) -> list[dict[str, Any]]:
        """The parameters of everything remembered, in an order of their own."""
        return sorted((call.shape.names for call in await self.calls()), key=str)

    async def stored(self) -> tuple[int, int]:
        """How many kinds of calls and callers there are."""
        counts = await self.counts()
        return counts[TemplateCall._meta.table_name], counts[TemplateCaller._meta.table_name]
