"""SendEmail, BatchSendEmails and SendTestEmail."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import grpc.aio

from postroom.v1 import email_service_pb2, email_service_pb2_grpc
from postroom_server.delivery.trial import Trial
from postroom_server.mail.accept import Acceptance, Accepted, Outcome
from postroom_server.mail.caller import Caller
from postroom_server.mail.checks import Checked
from postroom_server.mail.draft import CustomBody
from postroom_server.mail.preview import preview
from postroom_server.mail.server_test import ServerTest
from postroom_server.refusals import Refusal
from postroom_server.rpc.call import current_caller
from postroom_server.rpc.compiled_first import CompiledFirst
from postroom_server.rpc.convert.email_in import draft_of, timeout_of
from postroom_server.rpc.convert.sends_out import (
    accepted_message,
    batch_message,
    preview_message,
    trial_message,
)
from postroom_server.store.gathering import Gathering
from postroom_server.store.known import Memory
from postroom_server.store.unit import Store

_Context = grpc.aio.ServicerContext[Any, Any]


@dataclasses.dataclass(slots=True)
class _Asked:
    """A call of SendEmail. `checked` once: it may have to wait for a template and be accepted again."""

    caller: Caller
    request: email_service_pb2.SendEmailRequest
    checked: Checked | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Sending:
    """The use cases that accept mail. `on_accepted` is called once what was accepted is durable."""

    memory: Memory
    acceptance: Acceptance
    server_test: ServerTest
    trial: Trial
    on_accepted: Callable[[Sequence[Accepted | Refusal]], None]


class EmailSends(email_service_pb2_grpc.EmailServiceServicer):
    def __init__(self, store: Store, sending: Sending) -> None:
        self._store = store
        self._memory = sending.memory
        self._acceptance = sending.acceptance
        self._server_test = sending.server_test
        self._trial = sending.trial
        self._on_accepted = sending.on_accepted
        self._compiled_first = CompiledFirst(store, sending.memory)
        self._accepting: Gathering[_Asked, tuple[Caller, Checked], Accepted] = Gathering(
            store, self._check, sending.acceptance.accept_each, sending.on_accepted, size=_rows_of
        )

    async def SendEmail(
        self, request: email_service_pb2.SendEmailRequest, context: _Context
    ) -> email_service_pb2.SendEmailResponse:
        asked = _Asked(current_caller(), request)
        if request.validate_only:
            caller, checked = self._check(asked)
            shown = await self._compiled_first.one(
                lambda: self._store.read(preview, self._acceptance, self._memory, caller, checked)
            )
            return preview_message(shown)
        accepted = await self._compiled_first.one(lambda: self._accepting.write(asked))
        return accepted_message(accepted)

    def _check(self, asked: _Asked) -> tuple[Caller, Checked]:
        """Refuses what is wrong with the request's fields."""
        if asked.checked is None:
            asked.checked = self._acceptance.check(asked.caller, draft_of(asked.request))
        return asked.caller, asked.checked

    async def BatchSendEmails(
        self, request: email_service_pb2.BatchSendEmailsRequest, context: _Context
    ) -> email_service_pb2.BatchSendEmailsResponse:
        caller = current_caller()
        items = self._acceptance.check_batch(caller, len(request.items), map(draft_of, request.items))

        def accept(some: Sequence[Checked | Refusal]) -> Awaitable[Sequence[Outcome]]:
            unit = functools.partial(self._acceptance.accept_many, caller, some)
            return self._store.write_then(self._on_accepted, unit)

        return batch_message(await self._compiled_first.each(items, accept))

    async def SendTestEmail(
        self, request: email_service_pb2.SendTestEmailRequest, context: _Context
    ) -> email_service_pb2.SendTestEmailResponse:
        caller = current_caller()
        asked = self._server_test.check(
            caller,
            request.tenant_id if request.HasField("tenant_id") else None,
            request.sender_user_id if request.HasField("sender_user_id") else None,
            request.server_id,
            tuple(request.to),
            timeout_of(request),
        )
        email_id = await self._compiled_first.one(
            lambda: self._store.write(self._server_test.accept, caller, asked)
        )
        return trial_message(email_id, await self._trial.carry(email_id, asked.server_id, asked.timeout))


def _rows_of(asked: tuple[Caller, Checked]) -> int:
    checked = asked[1]
    draft = checked.draft
    # At most: its email, content, event and request_id, and a delivery and a recipient for each address, of
    # which those of Cc may come in every copy.
    rows = 4 + 2 * checked.recipient_count + len(checked.to) * len(checked.cc)
    octets = sum(len(file.content) for file in draft.files if file.content is not None)
    if isinstance(draft.body, CustomBody):
        octets += len(draft.body.html) + len(draft.body.text)
    # What is large takes as long as many rows.
    return rows + octets // 32_768
