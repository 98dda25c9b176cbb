"""Template versions: listing what a template said over time, and saying it again. Units of work."""

from __future__ import annotations

import dataclasses

from postroom_server.clock import Clock
from postroom_server.mail.broken_call import Break
from postroom_server.mail.caller import Caller
from postroom_server.mail.page_token import PageTokens
from postroom_server.mail.pages import Listing, Page, PageRequest, find
from postroom_server.mail.template_form import TemplateRecord, VersionRecord
from postroom_server.mail.template_guard import PublishingGuard
from postroom_server.mail.template_list import KIND_WORDS, REVIEW_WORDS, first_that_fit
from postroom_server.mail.template_review import first_review, refuse_while_pending
from postroom_server.mail.template_rows import (
    NewVersion,
    find_template,
    find_version,
    newest,
    put_on_top,
    read_content,
    record_of,
    refuse_stale,
    version_records,
)
from postroom_server.mail.tenancy import tenant_of
from postroom_server.mail.tenants import TenantSettings, find_tenant, tenant_to_change
from postroom_server.store.filters import Field, Fields
from postroom_server.store.ids import IdMint
from postroom_server.store.known import raise_generation
from postroom_server.store.models import ReviewState, TemplateKind, TemplateVersion
from postroom_server.store.operands import Type
from postroom_server.store.ordering import Sortable

_FIELDS: Fields = {
    "version": Field(Type.NUMBER, TemplateVersion.number),
    "kind": Field(Type.ENUM, TemplateVersion.kind, words=KIND_WORDS),
    "review_state": Field(Type.ENUM, TemplateVersion.review_state, words=REVIEW_WORDS),
    "author": Field(Type.STRING, TemplateVersion.author),
    "create_time": Field(Type.TIME, TemplateVersion.create_time),
}


class TemplateVersions:
    def __init__(
        self,
        clock: Clock,
        mint: IdMint,
        tokens: PageTokens,
        settings: TenantSettings | None = None,
        guard: PublishingGuard | None = None,
    ) -> None:
        self._clock = clock
        self._mint = mint
        self._settings = settings or TenantSettings()
        self._guard = guard
        self._listing = Listing(
            method="ListTemplateVersions",
            model=TemplateVersion,
            sortable={"version": Sortable(TemplateVersion.number), "id": Sortable(TemplateVersion.id)},
            default_order="version desc",
            default_size=20,
            most_size=1000,
            tokens=tokens,
        )

    def list(
        self,
        caller: Caller,
        tenant_id: int | None,
        invoke_name: str,
        request: PageRequest,
        *,
        with_content: bool = False,
    ) -> Page[VersionRecord]:
        """The versions of one of the tenant's own templates."""
        template = find_template(tenant_of(caller, tenant_id), invoke_name)
        held = [TemplateVersion.template_id == template.id]
        place = self._listing.check(request, _FIELDS, [template.id], held)
        found = find(place)
        ordered = self._listing.rows(found)
        if not with_content:
            return self._listing.page(place, found, version_records(ordered, with_content=False))
        shown = first_that_fit(ordered, lambda some: version_records(some, with_content=True))
        return self._listing.page(place, found, shown)

    def restore(
        self,
        caller: Caller,
        tenant_id: int | None,
        invoke_name: str,
        version: int,
        *,
        expected_version: int = 0,
        submit: bool = True,
        allow_breaking: bool = False,
    ) -> TemplateRecord:
        """Makes a new version that equals an earlier one; the rules are those of an update."""
        raise_generation()
        tenant = find_tenant(tenant_to_change(caller, tenant_id))
        template = find_template(tenant.id, invoke_name)
        latest = newest(template)
        refuse_stale(template, latest, expected_version)
        refuse_while_pending(template, latest)
        earlier = find_version(template, version)
        now = self._clock.now()
        review = first_review(tenant, self._settings, submit, now)
        breaks: tuple[Break, ...] = ()
        if self._guard and review.state is ReviewState.APPROVED:
            breaks = self._guard.check(template, earlier.id, latest.number + 1, allow_breaking=allow_breaking)
        put_on_top(
            self._mint,
            template,
            NewVersion(
                number=latest.number + 1,
                name=earlier.name,
                kind=TemplateKind(earlier.kind),
                content=read_content(earlier),
                author=caller.name,
                create_time=now,
                review=review,
                restored_number=earlier.number,
            ),
        )
        return dataclasses.replace(record_of(template, with_content=True), breaks=breaks)
