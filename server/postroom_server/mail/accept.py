"""Accepts mail: drafts become rows in one transaction, or a refusal stores nothing."""

from __future__ import annotations

import dataclasses
import functools
import uuid
from collections.abc import Sequence
from typing import Any

from postroom_server.clock import Clock, Millis
from postroom_server.mail import accepted_rows, idempotency
from postroom_server.mail.admission import Admission
from postroom_server.mail.caller import Caller
from postroom_server.mail.checks import Checked
from postroom_server.mail.copies import split
from postroom_server.mail.draft import CustomBody, TemplateBody
from postroom_server.mail.limits import Limits
from postroom_server.mail.senders import resolve_sender
from postroom_server.mail.template_choice import ChosenTemplate, choose_template
from postroom_server.refusals import Reason, Refusal
from postroom_server.store.ids import IdMint
from postroom_server.store.known import Known, Memory, ServerFacts, TenantFacts
from postroom_server.store.models import Lane, TemplateKind


@dataclasses.dataclass(frozen=True, slots=True)
class Accepted:
    id: int
    replayed: bool = False


Outcome = Accepted | Refusal


@dataclasses.dataclass(frozen=True, slots=True)
class _Plan:
    """What one draft becomes, before anything is written."""

    checked: Checked
    email_id: int
    rows: accepted_rows.EmailRows


class Acceptance:
    """Turns checked drafts into stored mail. `accept_one` and `accept_many` are units of work."""

    def __init__(self, clock: Clock, mint: IdMint, memory: Memory, admission: Admission, limits: Limits) -> None:
        self._clock = clock
        self._mint = mint
        self._memory = memory
        self._admission = admission
        self._limits = limits

    def accept_one(self, caller: Caller, tenant_id: int, method: str, checked: Checked) -> Accepted:
        """Stores one email, or raises why not. A repeated request_id gets the first answer."""
        outcome = self.accept_many(caller, tenant_id, method, [checked])[0]
        if isinstance(outcome, Refusal):
            raise outcome
        return outcome

    def accept_many(
        self, caller: Caller, tenant_id: int, method: str, items: Sequence[Checked]
    ) -> list[Outcome]:
        """Stores what can be accepted and answers each item by itself, in order."""
        now = self._clock.now()
        known = self._memory.current()
        tenant = known.tenant(tenant_id)
        if tenant is None:
            raise Refusal(Reason.TENANT_NOT_FOUND, "there is no such tenant", metadata={"tenant_id": str(tenant_id)})
        if tenant.is_paused:
            raise Refusal(Reason.TENANT_PAUSED, "the tenant is paused; nothing is accepted for it")
        request_ids = list({item.draft.request_id for item in items if item.draft.request_id})
        remembered = idempotency.find(tenant_id, method, request_ids)
        self._admission.check(tenant_id, len(items), tenant.limits.get("pending_per_tenant"))
        servers = known.servers_for(tenant_id)
        plan = functools.partial(self._plan, caller, tenant, servers, known, now)

        outcomes: list[Outcome] = []
        plans: list[_Plan] = []
        for item in items:
            draft = item.draft
            try:
                if draft.request_id and (first := remembered.get(draft.request_id)) is not None:
                    answer = first.answer_to(draft.request_id, draft.fingerprint)
                    outcomes.append(Accepted(answer["id"], replayed=True))
                    continue
                planned = plan(item)
            except Refusal as refusal:
                outcomes.append(refusal)
                continue
            plans.append(planned)
            outcomes.append(Accepted(planned.email_id))
            if draft.request_id:
                # An equal key later in this batch replays this item.
                remembered[draft.request_id] = idempotency.Remembered(
                    draft.fingerprint, {"id": planned.email_id}
                )
        if plans:
            accepted_rows.store([planned.rows for planned in plans])
            idempotency.remember(
                tenant_id,
                method,
                (
                    (planned.checked.draft.request_id, planned.checked.draft.fingerprint, {"id": planned.email_id})
                    for planned in plans
                    if planned.checked.draft.request_id
                ),
                now,
            )
            self._admission.count(tenant_id, len(plans))
        return outcomes

    def _plan(
        self,
        caller: Caller,
        tenant: TenantFacts,
        servers: tuple[ServerFacts, ...],
        known: Known,
        now: Millis,
        checked: Checked,
    ) -> _Plan:
        draft = checked.draft
        sender = resolve_sender(checked.from_address, draft.from_name, tenant, servers)
        template = None
        if isinstance(draft.body, TemplateBody):
            template = choose_template(checked, draft.body, tenant, known)
        copies = split(checked.to, checked.cc, checked.bcc, draft.copy_mode)
        ids = self._mint.many(1 + len(copies) + checked.recipient_count + len(draft.files) * 2)
        due = now if draft.schedule_time is None else max(now, draft.schedule_time)
        rows = accepted_rows.build(
            checked,
            ids=iter(ids),
            tenant_id=tenant.id,
            caller=caller,
            out_id=draft.out_id or f"INNER-{uuid.uuid4()}",
            sender=sender,
            template=template,
            language=checked.language or tenant.default_language,
            copies=copies,
            lane=_lane(draft.urgent, template),
            now=now,
            due=due,
            expire_time=draft.expire_time or due + self._limits.lifetime,
        )
        return _Plan(checked, rows.email_id, rows)


def _lane(urgent: bool, template: ChosenTemplate | None) -> Lane:
    if urgent:
        return Lane.URGENT
    if template is not None and template.kind == TemplateKind.BATCH:
        return Lane.BULK
    return Lane.NORMAL


def body_parts(checked: Checked) -> tuple[str | None, str | None]:
    """The html and text of a custom body; both None for a template."""
    body: Any = checked.draft.body
    if isinstance(body, CustomBody):
        return body.html or None, body.text or None
    return None, None
