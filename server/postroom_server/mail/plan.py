"""What one draft becomes: sender, template, copies, lane and every row, before anything is written."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from postroom_server.clock import Millis
from postroom_server.mail import accepted_files, accepted_rows, held_back
from postroom_server.mail.caller import Caller
from postroom_server.mail.checks import Checked
from postroom_server.mail.copies import Copy, split, split_masked
from postroom_server.mail.draft import Draft, TemplateBody
from postroom_server.mail.limits import Limits
from postroom_server.mail.senders import Sender, resolve_sender
from postroom_server.mail.template_choice import ChosenTemplate, choose_template
from postroom_server.message.unsubscribe import UnsubscribeBase
from postroom_server.record import record
from postroom_server.refusals import Violation, refuse_all
from postroom_server.store.facts import ServerFacts, TenantFacts
from postroom_server.store.ids import IdMint
from postroom_server.store.known import Known
from postroom_server.store.models import Lane, TemplateKind
from postroom_server.store.randomness import ordered_uuid
from postroom_server.store.suppressed import Listed

_MOST_SENDERS = 1000


@record
class Plan:
    """What one draft becomes, before anything is written."""

    checked: Checked
    rows: accepted_rows.EmailRows
    sender: Sender
    template: ChosenTemplate | None
    copies: tuple[Copy, ...]
    language: str
    held_back: tuple[int, ...]  # recipients by their places: what the suppression list names

    @property
    def suppressed(self) -> tuple[str, ...]:
        return held_back.addresses_at(self.checked, self.held_back)


class Planner:
    """Makes plans. It reads what is known and writes nothing."""

    def __init__(
        self,
        mint: IdMint,
        limits: Limits,
        *,
        default_language: str,
        code_key_id: str,
        cc_every_copy: bool,
        unsubscribe: UnsubscribeBase | None = None,
    ) -> None:
        self._mint = mint
        self._limits = limits
        self._default_language = default_language
        self._code_key_id = code_key_id
        self._cc_every_copy = cc_every_copy
        self._unsubscribe = unsubscribe
        self._senders: tuple[Known | None, dict[tuple[int, str, str], Sender]] = (None, {})

    def plan(
        self,
        caller: Caller,
        tenant: TenantFacts,
        known: Known,
        now: Millis,
        checked: Checked,
        listed: Listed,
        *,
        servers: tuple[ServerFacts, ...] = (),
        run_at: Millis | None = None,
        goes_ahead: Callable[[int, Mapping[str, int]], bool] = lambda _id, _limits: True,
    ) -> Plan:
        draft = checked.draft
        refuse_all(checked.overdue)
        sender = self._sender(checked.from_address, draft.from_name, tenant, servers, known)
        language = checked.language or tenant.default_language or self._default_language
        template = None
        if isinstance(draft.body, TemplateBody):
            template = choose_template(checked, draft.body, language, tenant.id, known, self._unsubscribe)
        due = now if draft.schedule_time is None else max(now, draft.schedule_time)
        lifetime, validity = self._limits.lifetime, None
        if draft.has_verification:
            copies = split_masked(checked.to, checked.cc, checked.bcc)
            # A code that comes when it is no longer asked for is of no use.
            validity = lifetime = self._validity(draft, template)
        elif draft.audience is not None:
            copies = ()  # they are made when its members are looked up
        else:
            copies = split(
                checked.to, checked.cc, checked.bcc, draft.copy_mode, cc_every_copy=self._cc_every_copy
            )
        lane = Lane.BULK if draft.has_audience else _lane(template)
        # Last of all: what is refused takes nothing of the tenant's share.
        if draft.has_verification or (
            # The copies of an audience take of the share one by one, when they are made.
            draft.urgent and not draft.has_audience and goes_ahead(tenant.id, tenant.limits)
        ):
            lane = Lane.URGENT
        files = accepted_files.IDS_EACH * len(draft.files)
        recipients = sum(len(copy.recipients) for copy in copies)
        _refuse_crowd(recipients, self._limits)
        ids = self._mint.many(1 + 2 * len(copies) + recipients + files)
        rows = accepted_rows.build(
            checked,
            ids=iter(ids),
            tenant_id=tenant.id,
            caller=caller,
            out_id=draft.out_id or f"INNER-{ordered_uuid(now)}",
            sender=sender,
            template=template,
            language=language,
            copies=copies,
            lane=lane,
            now=now,
            due=due,
            expire_time=draft.expire_time or due + lifetime,
            run_at=run_at,
            code_key_id=self._code_key_id if draft.has_verification else None,
            validity=validity,
        )
        kind = template.kind if template else None
        held = () if draft.has_audience else held_back.choose(tenant.id, checked, listed, kind)
        return Plan(checked, rows, sender, template, copies, language, held)

    def _sender(
        self, address: str, name: str, tenant: TenantFacts, servers: tuple[ServerFacts, ...], known: Known
    ) -> Sender:
        if servers:
            return resolve_sender(address, name, tenant, servers)
        # What is known is made anew when it has changed, so what followed from it is as good as it is.
        kept, senders = self._senders
        if kept is not known:
            kept, senders = self._senders = known, {}
        sender = senders.get((tenant.id, address, name))
        if sender is None:
            sender = resolve_sender(address, name, tenant, known.servers_for(tenant.id))
            if len(senders) < _MOST_SENDERS:
                senders[tenant.id, address, name] = sender
        return sender

    def _validity(self, draft: Draft, template: ChosenTemplate | None) -> Millis:
        """How long a code is valid: by the request, else by the template, else by the setting."""
        by_template = template.validity if template else None
        return draft.validity or by_template or self._limits.code_validity


def _refuse_crowd(recipients: int, limits: Limits) -> None:
    """With Cc on every copy the addresses multiply; one email is still one unit of work."""
    if recipients > limits.batch_recipients:
        found = f"{recipients} recipients over all copies; at most {limits.batch_recipients}"
        refuse_all([Violation("cc", found)])


def _lane(template: ChosenTemplate | None) -> Lane:
    """The lane of mail that is not ahead of the queue, or asks to be in vain."""
    if template is not None and template.kind == TemplateKind.BATCH:
        return Lane.BULK
    return Lane.NORMAL
