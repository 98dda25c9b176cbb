"""Once by request_id, in batches, and taken back: cancel, another time, delete; and the events of it all."""

from __future__ import annotations

import asyncio

import pytest

from acceptance.world import World, mail, parsed, serving, until, until_received
from peers.smtp_peer import Script, SmtpPeer, silence
from postroom.v1 import email_pb2, email_service_pb2, event_pb2, recipient_pb2
from postroom_server.clock import HOUR

SUCCESS = email_pb2.EMAIL_STATE_SUCCESS
CANCELLED = recipient_pb2.RECIPIENT_STATE_CANCELLED


def kinds(events: list[event_pb2.Event]) -> list[str]:
    return [event_pb2.EventKind.Name(event.kind).removeprefix("EVENT_KIND_") for event in events]


async def listed(world: World) -> list[email_pb2.Email]:
    return list((await world.call("ListEmails", email_service_pb2.ListEmailsRequest())).emails)


async def test_a_thousand_calls_with_one_request_id_are_one_mail(postroom: World, peer: SmtpPeer) -> None:
    request = mail(request_id="order-1")
    answers = await asyncio.gather(*(postroom.call("SendEmail", request) for _ in range(1000)))
    (email_id,) = {answer.id for answer in answers}
    assert sorted(answer.replayed for answer in answers) == [False] + [True] * 999
    assert (await postroom.settled(email_id)).state == SUCCESS
    assert [email.id for email in await listed(postroom)] == [email_id]
    assert len(peer.messages) == 1
    assert kinds(await postroom.events()) == ["EMAIL_ACCEPTED", "RECIPIENT_SETTLED", "EMAIL_SETTLED"]


async def test_one_request_id_for_two_mails_is_refused(postroom: World, peer: SmtpPeer) -> None:
    await postroom.send(request_id="order-1", subject="One", custom=email_service_pb2.CustomBody(text="a"))
    other = mail(request_id="order-1", subject="Two", custom=email_service_pb2.CustomBody(text="a"))
    refused = await postroom.refused("SendEmail", other)
    assert (refused.code, refused.reason) == ("ALREADY_EXISTS", "IDEMPOTENCY_MISMATCH")
    assert len(await listed(postroom)) == 1


async def test_each_item_of_a_batch_is_answered_by_itself(postroom: World, peer: SmtpPeer) -> None:
    items = [
        mail(subject="0", custom=email_service_pb2.CustomBody(text="a"), request_id="a"),
        mail(to=["not an address"]),
        mail(subject="2", custom=email_service_pb2.CustomBody(text="a")),
        mail(subject="0", custom=email_service_pb2.CustomBody(text="a"), request_id="a"),
        mail(subject="4", custom=email_service_pb2.CustomBody(text="a"), request_id="a"),
    ]
    answer = await postroom.call("BatchSendEmails", email_service_pb2.BatchSendEmailsRequest(items=items))
    first, second, third, fourth, fifth = answer.results
    assert second.refusal.reason
    assert [violation.field for violation in second.refusal.violations] == ["to[0]"]
    assert (fourth.accepted.id, fourth.accepted.replayed) == (first.accepted.id, True)
    assert fifth.WhichOneof("result") == "refusal"
    for result in (first, third):
        assert (await postroom.settled(result.accepted.id)).state == SUCCESS
    assert sorted(message["Subject"] for message in map(parsed, peer.messages)) == ["0", "2"]


async def test_a_scheduled_mail_is_cancelled_before_it_leaves(postroom: World, peer: SmtpPeer) -> None:
    email_id = await postroom.send(schedule_time=postroom.at(HOUR), to=["a@example.com", "b@example.com"])
    answer = await postroom.call("CancelEmail", email_service_pb2.CancelEmailRequest(id=email_id))
    assert (answer.cancelled_count, answer.in_flight_count, answer.too_late_count) == (2, 0, 0)
    email = await postroom.get(email_id)
    assert [recipient.state for recipient in email.recipients] == [CANCELLED, CANCELLED]
    postroom.clock.leap(2 * HOUR)
    await postroom.settled(await postroom.send(to=["later@example.com"]))
    assert [parsed(message)["To"] for message in peer.messages] == ["later@example.com"]


async def test_a_mail_on_its_way_is_cancelled_before_its_dot(world: World) -> None:
    async with SmtpPeer(Script(answers={"DATA": silence})) as peer:
        await world.add_server(peer.port)
        email_id = await world.send()
        await peer.until(lambda: "DATA" in peer.commands)
        answer = await world.call("CancelEmail", email_service_pb2.CancelEmailRequest(id=email_id))
        assert (answer.cancelled_count, answer.in_flight_count) == (0, 1)
        email = await world.settled(email_id)
        assert (email.recipients[0].state, peer.messages) == (CANCELLED, [])


