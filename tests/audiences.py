"""Audiences over a real store: members put into the directory, and the look-up taken step by step."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from accepting import Accepting, draft, templated
from fakes import NOON
from peers.configuration import ACME, AUTHOR
from postroom_server.mail import email_rows
from postroom_server.mail.accept import Accepted
from postroom_server.mail.audience import Audience, AudienceType
from postroom_server.mail.audience_claims import Claimed
from postroom_server.mail.audience_expansion import AudienceExpansion, Taken
from postroom_server.mail.audience_members import Found, next_members
from postroom_server.mail.caller import Caller
from postroom_server.mail.draft import Draft
from postroom_server.mail.email_record import EmailRecord
from postroom_server.mail.limits import Limits
from postroom_server.mail.template_form import ContentForm, TemplateForm, VariantForm
from postroom_server.store.models import Member, Membership, TemplateVersion
from postroom_server.store.opening import OpenDatabase
from postroom_server.store.statement import insert

_MEMBER, _MEMBERSHIP = insert(Member), insert(Membership)
_serial = itertools.count(1)

ALL = Audience(AudienceType.ALL)
BILINGUAL = ContentForm(
    variants=(
        VariantForm("en", "Hi %member.name%", "<p>Hello %member.name%, %what%</p>"),
        VariantForm("zh-CN", "您好 %member.name%", "<p>%member.name%，您好, %what%</p>"),
    ),
    default_language="en",
)


def audience(type_: str, *ids: int, codes: Iterable[str] = ()) -> Audience:
    return Audience(AudienceType(type_), ids, tuple(codes))


def to_audience(asked: Audience = ALL, **changes: Any) -> Draft:
    """A custom text to an audience."""
    return draft(**{"to": (), "audience": asked, **changes})


def templated_to(asked: Audience = ALL, **changes: Any) -> Draft:
    return templated(**{"to": (), "audience": asked, "params": {"what": "news"}, **changes})


def put_members(
    ids: Iterable[int],
    *,
    tenant_id: int = ACME,
    language: str | None = None,
    enabled: bool = True,
    attributes: Mapping[str, Any] | None = None,
    address: str = "m{}@example.com",
    of: Iterable[tuple[str, str]] = (),
) -> None:
    """Members whose id is their user id, too; `of` are the kinds and keys of their memberships."""
    ids, of = list(ids), list(of)
    _MEMBER.together(
        [
            (
                id_, tenant_id, id_, address.format(id_), language, enabled,
                json.dumps({"name": f"N{id_}"} if attributes is None else attributes), NOON, NOON,
            )
            for id_ in ids
        ]
    )  # fmt: skip
    put_memberships((id_, kind, key) for id_ in ids for kind, key in of)


def put_memberships(rows: Iterable[tuple[int, str, str]], tenant_id: int = ACME) -> None:
    """Of member ids, kinds and object keys."""
    _MEMBERSHIP.together([(next(_serial), tenant_id, kind, key, id_) for id_, kind, key in rows])


class Audiences(Accepting):
    """`expand()` is what the stage in the background does."""

    def __init__(self, opened: OpenDatabase, limits: Limits | None = None, data_folder: Path | None = None):
        super().__init__(opened, limits, data_folder)
        self.steps = self.new_steps(limits)

    def new_steps(self, limits: Limits | None = None) -> AudienceExpansion:
        """The steps as another process takes them."""
        return AudienceExpansion(
            self.clock, self.mint, self.memory, self.admission, limits or Limits(), due_now=self.clock.now
        )

    async def members(self, ids: Iterable[int], **columns: Any) -> None:
        await self.store.write(lambda: put_members(ids, **columns))

    async def send(self, made: Draft | None = None, caller: Caller = AUTHOR) -> Accepted:
        return await self.accept(to_audience() if made is None else made, caller)

    async def new_liquid(self, form: TemplateForm) -> None:
        """A LIQUID template that is ready: else the first to ask for it has to wait until it is."""
        await self.new_template(form)
        for version in await self.rows(TemplateVersion):
            await self.store.read(self.memory.version, version.id)

    async def step(self, claimed: Claimed | None = None, *, gives_way: bool = False) -> Taken | None:
        """One step of what is due next, or of what was claimed; None when there is none."""
        claimed = claimed or await self.store.write(self.steps.claim, [])
        if claimed is None:
            return None
        step = await self.store.read(self.steps.look_up, claimed)
        if step is None:
            return None
        taken = await self.store.write(lambda: self.steps.take(step, gives_way=gives_way))
        self.steps.taken(taken)
        return taken

    async def expand(self, most: int = 1000) -> int:
        """Everything that is due; how many steps that took."""
        taken = 0
        while taken < most and await self.step(gives_way=True) is not None:
            taken += 1
        return taken

    async def email(self, id_: int, tenant_id: int = ACME) -> EmailRecord:
        return (await self.store.read(email_rows.load, [id_], tenant_id))[0]

    async def found(self, asked: Audience, *, tenant_id: int = ACME, limit: int = 500) -> list[list[int]]:
        """The ids of a whole audience, page by page."""
        pages: list[list[int]] = []
        page = Found([], 0, is_last=False)
        while not page.is_last:
            page = await self.store.read(next_members, asked, tenant_id, page.cursor, limit)
            pages.append([member.id for member in page.members])
        return pages
