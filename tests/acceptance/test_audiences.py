"""Mail to audiences, through a whole server: each member their own copy, and what is told of it."""

from __future__ import annotations

from collections.abc import Iterable
from email.message import EmailMessage
from typing import Any

from acceptance.world import TENANT, World, parsed, until_received
from audiences import put_members
from peers.smtp_peer import Script, SmtpPeer, silence
from postroom.v1 import audience_pb2, email_pb2, email_service_pb2, event_pb2, recipient_pb2, template_pb2
from postroom.v1.template_service_pb2 import CreateTemplateRequest
from postroom_server.clock import DAY, HOUR
from postroom_server.store.ids import IdMint
from postroom_server.store.models import Member, SuppressionReason
from postroom_server.store.suppressed import Entry, put

ALL = audience_pb2.Audience(type=audience_pb2.AUDIENCE_TYPE_ALL)
FAILURE, SUCCESS = email_pb2.EMAIL_STATE_FAILURE, email_pb2.EMAIL_STATE_SUCCESS


async def add_members(world: World, ids: Iterable[int], **columns: Any) -> None:
    await world.running.store.write(lambda: put_members(ids, tenant_id=TENANT, **columns))


async def add_news(world: World, **content: Any) -> None:
    variants = [
        template_pb2.Variant(
            language="en", subject="News for %member.name%", html="<p>Dear %member.name%, %what%</p>"
        ),
        template_pb2.Variant(
            language="zh-CN", subject="%member.name% 的消息", html="<p>%member.name%，您好, %what%</p>"
        ),
    ]
    made = template_pb2.TemplateContent(**{"default_language": "en", "variants": variants, **content})
    template = template_pb2.Template(
        invoke_name="news", name="News", kind=template_pb2.TEMPLATE_KIND_BATCH, content=made
    )
    await world.call("CreateTemplate", CreateTemplateRequest(template=template))


def news(**params: Any) -> email_service_pb2.TemplateBody:
    body = email_service_pb2.TemplateBody(invoke_name="news")
    body.params.update({"what": "all is well", **params})
    return body


def by_address(messages: Iterable[EmailMessage]) -> dict[str, EmailMessage]:
    return {str(message["To"]): message for message in messages}


async def test_every_member_gets_their_own_mail_in_their_language(postroom: World, peer: SmtpPeer) -> None:
    await add_members(postroom, [1], language="en")
    await add_members(postroom, [2], language="zh-CN")
    await add_members(postroom, [3], language="fr")
    await add_members(postroom, [4], enabled=False)
    await add_news(postroom)
    id_ = await postroom.send(to=[], audience=ALL, template=news(), language="zh-CN")
    messages = by_address(await until_received(peer, 3))
    assert {address: str(message["Subject"]) for address, message in messages.items()} == {
        "m1@example.com": "News for N1", "m2@example.com": "N2 的消息", "m3@example.com": "News for N3",
    }  # fmt: skip
    assert "N2，您好, all is well" in messages["m2@example.com"].get_body(("html",)).get_content()  # type: ignore[union-attr]
    settled = await postroom.settled(id_)
    assert (settled.state, settled.copy_mode) == (SUCCESS, email_pb2.COPY_MODE_SEPARATE)
    assert settled.audience == ALL
    progress = settled.audience_progress
    assert (progress.found, progress.queued, progress.done, progress.complete) == (3, 3, 3, True)
    assert [(one.address, one.user_id) for one in settled.recipients] == [
        (f"m{number}@example.com", number) for number in (1, 2, 3)
    ]
    assert len(peer.messages) == 3


async def test_progress_is_told_in_events_without_names(postroom: World, peer: SmtpPeer) -> None:
    await add_members(postroom, range(1, 502))
    id_ = await postroom.send(to=[], audience=ALL)
    await postroom.settled(id_)
    told = [
        event for event in await postroom.events() if event.kind == event_pb2.EVENT_KIND_AUDIENCE_PROGRESS
    ]
    assert [(e.audience_progress.found, e.audience_progress.complete) for e in told] == [
        (500, False), (501, True),
    ]  # fmt: skip
    assert {event.email_id for event in told} == {id_}
    assert len(await until_received(peer, 501)) == 501


