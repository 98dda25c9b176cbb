"""Accepts mail: drafts become rows in one transaction, or a refusal stores nothing."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from postroom_server.clock import Clock, Millis
from postroom_server.failpoints import reach
from postroom_server.fetch import Rules
from postroom_server.mail import accepted_rows, held_back, idempotency, template_calls
from postroom_server.mail.admission import Admission
from postroom_server.mail.audience import check_rights
from postroom_server.mail.caller import Caller, Scope
from postroom_server.mail.checks import Checked, check
from postroom_server.mail.code_sends import CodeSends
from postroom_server.mail.draft import Draft
from postroom_server.mail.limits import Limits
from postroom_server.mail.plan import Plan, Planner
from postroom_server.mail.template_usage import Noticed, Notices, TemplateUsage
from postroom_server.mail.tenancy import tenant_of
from postroom_server.mail.urgency import Urgency
from postroom_server.message import address
from postroom_server.message.unsubscribe import UnsubscribeBase
from postroom_server.record import record
from postroom_server.refusals import Reason, Refusal, Violation, refuse_all
from postroom_server.store.codes import Turn, take_turn
from postroom_server.store.facts import ServerFacts, TenantFacts
from postroom_server.store.ids import IdMint
from postroom_server.store.known import Known, Memory
from postroom_server.store.suppressed import hold_back

# SendEmail and the items of BatchSendEmails share their keys: a failed batch can be repeated singly.
METHOD = "SendEmail"


@record
class Accepted:
    id: int
    replayed: bool = False
    suppressed: tuple[str, ...] = ()  # recipients that the suppression list holds back
    due: Millis | None = dataclasses.field(default=None, compare=False)  # None: there is nothing new to do
    fetches: bool = dataclasses.field(default=False, compare=False)  # files, before it is due
    expands: bool = dataclasses.field(default=False, compare=False)  # an audience, when it is due
    # Of its template's use: known for stored once this is committed.
    noticed: Sequence[Noticed] = dataclasses.field(default=(), compare=False, repr=False)


Outcome = Accepted | Refusal


class Acceptance:
    """Turns drafts into stored mail: `check` needs no database, the others are units of work."""

    def __init__(
        self,
        clock: Clock,
        mint: IdMint,
        memory: Memory,
        admission: Admission,
        limits: Limits,
        *,
        default_language: str,
        code_key_id: str,
        cc_every_copy: bool = False,
        url_rules: Rules | None = None,
        unsubscribe: UnsubscribeBase | None = None,
        usage: TemplateUsage | None = None,
    ) -> None:
        self.unsubscribe = unsubscribe
        self._usage = usage
        self._clock = clock
        self._memory = memory
        self._admission = admission
        self._limits = limits
        self._planner = Planner(
            mint,
            limits,
            default_language=default_language,
            code_key_id=code_key_id,
            cc_every_copy=cc_every_copy,
            unsubscribe=unsubscribe,
        )
        self._url_rules = url_rules or Rules.of()
        self._code_sends = CodeSends(limits)
        self._urgency = Urgency(clock, limits)

    def check(self, caller: Caller, draft: Draft) -> Checked:
        """Refuses a draft for everything that is wrong with its fields, all at once."""
        checked, violations = check(draft, self._limits, self._clock.now(), self._url_rules)
        if not _may_name_user(caller, draft):
            violations.append(Violation("sender_user_id", "the token belongs to another user"))
            violations.extend(checked.overdue if checked else ())
        refuse_all(violations)
        assert checked is not None
        if draft.audience is not None:
            sending = caller.tenant_id if draft.tenant_id is None else draft.tenant_id
            check_rights(caller, draft.audience, sending)
        return checked

    def check_batch(self, caller: Caller, size: int, read: Iterable[Draft]) -> list[Checked | Refusal]:
        """Checks each of `size` items by itself; refuses the whole batch only for its size.

        Nothing is read of a batch that has too many items.
        """
        most = self._limits.batch_items
        if not 1 <= size <= most:
            refuse_all([Violation("items", f"{size} items; 1 to {most} are allowed")])
        drafts = list(read)
        _refuse_crowd(drafts, self._limits)
        checked: list[Checked | Refusal] = []
        for draft in drafts:
            try:
                if draft.validate_only:
                    refuse_all([Violation("validate_only", "is for single emails")])
                checked.append(self.check(caller, draft))
            except Refusal as refusal:
                checked.append(refusal)
        return checked

    def accept_one(self, caller: Caller, checked: Checked) -> Accepted:
        """Stores one email, or raises why not. A repeated request_id gets the first answer."""
        outcome = self.accept_many(caller, [checked])[0]
        if isinstance(outcome, Refusal):
            raise outcome
        return outcome

    def accept_many(self, caller: Caller, items: Sequence[Checked | Refusal]) -> list[Outcome]:
        """Stores what can be accepted and answers each item by itself, in order."""
        by_tenant: dict[int, list[int]] = {}
        outcomes: list[Outcome | None] = [None] * len(items)
        for i, item in enumerate(items):
            try:
                if isinstance(item, Refusal):
                    raise item
                by_tenant.setdefault(tenant_of(caller, item.draft.tenant_id), []).append(i)
            except Refusal as refusal:
                outcomes[i] = refusal
        known = self._memory.current()
        now = self._clock.now()
        for tenant_id, places in by_tenant.items():
            chosen = [item for i in places if isinstance(item := items[i], Checked)]
            for i, outcome in zip(places, self._accept(caller, tenant_id, chosen, known, now), strict=True):
                outcomes[i] = outcome
        return [outcome for outcome in outcomes if outcome is not None]

    def accept_each(self, asked: Sequence[tuple[Caller, Checked]]) -> list[Outcome]:
        """Stores emails that came in calls of their own: no outcome depends on what is beside it."""
        by_caller: dict[int, list[int]] = {}
        for i, (caller, _) in enumerate(asked):
            by_caller.setdefault(id(caller), []).append(i)
        outcomes: dict[int, Outcome] = {}
        for places in by_caller.values():
            caller = asked[places[0]][0]
            together = self.accept_many(caller, [asked[i][1] for i in places])
            for i, outcome in zip(places, together, strict=True):
                if isinstance(outcome, Refusal) and outcome.reason is Reason.BACKLOG_FULL and len(places) > 1:
                    # There was no room for all of them; there may be for some.
                    outcome = self.accept_many(caller, [asked[i][1]])[0]
                outcomes[i] = outcome
        return [outcomes[i] for i in range(len(asked))]

    def plan(self, caller: Caller, checked: Checked) -> Plan:
        """What accepting would store. For previews."""
        known = self._memory.current()
        tenant = _active_tenant(known, tenant_of(caller, checked.draft.tenant_id))
        listed = held_back.find_listed(tenant.id, [checked])
        return self._planner.plan(caller, tenant, known, self._clock.now(), checked, listed)

    def accept_for_server(self, caller: Caller, checked: Checked, server: ServerFacts) -> int:
        """Stores one email for a server's trial. The engine leaves it alone till it expires, then ends it."""
        known = self._memory.current()
        tenant = _active_tenant(known, tenant_of(caller, checked.draft.tenant_id))
        now = self._clock.now()
        # Whoever tries a server wants to see what it does with this very address.
        checked = dataclasses.replace(
            checked, draft=dataclasses.replace(checked.draft, ignore_suppression=True)
        )
        expire_time = checked.draft.expire_time
        plan = self._planner.plan(
            caller, tenant, known, now, checked, {}, servers=(server,), run_at=expire_time
        )
        accepted_rows.store([plan.rows])
        return plan.rows.email_id

    def _accept(
        self, caller: Caller, tenant_id: int, items: Sequence[Checked], known: Known, now: Millis
    ) -> list[Outcome]:
        request_ids = list({item.draft.request_id for item in items if item.draft.request_id})
        remembered = idempotency.find(tenant_id, METHOD, request_ids)
        try:
            tenant = _active_tenant(known, tenant_id)
            # What is remembered is answered from memory, however full or paused the tenant has become.
            fresh = sum(item.draft.request_id not in remembered for item in items)
            if fresh:
                self._admission.check(tenant_id, fresh, tenant.limits.get("pending_per_tenant"))
        except Refusal as refusal:
            return [_remembered(item, remembered) or refusal for item in items]
        outcomes: list[Outcome] = []
        plans: list[Plan] = []
        sent_codes: dict[str, list[Millis]] = {}
        listed = held_back.find_listed(
            tenant_id, [item for item in items if item.draft.request_id not in remembered]
        )
        take_turn(Turn.SEND, tenant_id, _code_addresses(items))
        notices: Notices | None = None
        for item in items:
            draft = item.draft
            try:
                if (again := _remembered(item, remembered)) is not None:
                    outcomes.append(again)
                    continue
                plan = self._planner.plan(
                    caller, tenant, known, now, item, listed, goes_ahead=self._urgency.admits
                )
                if draft.has_verification:
                    self._code_sends.check(tenant_id, _asked_codes(item), sent_codes, now)
            except Refusal as refusal:
                outcomes.append(refusal)
                continue
            plans.append(plan)
            if plan.template is not None and notices is None and self._usage is not None:
                notices = self._usage.begin(caller, tenant_id, now, known)
            rows = plan.rows
            outcomes.append(
                Accepted(
                    rows.email_id,
                    suppressed=plan.suppressed,
                    due=rows.due,
                    fetches=rows.preparation is not None,
                    expands=rows.expansion is not None,
                    noticed=notices.notice(plan) if notices is not None and plan.template else (),
                )
            )
            if draft.request_id:
                # An equal key later in this batch replays this item.
                remembered[draft.request_id] = idempotency.Remembered(*_answer(plan)[1:])
        if plans:
            accepted_rows.store([plan.rows for plan in plans])
            hold_back([row for plan in plans for row in held_back.rows_of(plan.rows, plan.suppressed)], now)
            idempotency.remember(tenant_id, METHOD, map(_answer, plans), now)
            if notices is not None and notices.found:
                template_calls.store(notices.found)
            self._admission.count(tenant_id, len(plans))
            reach("before_accept_commit")
        return outcomes


