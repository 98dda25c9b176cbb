"""How mail ends: delivered, refused, later, elsewhere; and what GetEmail and GetMailServer tell of it."""

from __future__ import annotations

import pytest
from google.protobuf.duration_pb2 import Duration

from acceptance.world import World, mail, parsed, until, until_received
from peers.smtp_peer import Script, SmtpPeer, hang_up, silence
from postroom.v1 import attempt_pb2, email_pb2, email_service_pb2, mail_server_pb2, recipient_pb2
from postroom_server.clock import MINUTE

SUCCESS, FAILURE = email_pb2.EMAIL_STATE_SUCCESS, email_pb2.EMAIL_STATE_FAILURE
DELIVERED, REFUSED = recipient_pb2.RECIPIENT_STATE_DELIVERED, recipient_pb2.RECIPIENT_STATE_REFUSED
UNKNOWN = recipient_pb2.RECIPIENT_STATE_UNKNOWN


def outcomes(email: email_pb2.Email) -> list[str]:
    return [
        attempt_pb2.AttemptOutcome.Name(attempt.outcome).removeprefix("ATTEMPT_OUTCOME_")
        for attempt in email.attempts
    ]


async def test_a_delivered_mail_is_told_with_the_server_s_own_words(postroom: World, peer: SmtpPeer) -> None:
    email = await postroom.settled(await postroom.send())
    assert (email.state, email.counts.delivered, email.ambiguous_count) == (SUCCESS, 1, 0)
    (recipient,), (attempt,) = email.recipients, email.attempts
    assert (recipient.state, recipient.code, recipient.enhanced_code, recipient.reply) == (
        DELIVERED, 250, "2.0.0", "taken"
    )  # fmt: skip
    assert (attempt.server_name, attempt.phase) == (f"server-{peer.port}", attempt_pb2.SMTP_PHASE_DOT)


async def test_a_not_now_is_tried_again_later_with_the_same_bytes(world: World) -> None:
    answers = {"DOT": ["451 4.7.1 come back", "250 2.0.0 now"]}
    async with SmtpPeer(Script(answers=answers)) as peer:
        await world.add_server(peer.port)
        email_id = await world.send()
        email = await world.once(email_id, lambda email: bool(email.attempts))
        (recipient,) = email.recipients
        assert (recipient.code, recipient.reply, recipient.tries) == (451, "come back", 1)
        wait = recipient.next_try_time.ToMilliseconds() - world.clock.now()
        assert 40_000 < wait <= 72_000
        world.clock.leap(72_000)
        email = await world.settled(email_id)
        assert (email.state, outcomes(email)) == (SUCCESS, ["TRANSIENT", "DELIVERED"])
        first, second = peer.messages
        assert first == second


async def test_one_recipient_s_refusal_fails_the_email_and_both_outcomes_are_told(world: World) -> None:
    async with SmtpPeer(Script(answers={"RCPT": ["250 ok", "550 5.1.1 no such box"]})) as peer:
        await world.add_server(peer.port)
        email_id = await world.send(
            to=["ann@example.com", "nobody@example.com"], copy_mode=email_pb2.COPY_MODE_SHARED
        )
        email = await world.settled(email_id)
        assert email.state == FAILURE
        assert email.failure == email_pb2.EMAIL_FAILURE_RECIPIENTS
        assert [(r.address, r.state, r.code) for r in email.recipients] == [
            ("ann@example.com", DELIVERED, 250), ("nobody@example.com", REFUSED, 550)
        ]  # fmt: skip
        assert (email.counts.delivered, email.counts.refused) == (1, 1)
        assert len(peer.messages) == 1


async def test_too_many_recipients_at_once_are_sent_in_a_second_transaction_at_once(world: World) -> None:
    answers = {"RCPT": ["250 ok", "250 ok", "452 4.5.3 too many", "250 ok"]}
    async with SmtpPeer(Script(answers=answers)) as peer:
        await world.add_server(peer.port)
        to = ["a@example.com", "b@example.com", "c@example.com"]
        email = await world.settled(await world.send(to=to, copy_mode=email_pb2.COPY_MODE_SHARED))
        assert (email.state, outcomes(email)) == (SUCCESS, ["DELIVERED", "DELIVERED"])
        first, second = map(parsed, peer.messages)
        assert first["To"] == second["To"] == ", ".join(to)
        assert first["Message-ID"] == second["Message-ID"]


async def test_the_second_server_carries_what_the_first_cannot(world: World, peer: SmtpPeer) -> None:
    dead = await world.add_server(1, priority=1, name="dead")
    await world.add_server(peer.port, priority=2, name="alive")
    email = await world.settled(await world.send())
    assert (email.state, outcomes(email)) == (SUCCESS, ["CONNECTION", "DELIVERED"])
    assert [attempt.server_name for attempt in email.attempts] == ["dead", "alive"]
    breaker = (await world.server(dead)).breaker
    assert (breaker.failure_count, breaker.phase) == (1, attempt_pb2.SMTP_PHASE_CONNECT)


async def test_a_dead_server_s_breaker_opens_and_mail_waits_for_it_to_reopen(world: World) -> None:
    async with SmtpPeer(Script(answers={"BANNER": ["554 go away", "220 welcome"]})) as peer:
        server = await world.add_server(peer.port)
        email_id = await world.send()
        email = await world.once(email_id, lambda email: bool(email.attempts))
        breaker = (await world.server(server)).breaker
        assert breaker.state == mail_server_pb2.BREAKER_STATE_OPEN
        assert breaker.reply == "go away"
        waits_until = email.recipients[0].next_try_time.ToMilliseconds()
        assert waits_until == breaker.reopen_time.ToMilliseconds()
        # More mail is accepted, and nobody knocks.
        other = await world.send()
        await world.once(
            other, lambda email: email.recipients[0].next_try_time.ToMilliseconds() == waits_until
        )
        assert len(peer.sessions) == 1
        world.clock.leap(15 * MINUTE)
        assert [(await world.settled(id_)).state for id_ in (email_id, other)] == [SUCCESS, SUCCESS]
        assert (await world.server(server)).breaker.state == mail_server_pb2.BREAKER_STATE_CLOSED


