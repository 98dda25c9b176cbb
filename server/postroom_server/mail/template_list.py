"""Lists of templates: what they may be filtered and ordered by, and how many of them fit into one answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

import peewee

from postroom_server.mail.caller import Caller
from postroom_server.mail.page_token import PageTokens
from postroom_server.mail.pages import Listing, Page, PageRequest, find
from postroom_server.mail.param_checks import as_json
from postroom_server.mail.template_form import ContentForm, TemplateRecord
from postroom_server.mail.template_rows import records_of
from postroom_server.mail.tenancy import tenant_of
from postroom_server.store.filters import Field, Fields
from postroom_server.store.models import (
    PLATFORM_TENANT,
    ReviewState,
    Template,
    TemplateKind,
    TemplateVersion,
)
from postroom_server.store.operands import Type
from postroom_server.store.ordering import Sortable

KIND_WORDS = {kind.value: kind.value for kind in TemplateKind}
REVIEW_WORDS = {state.value: state.value for state in ReviewState}
# An answer holds at most 4 MiB; the content that fills it may bring 3 MiB of its own (template_content.py).
_FULL_BYTES = 640 * 1024
_READ_TOGETHER = 10

Row = TypeVar("Row")


class _HasContent(Protocol):
    @property
    def content(self) -> ContentForm | None: ...


Record = TypeVar("Record", bound=_HasContent)


_FIELDS: Fields = {
    "id": Field(Type.ID, Template.id),
    "invoke_name": Field(Type.STRING, Template.invoke_name),
    "name": Field(Type.STRING, Template.name),
    "kind": Field(Type.ENUM, Template.kind, words=KIND_WORDS),
    "create_time": Field(Type.TIME, Template.create_time),
    "update_time": Field(Type.TIME, Template.update_time),
}


class TemplateList:
    """ListTemplates as a unit of work."""

    def __init__(self, tokens: PageTokens) -> None:
        self._listing = Listing(
            method="ListTemplates",
            model=Template,
            sortable={
                "id": Sortable(Template.id),
                "invoke_name": Sortable(Template.invoke_name),
                "create_time": Sortable(Template.create_time),
                "update_time": Sortable(Template.update_time),
            },
            default_order="create_time, id",
            default_size=100,
            most_size=1000,
            tokens=tokens,
        )

    def list(
        self,
        caller: Caller,
        tenant_id: int | None,
        request: PageRequest,
        *,
        include_platform: bool = False,
        with_content: bool = False,
    ) -> Page[TemplateRecord]:
        """The tenant's templates, and (if wanted) the platform's among them."""
        owner = tenant_of(caller, tenant_id)
        owners = sorted({owner, PLATFORM_TENANT}) if include_platform else [owner]
        place = self._listing.check(request, _fields(), owners, [Template.tenant_id.in_(owners)])
        found = find(place)
        ordered = self._listing.rows(found)
        if not with_content:
            return self._listing.page(place, found, records_of(ordered, with_content=False))
        shown = first_that_fit(ordered, lambda some: records_of(some, with_content=True))
        return self._listing.page(place, found, shown)


def first_that_fit(rows: Sequence[Row], read: Callable[[Sequence[Row]], Sequence[Record]]) -> list[Record]:
    """Reads records with their contents, a few at a time, until an answer is full. At least one."""
    kept: list[Record] = []
    size = 0
    for start in range(0, len(rows), _READ_TOGETHER):
        for record in read(rows[start : start + _READ_TOGETHER]):
            kept.append(record)
            size += _bytes(record.content)
            if size > _FULL_BYTES:
                return kept
    return kept


def _bytes(content: ContentForm | None) -> int:
    if content is None:
        return 0
    texts = [text for variant in content.variants for text in (variant.subject, variant.html, variant.text)]
    texts += [as_json(content.sample_params), *(as_json(variable.default) for variable in content.variables)]
    return sum(len(text.encode(errors="replace")) for text in texts) + 200 * (len(content.variables) + 1)


def _fields() -> Fields:
    approved = TemplateVersion.select(TemplateVersion.number).where(
        TemplateVersion.id == Template.approved_version_id
    )
    return {
        **_FIELDS,
        "version": Field(Type.NUMBER, _of_newest(TemplateVersion.number, 0)),
        "review_state": Field(Type.ENUM, _of_newest(TemplateVersion.review_state, ""), words=REVIEW_WORDS),
        "author": Field(Type.STRING, _of_newest(TemplateVersion.author, "")),
        "approved_version": Field(Type.NUMBER, peewee.fn.COALESCE(approved, 0), no_value=0),
    }


def _of_newest(column: peewee.Field, otherwise: int | str) -> Any:
    newest = TemplateVersion.select(column).where(TemplateVersion.id == Template.latest_version_id)
    return peewee.fn.COALESCE(newest, otherwise)