async def test_an_audience_of_nobody_fails_with_its_reason(postroom: World) -> None:
    asked = audience_pb2.Audience(type=audience_pb2.AUDIENCE_TYPE_POLICY, policy_codes=["VIP"])
    id_ = await postroom.send(to=[], audience=asked)
    settled = await postroom.settled(id_)
    assert (settled.state, settled.failure) == (FAILURE, email_pb2.EMAIL_FAILURE_NO_RECIPIENTS)
    assert settled.failure_message == "the audience held nobody"
    assert list(settled.audience_progress.unknown_policy_codes) == ["VIP"]


async def test_given_addresses_win(postroom: World, peer: SmtpPeer) -> None:
    await add_members(postroom, [1])
    id_ = await postroom.send(to=["ann@example.com"], audience=ALL)
    settled = await postroom.settled(id_)
    assert not settled.HasField("audience")
    assert not settled.HasField("audience_progress")
    assert [str(message["To"]) for message in await until_received(peer, 1)] == ["ann@example.com"]


async def test_a_member_without_what_the_mail_shows_is_refused_and_told_why(
    postroom: World, peer: SmtpPeer
) -> None:
    await add_members(postroom, [1, 3])
    await add_members(postroom, [2], attributes={})
    await add_news(postroom)
    id_ = await postroom.send(to=[], audience=ALL, template=news())
    settled = await postroom.settled(id_)
    assert settled.state == FAILURE
    assert settled.failure_message == "1 of 3 recipients not delivered: 1 refused"
    refused = settled.recipients[1]
    assert (refused.address, refused.reply, refused.tries) == (
        "m2@example.com", "member.name has no value", 0,
    )  # fmt: skip
    assert sorted(by_address(await until_received(peer, 2))) == ["m1@example.com", "m3@example.com"]


async def test_a_member_whose_mail_cannot_be_rendered_is_refused_at_the_door(
    postroom: World, peer: SmtpPeer
) -> None:
    await add_members(postroom, [1, 3], attributes={"name": "N", "url": "https://example.com/"})
    await add_members(postroom, [2], attributes={"name": "N", "url": "javascript:alert(1)"})
    variant = template_pb2.Variant(
        language="en", subject="Hi", html='<p><a href="{{ member.url }}">{{ member.name }}</a></p>'
    )
    member = {"member": {"name": "N", "url": "https://example.com/"}}
    await add_news(
        postroom, syntax=template_pb2.TEMPLATE_SYNTAX_LIQUID, variants=[variant], sample_params=member
    )
    body = email_service_pb2.TemplateBody(invoke_name="news")
    settled = await postroom.settled(await postroom.send(to=[], audience=ALL, template=body))
    assert settled.failure_message == "1 of 3 recipients not delivered: 1 refused"
    assert settled.held_count == 0
    refused = settled.recipients[1]
    assert (refused.address, refused.state, refused.tries) == (
        "m2@example.com", recipient_pb2.RECIPIENT_STATE_REFUSED, 0,
    )  # fmt: skip
    assert refused.reply.startswith("html: ")
    assert sorted(by_address(await until_received(peer, 2))) == ["m1@example.com", "m3@example.com"]


async def test_who_unsubscribes_while_mail_to_an_audience_waits_does_not_get_it(world: World) -> None:
    later = Script(answers={"DOT": ["451 4.3.0 come back later", "250 2.0.0 taken"]})
    async with SmtpPeer(later) as peer:
        await world.add_server(peer.port)
        await add_members(world, [1])
        id_ = await world.send(to=[], audience=ALL)
        await world.once(id_, lambda found: any(one.tries for one in found.recipients))
        entry = Entry(TENANT, "m1@example.com", SuppressionReason.UNSUBSCRIBED)
        await world.running.store.write(lambda: put([entry], IdMint(world.clock), 0))
        world.clock.leap(HOUR)
        settled = await world.settled(id_)
    assert (settled.counts.suppressed, len(peer.messages)) == (1, 1)


