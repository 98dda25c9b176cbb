"""The publishing guard as authors meet it over gRPC: what they are told, and how they insist."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import structlog.testing

from postroom.v1 import template_pb2
from postroom_server.mail.caller import Scope
from postroom_server.rpc.status import MAX_TRAILER_BYTES
from serving import ACME, Served, Told, served, serving

__all__ = ["served"]


def saying(text: str, **languages: str) -> template_pb2.TemplateContent:
    variants = [
        template_pb2.Variant(language=tag, subject="Hello", text=words)
        for tag, words in {"en": text, **languages}.items()
    ]
    return template_pb2.TemplateContent(variants=variants)


class Author:
    """`author("UpdateTemplate", ...)`; `send(name="Ann")` by another token."""

    def __init__(self, served: Served, secret: str, sender: str) -> None:
        self.served, self.secret, self.sender = served, secret, sender

    async def __call__(self, method: str, **fields: Any) -> Told:
        return await self.served.call(
            f"TemplateService.{method}", self.secret, channel=self.served.socket, **fields
        )

    async def create(self, content: template_pb2.TemplateContent) -> None:
        kind = template_pb2.TEMPLATE_KIND_TRIGGER
        template = template_pb2.Template(invoke_name="welcome", name="Welcome", kind=kind, content=content)
        assert (await self("CreateTemplate", template=template)).code == "OK"

    async def update(self, content: template_pb2.TemplateContent, **fields: Any) -> Told:
        template = template_pb2.Template(invoke_name="welcome", content=content)
        return await self("UpdateTemplate", template=template, **fields)

    async def send(self, *, labels: dict[str, str] | None = None, language: str = "", **params: Any) -> None:
        told = await self.served.call(
            "EmailService.SendEmail", self.sender, to=["ann@example.com"], labels=labels or {},
            language=language, template={"invoke_name": "welcome", "params": params},
        )  # fmt: skip
        assert told.code == "OK", told


async def author_at(served: Served) -> Author:
    await served.add_server(ACME, from_address="noreply@acme.example")
    secret = await served.token("author", ACME, {Scope.TEMPLATE, Scope.TEMPLATE_REVIEW})
    return Author(served, secret, await served.token("shop", ACME, {Scope.SEND}))


async def test_an_update_is_refused_with_what_breaks_and_whom(served: Served) -> None:
    author = await author_at(served)
    await author.create(saying("%name%", zh="%name%"))
    await author.send(name="Ann", labels={"app": "web"}, language="zh-CN")
    told = await author.update(saying("%name% %order%"))
    assert (told.code, told.reason) == ("FAILED_PRECONDITION", "TEMPLATE_BREAKING_CHANGE")
    assert dict(told.metadata) == {
        "invoke_name": "welcome", "version": "2", "days": "30", "variables": "order", "missing": "order",
        "language": "zh-CN", "tokens": "shop", "labels": "app=web",
    }  # fmt: skip
    assert told.violations == (
        (
            "language",
            "is a language that is not there any more; sent by shop (app=web)",
            "TEMPLATE_BREAKING_CHANGE",
        ),
        ("template.params.order", "has no value; sent by shop (app=web)", "TEMPLATE_BREAKING_CHANGE"),
    )
    assert "allow_breaking" in told.details
    got = await author("GetTemplate", invoke_name="welcome")
    assert got.message.template.version == 1


async def test_who_insists_is_logged_with_the_call(served: Served) -> None:
    author = await author_at(served)
    await author.create(saying("%name%"))
    await author.send(name="Ann")
    with structlog.testing.capture_logs() as lines:
        told = await author.update(saying("%order%"), allow_breaking=True)
    assert told.message.template.approved_version == 2
    (line,) = [line for line in lines if line["event"] == "template_broke_callers"]
    assert (line["template"], line["missing"], line["unknown"]) == ("welcome", ["order"], ["name"])


async def test_submission_approval_and_restoration_take_allow_breaking(served: Served) -> None:
    author = await author_at(served)
    await author.create(saying("%name%"))
    await author.send(name="Ann")
    assert (await author.update(saying("%order%"), submit=False)).code == "OK"
    name = {"invoke_name": "welcome"}
    assert (await author("SubmitTemplate", **name)).reason == "TEMPLATE_BREAKING_CHANGE"
    await served.change_tenant(ACME, review_mode="MANUAL")
    # While reviewers decide there is nothing to insist on.
    assert (await author("SubmitTemplate", **name)).code == "OK"
    assert (await author("ApproveTemplate", **name)).reason == "TEMPLATE_BREAKING_CHANGE"
    assert (await author("WithdrawTemplate", **name)).code == "OK"
    await served.change_tenant(ACME, review_mode="AUTO")
    told = await author("SubmitTemplate", **name, allow_breaking=True)
    assert told.message.template.approved_version == 2
    await author.send(order="17")
    restored = {**name, "version": 1}
    assert (await author("RestoreTemplateVersion", **restored)).reason == "TEMPLATE_BREAKING_CHANGE"
    told = await author("RestoreTemplateVersion", **restored, allow_breaking=True)
    assert told.message.template.approved_version == 3
    await served.change_tenant(ACME, review_mode="MANUAL")
    await author.send(name="Ann")
    assert (await author.update(saying("%order% %name%"))).code == "OK"
    told = await author("ApproveTemplate", **name, allow_breaking=True)
    assert told.message.template.approved_version == 4


async def test_the_setting_switches_the_guard_off(database: str) -> None:
    async with serving(database, template_guard_days=0) as served:
        author = await author_at(served)
        await author.create(saying("%name%"))
        await author.send(name="Ann")
        assert (await author.update(saying("%order%"))).code == "OK"


@pytest.mark.every_database
async def test_however_much_breaks_the_answer_arrives(served: Served) -> None:
    """Over a real connection, whose trailers end at 8 KiB."""
    author = await author_at(served)
    names = [f"variable_{i}_{'x' * 40}" for i in range(120)]
    await author.create(saying(" ".join(f"%{name}%" for name in names)))
    for number in range(5):
        labels = {f"label{i}": f"{number}{'值' * 250}" for i in range(16)}
        await author.send(labels=labels, **dict.fromkeys(names, "x"))
    told = await author.update(saying("Nothing"))
    assert (told.code, told.reason) == ("FAILED_PRECONDITION", "TEMPLATE_BREAKING_CHANGE")
    told_of = dict(told.metadata)
    assert (told_of["violations"], told_of["violations_shown"]) == ("120", str(len(told.violations)))
    assert len(told.violations) >= 1
    assert sum(len(text.encode()) for text in (told.details, *told_of.values())) < MAX_TRAILER_BYTES


async def test_mail_and_new_versions_do_not_get_in_each_others_way(served: Served) -> None:
    author = await author_at(served)
    await author.create(saying("%name%"))
    sends = [author.send(name="Ann", labels={"run": str(i)}) for i in range(40)]
    updates = [author.update(saying(f"{i} %name%")) for i in range(10)]
    told = await asyncio.gather(*sends, *updates)
    assert [one.code for one in told[40:]] == ["OK"] * 10
