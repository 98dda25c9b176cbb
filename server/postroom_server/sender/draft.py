"""A draft: a letter that is not written yet, with all that writing it takes."""

from __future__ import annotations

from postroom_server.message.entity import EncodedAttachment, EncodedBody, encode_body
from postroom_server.message.mailing import Copy, Mailing, write
from postroom_server.message.template import CompiledTemplate
from postroom_server.record import record
from postroom_server.sender.kept import Kept
from postroom_server.smtp import Envelope

_BODIES_KEPT = 64


@record
class Draft:
    """The same draft gives the same bytes, whoever writes it. `email_id` tells whose copies share a body."""

    email_id: int
    mailing: Mailing
    copy: Copy
    recipients: tuple[str, ...]
    template: CompiledTemplate | None = None
    attachments: tuple[EncodedAttachment, ...] = ()


class Writer:
    """Writes letters, keeping the encoded bodies that copies of one email share."""

    def __init__(self) -> None:
        self._bodies: Kept[EncodedBody] = Kept(_BODIES_KEPT)

    def write(self, draft: Draft) -> Envelope:
        """Raises UnsafeContent, MissingVariables or InvalidValue (ValueErrors) when it cannot be written."""
        mailing, copy, recipients = draft.mailing, draft.copy, draft.recipients
        composed = write(
            mailing,
            copy,
            template=draft.template,
            body=self._body(draft) if draft.template is None and copy.code is None else None,
            attachments=draft.attachments,
        )
        return Envelope(
            mailing.from_address,
            recipients,
            composed.message,
            smtputf8=composed.smtputf8 or not all(map(str.isascii, recipients)),
            eight_bit=not composed.message.isascii(),
        )

    def _body(self, draft: Draft) -> EncodedBody:
        body = self._bodies.get(draft.email_id)
        if body is None:
            body = encode_body(draft.mailing.html, draft.mailing.own_text())
            self._bodies.keep(draft.email_id, body)
        return body