async def test_a_copy_says_the_same_in_every_attempt_whatever_becomes_of_the_member(world: World) -> None:
    later = Script(answers={"DOT": ["451 4.3.0 come back later", "250 2.0.0 taken"]})
    async with SmtpPeer(later) as peer:
        await world.add_server(peer.port)
        await add_members(world, [1])
        await add_news(world)
        id_ = await world.send(to=[], audience=ALL, template=news())
        await world.once(id_, lambda found: any(one.tries for one in found.recipients))
        await world.running.store.write(lambda: Member.delete().execute())
        world.clock.leap(HOUR)
        assert (await world.settled(id_)).state == SUCCESS
        first, second = peer.messages
    assert first == second
    assert parsed(second)["Subject"] == "News for N1"


async def test_a_scheduled_audience_is_looked_up_when_it_is_due(postroom: World, peer: SmtpPeer) -> None:
    await add_members(postroom, [1])
    id_ = await postroom.send(to=[], audience=ALL, schedule_time=postroom.at(DAY))
    assert (await postroom.get(id_)).audience_progress.found == 0
    await add_members(postroom, [2])
    postroom.clock.leap(DAY)
    await postroom.settled(id_)
    assert sorted(by_address(await until_received(peer, 2))) == ["m1@example.com", "m2@example.com"]


async def test_cancelling_keeps_it_from_everybody(postroom: World, peer: SmtpPeer) -> None:
    await add_members(postroom, [1])
    id_ = await postroom.send(to=[], audience=ALL, schedule_time=postroom.at(DAY))
    await postroom.call("CancelEmail", email_service_pb2.CancelEmailRequest(id=id_))
    postroom.clock.leap(DAY)
    after = await postroom.send()
    assert (await postroom.settled(after)).state == SUCCESS
    settled = await postroom.settled(id_)
    assert (settled.state, settled.failure_message) == (
        FAILURE, "cancelled before its whole audience was found",
    )  # fmt: skip
    assert len(peer.messages) == 1


async def test_cancelling_and_deleting_reach_thousands(world: World) -> None:
    async with SmtpPeer(Script(answers={"BANNER": silence})) as peer:
        await world.add_server(peer.port)
        await add_members(world, range(1, 2502))
        cancelled, deleted = [await world.send(to=[], audience=ALL) for _ in range(2)]
        for id_ in (cancelled, deleted):
            await world.once(id_, lambda found: found.audience_progress.complete)
        answer = await world.call("CancelEmail", email_service_pb2.CancelEmailRequest(id=cancelled))
        assert answer.cancelled_count + answer.in_flight_count == 2501
        settled = await world.settled(cancelled)
        assert settled.counts.cancelled == settled.counts.total == 2501
        request = email_service_pb2.BatchDeleteEmailsRequest(ids=[deleted])
        assert (await world.call("BatchDeleteEmails", request)).deleted_count == 1
        gone = await world.refused("GetEmail", email_service_pb2.GetEmailRequest(id=deleted))
        assert gone.code == "NOT_FOUND"
    assert peer.messages == []


async def test_a_test_token_reaches_nobody(postroom: World, peer: SmtpPeer) -> None:
    await add_members(postroom, [1, 2])
    id_ = await postroom.send(to=[], audience=ALL, token=postroom.tokens["test"])
    settled = await postroom.settled(id_)
    assert (settled.state, settled.test, settled.audience_progress.done) == (SUCCESS, True, 2)
    assert peer.messages == []


async def test_everybody_gets_the_files(postroom: World, peer: SmtpPeer) -> None:
    await add_members(postroom, [1, 2])
    attachment = {"name": "a.txt", "content": b"for all of you"}
    await postroom.send(to=[], audience=ALL, attachments=[attachment])
    for message in await until_received(peer, 2):
        (file,) = message.iter_attachments()
        assert file.get_content().strip() == "for all of you"
