"""Writes the bytes of leased deliveries, keeping what copies of one email share."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from typing import Any

from postroom_server.delivery.leased import Leased, LeasedEmail
from postroom_server.delivery.unsubscribing import UnsubscribeLinks
from postroom_server.message import entity
from postroom_server.message.mailing import Copy
from postroom_server.message.percent_template import PercentTemplate
from postroom_server.message.template import CompiledTemplate, InvalidValue, MissingVariables
from postroom_server.message.unsafe import UnsafeContent
from postroom_server.sender.draft import Draft, Writer
from postroom_server.sender.kept import Kept
from postroom_server.smtp import Envelope, Reply, Transaction
from postroom_server.store.codes import MASK, CodeMaker
from postroom_server.store.known import Memory
from postroom_server.store.models import Attachment, Blob, Role
from postroom_server.store.unit import Store
from postroom_server.store.versions import CompiledVersion

_KEPT_OCTETS = 8 << 20  # of one email's attachments; with more they are encoded for each copy
_WHY_CHARACTERS = 512  # as many as are kept of a server's reply
_LONG = 65_536  # characters; what is shorter is written within two milliseconds


class Letters:
    """Turns leased deliveries into envelopes. The same delivery gives the same bytes every time."""

    def __init__(
        self, store: Store, memory: Memory, codes: CodeMaker, links: UnsubscribeLinks | None = None
    ) -> None:
        """`links` None: nowhere is set where readers could unsubscribe."""
        self._codes = codes
        self._links = links
        self._store = store
        self._memory = memory
        self._writer = Writer()
        self._files: Kept[tuple[entity.EncodedAttachment, ...]] = Kept(4)

    async def envelope(self, leased: Leased) -> Envelope:
        """Writes the message. Raises whatever keeps it from being written: that is our own failure."""
        email = leased.email
        version, attachments = await self._version(email), await self._attachments(email)
        if not email.has_files and not _is_long(email, _variant(version, email)):
            return self._writer.write(self._draft(leased, version, attachments))
        # Megabytes take a tenth of a second to encode, check and stuff: everybody else's, on the loop.
        return await asyncio.to_thread(lambda: self._writer.write(self._draft(leased, version, attachments)))

    def is_at_hand(self, email: LeasedEmail) -> bool:
        """Whether its messages can be written at once: all they are made of is in memory, and small."""
        if email.has_files:
            return False
        if email.template_version_id is None:
            return not _is_long(email, None)
        version = self._memory.kept_version(email.template_version_id)
        return version is not None and not _is_long(email, _variant(version, email))

    def write(self, leased: Leased) -> Envelope:
        """The same as `envelope`, at once, of an email that is at hand."""
        return self._writer.write(self.draft(leased))

    def can_be_drafted(self, leased: Leased) -> bool:
        """Whether the sender can write it: it is at hand, and its template, if any, is a PERCENT one.

        Not who is leased alone: should writing it bring the process down, everybody is to know which.
        """
        email = leased.email
        if leased.alone or not self.is_at_hand(email):
            return False
        return email.template_version_id is None or isinstance(
            _variant(self._memory.kept_version(email.template_version_id), email), PercentTemplate
        )

    def draft(self, leased: Leased) -> Draft:
        """What `write` would write, of an email that is at hand."""
        version = None
        if leased.email.template_version_id is not None:
            version = self._memory.kept_version(leased.email.template_version_id)
            if version is None:
                raise ValueError("the template is not at hand")
        return self._draft(leased, version, ())

    def _draft(
        self,
        leased: Leased,
        version: CompiledVersion | None,
        attachments: tuple[entity.EncodedAttachment, ...],
    ) -> Draft:
        email = leased.email
        to = leased.addresses(Role.TO)
        copy = Copy(
            leased.message_id,
            leased.date_time,
            to,
            leased.addresses(Role.CC),
            code=self._code(leased),
            params_of="" if to else leased.params_of,
            unsubscribe=self._links.offer(leased, version) if self._links and version else None,
            member=json.loads(email.member) if email.member else None,
        )
        recipients = tuple([recipient.address for recipient in leased.open_recipients])
        return Draft(email.id, email.mailing, copy, recipients, _variant(version, email), attachments)

    def without_code(self, leased: Leased, transaction: Transaction) -> Transaction:
        """The transaction as it may be stored: some servers quote what they refuse (security.md D4)."""
        code = self._code(leased) if leased.code_seed is not None else None
        if code is None:
            return transaction

        def hide(reply: Reply | None) -> Reply | None:
            return reply and dataclasses.replace(reply, text=reply.text.replace(code, MASK))

        return dataclasses.replace(
            transaction,
            replies=tuple(hide(reply) for reply in transaction.replies),
            final=hide(transaction.final),
            error=transaction.error.replace(code, MASK),
        )

    def _code(self, leased: Leased) -> str | None:
        if not leased.email.is_code:
            return None
        if leased.code_seed is not None:
            return self._codes.code(leased.code_seed)
        if leased.addresses(Role.TO):
            raise ValueError("a code mail has lost its code")
        return MASK

    async def _version(self, email: LeasedEmail) -> CompiledVersion | None:
        if email.template_version_id is None:
            return None
        version = self._memory.kept_version(email.template_version_id)
        if version is None:
            version = await self._store.read(self._memory.version, email.template_version_id)
        return version

    async def _attachments(self, email: LeasedEmail) -> tuple[entity.EncodedAttachment, ...]:
        if not email.has_files:
            return ()
        files = self._files.get(email.id)
        if files is None:
            stored = await self._store.read(_read_files, email.id)
            files = await asyncio.to_thread(lambda: tuple(entity.encode_attachment(file) for file in stored))
            if email.file_octets <= _KEPT_OCTETS:
                self._files.keep(email.id, files)
        return files


def why_unwritable(leased: Leased, error: Exception) -> str:
    """Why a member's copy can never be written, as its recipient is told; empty where that is our own fault.

    Members' values are not all tried before they come here: with LIQUID that would be to render them twice.
    """
    if leased.email.member is None or not isinstance(error, MissingVariables | InvalidValue | UnsafeContent):
        return ""
    return "".join(letter if letter.isprintable() else " " for letter in str(error))[:_WHY_CHARACTERS]


def _is_long(email: LeasedEmail, template: CompiledTemplate | None) -> bool:
    if template is not None:
        return template.is_slow or template.length + len(email.member or "") > _LONG
    return len(email.mailing.html or "") + len(email.mailing.text or "") > _LONG


def _variant(version: CompiledVersion | None, email: LeasedEmail) -> CompiledTemplate | None:
    if version is None:
        return None
    return version.variants[email.template_language or version.default_language]


def _read_files(email_id: int) -> list[entity.Attachment]:
    rows: Any = (
        Attachment.select(Attachment.name, Attachment.content_type, Attachment.content_id, Blob.content)
        .join(Blob, on=(Blob.id == Attachment.blob_id))
        .where(Attachment.email_id == email_id)
        .order_by(Attachment.position)
        .tuples()
    )
    return [
        entity.Attachment(name, kind, bytes(content), content_id) for name, kind, content_id, content in rows
    ]
