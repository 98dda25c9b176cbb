"""A template that is too long to be compiled in accepting is compiled first, and nobody notices."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from postroom.v1 import email_service_pb2, template_pb2
from postroom_server.mail.caller import Scope
from postroom_server.refusals import Reason, Refusal
from postroom_server.rpc import compiled_first
from postroom_server.rpc.compiled_first import CompiledFirst
from postroom_server.store.versions import NotCompiled
from serving import ACME, Served, serving

LONG = "%name%" + "<p>x</p>" * 8000


async def furnish(served: Served) -> str:
    await served.add_server(ACME, from_address="noreply@acme.example")
    author = await served.token("author", ACME, {Scope.TEMPLATE, Scope.SEND})
    for name in ("one", "two", "three"):
        content = template_pb2.TemplateContent(
            variants=[template_pb2.Variant(language="en", subject=name, html=LONG)]
        )
        template = template_pb2.Template(
            invoke_name=name, name=name, kind=template_pb2.TEMPLATE_KIND_TRIGGER, content=content
        )
        await served.call("TemplateService.CreateTemplate", author, template=template)
    return author


def mail(name: str, **fields: Any) -> dict[str, Any]:
    body = {"invoke_name": name, "params": {"name": "Ann"}}
    return {"to": ["ann@example.com"], "template": body, **fields}


async def test_single_sends_batches_and_previews_wait_for_it(database: str) -> None:
    async with serving(database) as served:
        author = await furnish(served)
        short = {"to": ["bob@example.com"], "subject": "Hi", "custom": {"text": "Hi"}}
        told = await asyncio.gather(
            *(served.call("EmailService.SendEmail", author, **mail("one")) for _ in range(5)),
            *(served.call("EmailService.SendEmail", author, **short) for _ in range(5)),
            served.call("EmailService.SendEmail", author, **mail("two", validate_only=True)),
        )
        assert [each.code for each in told] == ["OK"] * 11
        items = [
            mail("three", request_id="r"),
            short,
            mail("three", request_id="r"),
            mail("none"),
            mail("two"),
        ]
        answer = await served.call(
            "EmailService.BatchSendEmails",
            author,
            email_service_pb2.BatchSendEmailsRequest(
                items=[email_service_pb2.SendEmailRequest(**item) for item in items]
            ),
        )
        results = answer.message.results
        assert [result.WhichOneof("result") for result in results] == [
            "accepted", "accepted", "accepted", "refusal", "accepted",
        ]  # fmt: skip
        assert [results[0].accepted.replayed, results[2].accepted.replayed] == [False, True]
        assert results[0].accepted.id == results[2].accepted.id
        caught = await served.until_caught(5 + 5 + 3)
        assert len(caught) == 13


class Nowhere:
    """A store whose memory drops everything at once."""

    def __init__(self) -> None:
        self.asked: list[int] = []

    async def read(self, _unit: Any, waiting: NotCompiled) -> None:
        self.asked.append(waiting.version_id)

    def prepare(self, waiting: NotCompiled) -> None: ...


async def test_it_is_not_tried_for_ever() -> None:
    nowhere: Any = Nowhere()
    first = CompiledFirst(nowhere, nowhere)

    async def one() -> None:
        raise NotCompiled(7)

    async def each(items: Any) -> list[Any]:
        return [NotCompiled(item) if item else "accepted" for item in items]

    with pytest.raises(Refusal) as caught:
        await first.one(one)
    assert caught.value.reason is Reason.OVERLOADED
    assert nowhere.asked == [7] * 4
    outcomes = await first.each([0, 7, 8, 7], each)
    assert [isinstance(outcome, NotCompiled) for outcome in outcomes] == [False, True, True, True]
    assert nowhere.asked[4:] == [7, 8] * 4


class Blocked:
    """A store whose readers wait until they are let go."""

    def __init__(self) -> None:
        self.begun = 0
        self.go = asyncio.Event()

    async def read(self, _unit: Any, _waiting: NotCompiled) -> None:
        self.begun += 1
        await self.go.wait()

    def prepare(self, waiting: NotCompiled) -> None: ...


async def test_b2_a_tenant_has_two_made_ready_at_a_time_even_when_its_callers_leave(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(compiled_first, "_PATIENCE", 0.01)
    blocked: Any = Blocked()
    one, another = CompiledFirst(blocked, blocked), CompiledFirst(blocked, blocked)
    ready = False

    async def accept() -> str:
        if not ready:
            raise NotCompiled(7)
        return "accepted"

    leaving = asyncio.create_task(one.one(accept))
    staying = asyncio.create_task(another.one(accept))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    leaving.cancel()
    with pytest.raises(Refusal, match="being made ready already") as caught:
        await one.one(accept)
    assert caught.value.reason is Reason.OVERLOADED
    outcomes = await another.each([1], lambda items: asyncio.sleep(0, [NotCompiled(i) for i in items]))
    assert [type(outcome) for outcome in outcomes] == [NotCompiled]
    assert blocked.begun == 2
    ready = True
    blocked.go.set()
    assert await staying == "accepted"
    assert leaving.cancelled()
