"""Every method of the contract over LocalChannel and over a socket: the same answer, to the letter."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from neighbours import CUSTOM, NEEDED, Neighbours, neighbouring, send_as
from postroom.v1 import email_pb2, email_service_pb2
from postroom_server.mail.caller import Scope
from serving import ACME, METHODS, Served, Told


@pytest.fixture
async def neighbours(database: str) -> AsyncIterator[Neighbours]:
    async with neighbouring(database) as made:
        yield made


async def both(served: Served, *args: Any, **kwargs: Any) -> Told:
    local = await served.call(*args, **kwargs)
    socket = await served.call(*args, **kwargs, channel=served.socket)
    assert local == socket, (args, local, socket)
    return local


def filled(method: str) -> Message:
    """A request with something in every field, most of it wrong."""
    request = GetMessageClass(METHODS[method].input_type)()
    for field in request.DESCRIPTOR.fields:
        if field.is_repeated or field.type == field.TYPE_MESSAGE:
            continue
        if field.containing_oneof is not None and field.containing_oneof.name == "source":
            continue
        value: Any = {field.CPPTYPE_STRING: "字 nothing", field.CPPTYPE_BOOL: True}.get(field.cpp_type, 77)
        setattr(request, field.name, 1 if field.type == field.TYPE_ENUM else value)
    if METHODS[method].input_type.fields_by_name.get("tenant_id") is not None:
        request.ClearField("tenant_id")  # type: ignore[arg-type]
    return request


async def test_every_method_behaves_alike_over_both_transports(neighbours: Neighbours) -> None:
    served = neighbours.served
    reader = await served.token("reader", ACME, {Scope.READ})
    for number, method in enumerate(METHODS):
        await both(served, method, None)
        # Over a socket nobody is believed who says where a client is; one wrong token each is borne.
        for secret in (reader, neighbours.theirs):
            for request in (None, filled(method)):
                if method == "EmailService.WatchEvents" and request is None:
                    request = email_service_pb2.WatchEventsRequest(cursor="none of ours")
                told = await both(served, method, secret, request)
                assert told.code != "INTERNAL", (method, told)
        if number % 4 == 0:
            told = await both(served, method, f"guess {number}")
            assert (told.code, told.reason) == ("UNAUTHENTICATED", "TOKEN_INVALID")


async def test_f3_garbage_is_internal_on_both_transports(neighbours: Neighbours) -> None:
    for method in METHODS:
        secret = neighbours.theirs if NEEDED.get(method) is not Scope.PLATFORM else None
        answers = [
            await neighbours.served.raw(method, secret, b"\xff\xff\xff", channel=channel)
            for channel in (neighbours.served.local, neighbours.served.socket)
        ]
        assert answers[0] == answers[1], method
        expected = "UNAUTHENTICATED" if secret is None else "INTERNAL"
        assert answers[0].code == expected, (method, answers[0])


async def test_what_is_read_is_the_same_over_both_transports(neighbours: Neighbours) -> None:
    served, mine = neighbours.served, neighbours.mine
    for method, fields in (
        ("EmailService.GetEmail", {"id": neighbours.email_id, "view": email_pb2.EMAIL_VIEW_DETAIL}),
        ("EmailService.ListEmails", {}),
        ("EmailService.ListRecipients", {"email_id": neighbours.email_id}),
        ("EmailService.ListEvents", {}),
        ("TemplateService.GetTemplate", {"invoke_name": "acme-secret"}),
        ("TemplateService.ListTemplates", {}),
        ("TemplateService.ListTemplateVersions", {"invoke_name": "acme-secret"}),
        ("TemplateService.ListBindings", {}),
        ("MailServerService.GetMailServer", {"id": neighbours.server_id}),
        ("MailServerService.ListMailServers", {}),
        ("DirectoryService.ListMembers", {}),
    ):
        told = await both(served, method, mine, **fields)
        assert told.message.ByteSize() > 0, method


async def test_streams_are_the_same_over_both_transports(neighbours: Neighbours) -> None:
    for _ in range(3):
        await send_as(neighbours, neighbours.mine)
    told = await both(neighbours.served, "EmailService.WatchEvents", neighbours.mine, most=4)
    assert len(told.messages) == 4
    cut = told.messages[1].event.cursor  # type: ignore[attr-defined]
    again = await both(neighbours.served, "EmailService.WatchEvents", neighbours.mine, cursor=cut, most=2)
    assert again.messages == told.messages[2:]


async def test_sends_are_the_same_over_both_transports(neighbours: Neighbours) -> None:
    served, mine = neighbours.served, neighbours.mine
    fields: dict[str, Any] = {"to": ["x@example.com"], "subject": "s", "custom": CUSTOM, "request_id": "one"}
    first = (await served.call("EmailService.SendEmail", mine, **fields)).message.id
    told = await both(served, "EmailService.SendEmail", mine, **fields)
    assert (told.message.id, told.message.replayed) == (first, True)
    told = await both(served, "EmailService.SendEmail", mine, **{**fields, "subject": "other"})
    assert (told.code, told.reason) == ("ALREADY_EXISTS", "IDEMPOTENCY_MISMATCH")
    told = await both(served, "EmailService.SendEmail", mine, **{**fields, "validate_only": True})
    assert b"\r\nTo: x@example.com\r\n" in told.message.preview.copies[0].message
    item = email_service_pb2.SendEmailRequest(**fields)
    wrong = email_service_pb2.SendEmailRequest(to=["bad"], reply_to=["bad"])
    told = await both(served, "EmailService.BatchSendEmails", mine, items=[item, wrong, item])
    assert [result.WhichOneof("result") for result in told.message.results] == [
        "accepted",
        "refusal",
        "accepted",
    ]


async def test_of_many_equal_calls_over_both_transports_one_stores(neighbours: Neighbours) -> None:
    fields: dict[str, Any] = {"to": ["x@example.com"], "subject": "s", "custom": CUSTOM, "request_id": "r"}
    served = neighbours.served
    answers = await asyncio.gather(
        *(
            served.call("EmailService.SendEmail", neighbours.mine, channel=channel, **fields)
            for channel in (served.local, served.socket) * 25
        )
    )
    assert len({answer.message.id for answer in answers}) == 1
    assert sum(not answer.message.replayed for answer in answers) == 1
