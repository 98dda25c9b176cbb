"""A mailing: what an accepted email says, from which the letter of each copy is written.

Sending and previewing both go through here, so that a preview is what would leave.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence

from postroom_server.message import code_text
from postroom_server.message.compose import Composed, check_finished, compose
from postroom_server.message.entity import EncodedAttachment, EncodedBody, encode_body
from postroom_server.message.letter import Letter
from postroom_server.message.member import with_member
from postroom_server.message.plaintext import text_from_html
from postroom_server.message.template import CompiledTemplate
from postroom_server.message.unsubscribe import Offer
from postroom_server.record import record


def system_values(unsubscribe_link: str = "") -> Mapping[str, str]:
    """What `%%name%%` stands for in a template."""
    return {"user_defined_unsubscribe_link": unsubscribe_link}


# Where there is nothing to unsubscribe from, or nowhere to do it.
SYSTEM_VALUES: Mapping[str, str] = system_values()


@record
class Mailing:
    """The content of one email. `subject` overrides a template's and is taken literally."""

    subject: str | None
    subject_prefix: str | None
    from_address: str
    from_name: str
    reply_to: tuple[str, ...]
    headers: tuple[tuple[str, str], ...]
    html: str | None
    text: str | None
    params: Mapping[str, object]
    recipient_params: Mapping[str, Mapping[str, object]]
    language: str = ""  # of a line that is added to a custom body

    def own_text(self) -> str | None:
        """The text part of a custom body: the caller's, or what its HTML says."""
        return _derived(self.html) if self.html and not self.text else self.text

    def params_for(self, address: str) -> Mapping[str, object]:
        own = self.recipient_params.get(address)
        return {**self.params, **own} if own else self.params


@functools.lru_cache(maxsize=16)
def _derived(html: str) -> str:
    """The text of a page. A long one takes a tenth of a second, and every copy with a code asks for it."""
    return text_from_html(html)


@record
class Copy:
    """One message of a mailing: its fixed identity and whom it names."""

    message_id: str
    date: int  # milliseconds since the Unix epoch, UTC
    to: tuple[str, ...]
    cc: tuple[str, ...]
    code: str | None = None  # the verification code it carries, or what stands in its place
    params_of: str = ""  # whose parameters it is rendered with; "": the first recipient's
    unsubscribe: Offer | None = None
    member: Mapping[str, object] | None = None  # what it shows of the member who gets it

    @property
    def for_address(self) -> str:
        return self.params_of or next(iter(self.to or self.cc), "")


def write(
    mailing: Mailing,
    copy: Copy,
    *,
    template: CompiledTemplate | None,
    body: EncodedBody | None = None,
    attachments: Sequence[EncodedAttachment] = (),
) -> Composed:
    """The finished, checked bytes of one copy. `body` is a custom body that was encoded before.

    Raises UnsafeContent, MissingVariables or InvalidValue (ValueErrors) when it cannot be written.
    """
    code, offer = copy.code, copy.unsubscribe
    subject = mailing.subject or ""
    if code is not None:
        # Only the caller's own: a template has put the code in place itself, and values are never read again.
        subject = code_text.fill_subject(subject, code)
    if template is not None:
        params = with_member(mailing.params_for(copy.for_address), copy.member)
        if code is not None:
            params = {**params, code_text.NAME: code}
        rendered = template.render(params, system_values(offer.link) if offer else SYSTEM_VALUES)
        subject = subject or rendered.subject
        body = encode_body(rendered.html, rendered.text)
    elif code is not None:
        body = encode_body(*code_text.fill_body(mailing.html, mailing.own_text(), code, mailing.language))
    elif body is None:
        body = encode_body(mailing.html, mailing.own_text())
    letter = Letter(
        message_id=copy.message_id,
        date=copy.date,
        from_address=mailing.from_address,
        from_name=mailing.from_name,
        to=copy.to,
        cc=copy.cc,
        reply_to=mailing.reply_to,
        subject=_prefixed(mailing.subject_prefix, subject),
        headers=(*mailing.headers, *offer.headers(name for name, _ in mailing.headers))
        if offer
        else mailing.headers,
    )
    composed = compose(letter, body, attachments)
    return Composed(check_finished(composed.message, letter), composed.smtputf8, composed.eight_bit)


def _prefixed(prefix: str | None, subject: str) -> str:
    if not prefix or subject.startswith(f"{prefix}|"):
        return subject
    return f"{prefix}|{subject}"
