"""What a send would hand over, to the byte, without storing anything."""

from __future__ import annotations

import dataclasses

from postroom_server.mail.accept import Acceptance
from postroom_server.mail.caller import Caller
from postroom_server.mail.checks import Checked
from postroom_server.mail.copies import Copy
from postroom_server.mail.draft import CustomBody, Draft, TemplateBody
from postroom_server.mail.plan import Plan
from postroom_server.mail.template_choice import CODE_PLACEHOLDER
from postroom_server.message import entity, mailing
from postroom_server.message.unsubscribe import SAMPLE_TOKEN, UnsubscribeBase
from postroom_server.refusals import Reason, Violation, refuse_all
from postroom_server.store.codes import MASK
from postroom_server.store.ids import EPOCH
from postroom_server.store.known import Memory
from postroom_server.store.models import Role, TemplateKind

# No answer is larger than this, but the first copy is always shown.
MOST_BYTES = 4 << 20


@dataclasses.dataclass(frozen=True, slots=True)
class PreviewCopy:
    recipients: tuple[str, ...]
    message: bytes


@dataclasses.dataclass(frozen=True, slots=True)
class Preview:
    copies: tuple[PreviewCopy, ...]
    copy_count: int
    template_language: str
    template_version: int
    suppressed: tuple[str, ...] = ()  # whom a send would hold back; their copies are shown all the same


def preview(acceptance: Acceptance, memory: Memory, caller: Caller, checked: Checked) -> Preview:
    """Plans and composes as sending does. Message-ID and Date derive from the request. A unit that reads."""
    plan = acceptance.plan(caller, checked)
    content = _mailing(plan)
    template = version = unsubscribe = None
    if plan.template is not None:
        version = memory.version(plan.template.version_id)
        template = version.variants[plan.template.language]
        unsubscribe = acceptance.unsubscribe if version.kind == TemplateKind.BATCH else None
    files = tuple(
        entity.encode_attachment(
            entity.Attachment(
                file.name,
                file.media_type,
                file.content or b"",
                file.content_id or None,
            )
        )
        for file in checked.draft.files
    )
    shown: list[PreviewCopy] = []
    size = 0
    for position, copy in enumerate(plan.copies):
        try:
            composed = mailing.write(
                content, _named(plan, position, copy, unsubscribe), template=template, attachments=files
            )
        except ValueError as error:
            refuse_all([Violation("body", str(error), Reason.UNSAFE_CONTENT)])
            raise
        size += len(composed.message)
        if shown and size > MOST_BYTES:
            break
        shown.append(PreviewCopy(tuple(address for _, address in copy.recipients), composed.message))
    return Preview(
        tuple(shown),
        len(plan.copies),
        plan.template.language if plan.template else "",
        version.number if version else 0,
        plan.suppressed,
    )


def _mailing(plan: Plan) -> mailing.Mailing:
    checked, draft = plan.checked, plan.checked.draft
    custom = draft.body if isinstance(draft.body, CustomBody) else CustomBody()
    return mailing.Mailing(
        subject=draft.subject or None,
        subject_prefix=plan.sender.subject_prefix,
        from_address=plan.sender.address,
        from_name=plan.sender.name,
        reply_to=checked.reply_to,
        headers=tuple(draft.headers.items()),
        html=custom.html or None,
        text=custom.text or None,
        params=draft.body.params if isinstance(draft.body, TemplateBody) else {},
        recipient_params=checked.recipient_params,
        language=plan.language,
    )


def _named(plan: Plan, position: int, copy: Copy, unsubscribe: UnsubscribeBase | None) -> mailing.Copy:
    draft = plan.checked.draft
    domain = plan.sender.address.rpartition("@")[2]
    to = tuple(address for role, address in copy.recipients if role is Role.TO)
    return mailing.Copy(
        message_id=f"{position}.{draft.fingerprint.hex()[:32]}@{domain}",
        date=EPOCH if draft.schedule_time is None else draft.schedule_time,
        to=to,
        cc=tuple(address for role, address in copy.recipients if role is Role.CC),
        code=_shown_code(draft, copy),
        params_of=plan.checked.to[0] if plan.checked.to and not to else "",
        # Whoever may send could otherwise unsubscribe anybody, by a link out of a preview.
        unsubscribe=unsubscribe.offer(
            to, lambda _: SAMPLE_TOKEN, goes_to_others=len(copy.recipients) > len(to)
        )
        if unsubscribe
        else None,
    )


def _has_to(copy: Copy) -> bool:
    return any(role is Role.TO for role, _ in copy.recipients)


def _shown_code(draft: Draft, copy: Copy) -> str | None:
    if not draft.has_verification:
        return None
    return CODE_PLACEHOLDER if _has_to(copy) else MASK