async def test_an_ambiguous_end_is_counted_and_sent_again(world: World) -> None:
    async with SmtpPeer(Script(answers={"DOT": [hang_up, "250 2.0.0 again"]})) as peer:
        await world.add_server(peer.port)
        email_id = await world.send()
        email = await world.once(email_id, lambda email: bool(email.attempts))
        assert (email.ambiguous_count, email.state) == (1, email_pb2.EMAIL_STATE_PENDING)
        world.clock.leap(5 * MINUTE)
        email = await world.settled(email_id)
        assert (email.state, outcomes(email)) == (SUCCESS, ["AMBIGUOUS", "DELIVERED"])
        assert peer.messages[0] == peer.messages[1]


async def test_a_mail_that_must_not_repeat_ends_as_unknown(world: World) -> None:
    async with SmtpPeer(Script(answers={"DOT": hang_up})) as peer:
        await world.add_server(peer.port)
        email_id = await world.send(guarantee=email_pb2.GUARANTEE_AT_MOST_ONCE)
        email = await world.settled(email_id)
        assert (email.state, email.recipients[0].state, email.ambiguous_count) == (FAILURE, UNKNOWN, 1)
        assert len(peer.messages) == 1


async def test_mail_that_nobody_takes_expires(world: World) -> None:
    await world.add_server(1)
    email_id = await world.send(expire_time=world.at(MINUTE))
    await world.once(email_id, lambda email: bool(email.attempts))
    world.clock.leap(MINUTE)
    email = await world.settled(email_id)
    assert email.recipients[0].state == recipient_pb2.RECIPIENT_STATE_EXPIRED


async def test_a_test_token_accepts_and_never_hands_over(postroom: World, peer: SmtpPeer) -> None:
    email = await postroom.settled(await postroom.send(token=postroom.tokens["test"]))
    assert (email.state, email.test) == (SUCCESS, True)
    assert peer.sessions == []


async def test_a_server_is_tried_and_says_what_it_says(postroom: World, peer: SmtpPeer) -> None:
    listed = await postroom.call("SendEmail", mail(to=["first@example.com"]))
    await postroom.settled(listed.id)
    server_id = (await postroom.get(listed.id)).attempts[0].server_id
    request = email_service_pb2.SendTestEmailRequest(server_id=server_id, to=["ops@example.com"])
    answer = await postroom.call("SendTestEmail", request)
    assert (answer.ok, answer.code, answer.enhanced_code, answer.reply) == (True, 250, "2.0.0", "taken")
    messages = await until_received(peer, 2)
    assert messages[1]["To"] == "ops@example.com"
    assert (await postroom.get(answer.email_id)).state == SUCCESS


@pytest.mark.parametrize(
    ("answers", "phase", "code"),
    [
        ({"BANNER": "554 5.3.2 no"}, attempt_pb2.SMTP_PHASE_BANNER, 554),
        ({"RCPT": "550 5.1.1 who?"}, attempt_pb2.SMTP_PHASE_RCPT, 550),
        ({"DOT": "451 4.3.0 later"}, attempt_pb2.SMTP_PHASE_DOT, 451),
        ({"MAIL": silence}, attempt_pb2.SMTP_PHASE_MAIL, 0),
    ],
)
async def test_a_trial_that_fails_says_where_and_is_not_repeated(
    world: World, answers: dict[str, str], phase: int, code: int
) -> None:
    async with SmtpPeer(Script(answers=answers)) as peer:
        server_id = await world.add_server(peer.port)
        request = email_service_pb2.SendTestEmailRequest(
            server_id=server_id, to=["ops@example.com"], timeout=Duration(seconds=3)
        )
        answer = await world.call("SendTestEmail", request)
        assert (answer.ok, answer.phase, answer.code) == (False, phase, code)
        email = await world.get(answer.email_id)
        assert (email.state, len(peer.sessions)) == (FAILURE, 1)


@pytest.mark.parametrize("silent", ["BANNER", "EHLO", "MAIL", "DOT"])
async def test_a_trial_of_a_server_that_falls_silent_says_where_and_for_how_long(
    world: World, silent: str
) -> None:
    async with SmtpPeer(Script(answers={silent: silence})) as peer:
        request = email_service_pb2.SendTestEmailRequest(
            server_id=await world.add_server(peer.port),
            to=["ops@example.com"],
            timeout=Duration(seconds=1),
        )
        answer = await world.call("SendTestEmail", request)
        assert attempt_pb2.SmtpPhase.Name(answer.phase) == f"SMTP_PHASE_{silent}"
        assert answer.reply == "no answer within 1 s"


async def test_a_trial_goes_on_to_its_end_when_its_caller_leaves(world: World) -> None:
    async with SmtpPeer(Script(answers={"MAIL": silence})) as peer:
        server_id = await world.add_server(peer.port)
        request = email_service_pb2.SendTestEmailRequest(
            server_id=server_id, to=["ops@example.com"], timeout=Duration(seconds=1)
        )
        call = world.emails.SendTestEmail(request, metadata=world.metadata())
        await peer.until(lambda: any(command.startswith("MAIL") for command in peer.commands))
        call.cancel()

        async def is_settled() -> bool:
            listed = (await world.call("ListEmails", email_service_pb2.ListEmailsRequest())).emails
            return [email.state for email in listed] == [FAILURE]

        await until(is_settled)