async def test_a_mail_that_has_left_cannot_be_cancelled(postroom: World) -> None:
    email_id = await postroom.send()
    await postroom.settled(email_id)
    refused = await postroom.refused("CancelEmail", email_service_pb2.CancelEmailRequest(id=email_id))
    assert (refused.code, refused.reason) == ("FAILED_PRECONDITION", "TOO_LATE")


async def test_a_mail_is_moved_to_another_time(postroom: World, peer: SmtpPeer) -> None:
    email_id = await postroom.send(schedule_time=postroom.at(10 * HOUR))
    move = email_service_pb2.RescheduleEmailRequest(id=email_id, schedule_time=postroom.at(HOUR))
    moved = (await postroom.call("RescheduleEmail", move)).email
    assert moved.schedule_time == move.schedule_time
    postroom.clock.leap(HOUR)
    assert (await postroom.settled(email_id)).state == SUCCESS
    (message,) = await until_received(peer, 1)
    assert message["Date"].datetime.timestamp() == move.schedule_time.seconds


async def test_a_deleted_mail_is_gone_at_once_and_never_leaves(postroom: World, peer: SmtpPeer) -> None:
    email_id = await postroom.send(schedule_time=postroom.at(HOUR))
    request = email_service_pb2.BatchDeleteEmailsRequest(ids=[email_id, 1])
    assert (await postroom.call("BatchDeleteEmails", request)).deleted_count == 1
    refused = await postroom.refused("GetEmail", email_service_pb2.GetEmailRequest(id=email_id))
    assert refused.code == "NOT_FOUND"
    assert await listed(postroom) == []
    postroom.clock.leap(2 * HOUR)
    await postroom.settled(await postroom.send())
    assert len(peer.messages) == 1
    events = await postroom.events()
    assert "EMAIL_DELETED" in kinds([event for event in events if event.email_id == email_id])


async def test_a_watcher_sees_everything_in_order(postroom: World, peer: SmtpPeer) -> None:
    call = postroom.emails.WatchEvents(email_service_pb2.WatchEventsRequest(), metadata=postroom.metadata())
    seen: list[event_pb2.Event] = []

    async def watch() -> None:
        async for message in call:
            seen.extend([message.event] if message.HasField("event") else [])

    watching = asyncio.create_task(watch())
    ids = [await postroom.send(to=[f"r{n}@example.com"]) for n in range(20)]
    scheduled = await postroom.send(schedule_time=postroom.at(HOUR))
    await postroom.call("CancelEmail", email_service_pb2.CancelEmailRequest(id=scheduled))

    async def all_are_settled() -> bool:
        return kinds(seen).count("EMAIL_SETTLED") == 21

    await until(all_are_settled)
    watching.cancel()
    await asyncio.wait([watching])
    for email_id in ids:
        assert kinds([event for event in seen if event.email_id == email_id]) == [
            "EMAIL_ACCEPTED", "RECIPIENT_SETTLED", "EMAIL_SETTLED"
        ]  # fmt: skip
    assert kinds([event for event in seen if event.email_id == scheduled]) == [
        "EMAIL_ACCEPTED", "EMAIL_CANCELLED", "RECIPIENT_SETTLED", "EMAIL_SETTLED"
    ]  # fmt: skip
    assert [event.cursor for event in seen] == [event.cursor for event in await postroom.events()]


@pytest.mark.every_database
async def test_stopping_gives_back_what_was_not_begun_and_loses_nothing(database: str) -> None:
    async with SmtpPeer(Script(answers={"DATA": [silence, silence, silence, "354 go ahead"]})) as peer:
        async with serving(database) as world:
            await world.furnish()
            await world.add_server(peer.port, max_connections=4)
            ids = [await world.send(to=[f"r{n}@example.com"]) for n in range(30)]
            await peer.until(lambda: peer.commands.count("DATA") == 3)
            token = world.token
        assert peer.messages == []
        async with serving(database) as again:
            again.token = token
            emails = [await again.settled(email_id) for email_id in ids]
        assert [email.state for email in emails] == [SUCCESS] * 30
        assert sum(email.ambiguous_count for email in emails) == 0
        assert sorted(parsed(message)["To"] for message in peer.messages) == sorted(
            f"r{n}@example.com" for n in range(30)
        )


@pytest.mark.every_database
async def test_stopping_lets_what_has_written_its_dot_finish(database: str) -> None:
    async with SmtpPeer(Script(answers={"DOT": silence})) as peer:
        async with serving(database) as world:
            await world.furnish()
            await world.add_server(peer.port)
            email_id = await world.send()
            await peer.until(lambda: bool(peer.messages))
            token = world.token
            asyncio.get_running_loop().call_later(
                0.2, peer.sessions[0].writer.write, b"250 2.0.0 at last\r\n"
            )
        async with serving(database) as again:
            again.token = token
            email = await again.get(email_id)
        assert (email.state, email.recipients[0].reply) == (SUCCESS, "at last")