def _active_tenant(known: Known, tenant_id: int) -> TenantFacts:
    tenant = known.tenant(tenant_id)
    if tenant is None:
        raise Refusal(
            Reason.TENANT_NOT_FOUND, "there is no such tenant", metadata={"tenant_id": str(tenant_id)}
        )
    if tenant.is_paused:
        raise Refusal(Reason.TENANT_PAUSED, "the tenant is paused; nothing is accepted for it")
    return tenant


def _answer(plan: Plan) -> tuple[str, bytes, dict[str, Any]]:
    draft = plan.checked.draft
    answer: dict[str, Any] = {"id": plan.rows.email_id}
    if plan.held_back:
        # Places, not addresses: the request that is replayed brings those along.
        answer["held_back"] = plan.held_back
    return draft.request_id, draft.fingerprint, answer


def _code_addresses(items: Sequence[Checked]) -> list[str]:
    return [address.key(to) for item in items if item.draft.has_verification for to in item.to]


def _asked_codes(checked: Checked) -> list[tuple[str, str]]:
    """Where each To address stands in the request, and its key."""
    # Backwards, for one that is given twice counts where it stands first.
    places = {address.parse(text): i for i, text in reversed(list(enumerate(checked.draft.to)))}
    return [(f"to[{places[text]}]", address.key(text)) for text in checked.to]


def _may_name_user(caller: Caller, draft: Draft) -> bool:
    """A token that belongs to a user speaks for no other, unless it is the platform's."""
    named = draft.sender_user_id
    return named is None or named == caller.user_id or not caller.user_id or Scope.PLATFORM in caller.scopes


def _remembered(item: Checked, remembered: Mapping[str, idempotency.Remembered]) -> Outcome | None:
    """The first answer to this request_id, or the refusal of another request under it."""
    draft = item.draft
    first = remembered.get(draft.request_id) if draft.request_id else None
    if first is None:
        return None
    try:
        answer = first.answer_to(draft.request_id, draft.fingerprint)
        suppressed = held_back.addresses_at(item, answer.get("held_back", ()))
        return Accepted(answer["id"], replayed=True, suppressed=suppressed)
    except Refusal as refusal:
        return refusal


def _refuse_crowd(drafts: Sequence[Draft], limits: Limits) -> None:
    count = sum(len(draft.to) + len(draft.cc) + len(draft.bcc) for draft in drafts)
    if count > limits.batch_recipients:
        refuse_all([Violation("items", f"{count} recipients over all; at most {limits.batch_recipients}")])
